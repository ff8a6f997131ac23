/**
 * Brings a table of pictures to the state of the folders. Every commit leaves a sound index that lacks some pictures
 * at worst, and the next sync begins by comparing: wherever this one is interrupted, nothing is lost or doubled.
 */
import { randomBytes } from 'node:crypto';
import type { Clip } from '../../../clip/clip.ts';
import type { EidosError, ErrorCode } from '../../../errors.ts';
import { preprocessImages } from '../../../image/pipeline.ts';
import type { IndexedFolder } from '../store/about.ts';
import type { PictureStore } from '../store/pictures.ts';
import type { PictureRow, UnreadableRow } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import type { SyncOptions, SyncReport, UnreadableFile } from '../types.ts';
import { type Plan, planSync } from './plan.ts';
import { mapAhead, type ReadFile, readPictureFile } from './read.ts';
import { type FoundFile, scanFolders } from './scan.ts';

export interface SyncParts {
  store: Store;
  pictures: PictureStore;
  clip: () => Promise<Clip>;
  folders: readonly IndexedFolder[];
  /** Rows of a former model's table, whose ids stay. */
  former: readonly PictureRow[];
  /** From how many pictures on the store's own index over vectors is made. */
  vectorIndexFrom: number;
}

export type SyncResult = SyncReport & { isChanged: boolean };

/** A commit takes some hundredths of a second: pictures are put in together, but not for long at the risk of being lost. */
const rowsPerCommit = 512;
const secondsPerCommit = 10;

/** Files that are read ahead of the network. */
const readAhead = 4;

/** @throws EidosError as `SearchIndex.sync` does */
export async function syncPictures(parts: SyncParts, options: SyncOptions): Promise<SyncResult> {
  const { store, pictures, folders } = parts;
  const { onProgress, signal } = options;
  const begun = performance.now();
  const locked: string[] = [];
  const [rows, unreadable, files] = await Promise.all([
    pictures.rows(),
    store.unreadable(),
    scanFolders(folders, {
      signal,
      onFound: (done) => onProgress?.({ stage: 'scan', done, total: done }),
      onLocked: (path) => locked.push(path),
    }),
  ]);
  const plan = planSync(rows, unreadable, files, locked);
  await pictures.remove(plan.doubled.map(({ id }) => id));
  const work = createWork(parts, rows, plan);
  try {
    await embedFiles(parts, options, plan, work);
  } finally {
    await work.commit(); // what is done is kept
  }
  await work.commitKnown();
  const removed = await removeGone(pictures, plan, work);
  const broken = await noteUnreadable(store, unreadable, plan, work.failures);
  const { added, changed } = work.counts;
  const isChanged =
    added + changed + work.touched + work.moved.size + removed + plan.doubled.length > 0 || broken.isChanged;
  const count = rows.length - plan.doubled.length + added - removed;
  if (isChanged) {
    onProgress?.({ stage: 'finish', done: 0, total: 1 });
    await pictures.tidy({ vectorIndex: count >= parts.vectorIndexFrom });
    onProgress?.({ stage: 'finish', done: 1, total: 1 });
  }
  const seconds = (performance.now() - begun) / 1000;
  return {
    added,
    changed,
    moved: work.moved.size,
    removed,
    unchanged: plan.unchanged + work.touched,
    unreadable: [
      ...broken.rows.map(({ path, code, message }) => ({
        image: path,
        error: { code: code as ErrorCode, message },
      })),
      ...lockedPlaces(locked, broken.rows),
    ],
    pictures: count,
    seconds,
    secondsOutsideNetwork: Math.max(0, seconds - work.networkSeconds()),
    isChanged,
  };
}

type SoundFile = Extract<ReadFile, { hash: string }>;
type Work = ReturnType<typeof createWork>;

/** What is found out file by file, and what of it is waiting to be committed. */
function createWork({ pictures, former }: SyncParts, rows: readonly PictureRow[], plan: Plan) {
  const gone = groupByHash(plan.gone);
  // A row whose file is read again may get another embedding before its present one is copied: it lends none.
  const unsettled = new Set(
    [...plan.doubled, ...plan.toRead.map(({ known }) => known)].map((row) => row?.id),
  );
  const lending = groupByHash(rows.filter(({ id }) => !unsettled.has(id)));
  const formerByPath = new Map(former.map((row) => [row.path, row]));
  const formerByHash = groupByHash(former);
  const takenIds = new Set(rows.map(({ id }) => id));
  const moved = new Set<string>();
  const failures: Failure[] = [];
  const counts = { added: 0, changed: 0 };
  const waiting: { fresh: Pending[]; replacing: Pending[] } = { fresh: [], replacing: [] };
  const copies: { row: PictureRow; from: string; isNew: boolean }[] = [];
  let touched = 0;
  let network = 0;
  let lastCommit = performance.now();

  /** The id of a picture that is new to this table. */
  const newId = (file: FoundFile, hash: string): string => {
    const old = formerByPath.get(file.path) ?? formerByHash.get(hash)?.find(({ id }) => !takenIds.has(id));
    const id = old !== undefined && !takenIds.has(old.id) ? old.id : randomBytes(10).toString('hex');
    takenIds.add(id);
    return id;
  };

  return {
    moved,
    failures,
    counts,
    get touched() {
      return touched;
    },
    networkSeconds: () => network / 1000,
    addNetworkTime(milliseconds: number) {
      network += milliseconds;
    },

    /** Whether the file's embedding is known already: moved, copied, or only touched. */
    isKnown({ file, hash, facts }: SoundFile, own: PictureRow | undefined): boolean {
      const row = { ...rowOf(file, hash, facts), id: own?.id ?? '' };
      if (own?.hash === hash) {
        touched += 1;
        copies.push({ row, from: own.id, isNew: false });
        return true;
      }
      const from = own === undefined ? gone.get(hash)?.find(({ id }) => !moved.has(id)) : undefined;
      if (from !== undefined) {
        moved.add(from.id);
        copies.push({ row: { ...row, id: from.id }, from: from.id, isNew: false });
        return true;
      }
      const twin = lending.get(hash)?.[0];
      if (twin === undefined) return false;
      counts[own === undefined ? 'added' : 'changed'] += 1;
      copies.push({
        row: { ...row, id: own?.id ?? newId(file, hash) },
        from: twin.id,
        isNew: own === undefined,
      });
      return true;
    },

    /** Takes a picture with its embedding in. */
    add({ file, hash, facts }: SoundFile, own: PictureRow | undefined, vector: Float32Array): void {
      const row = { ...rowOf(file, hash, facts), id: own?.id ?? newId(file, hash) };
      waiting[own === undefined ? 'fresh' : 'replacing'].push({ row, vector });
      counts[own === undefined ? 'added' : 'changed'] += 1;
    },

    isDue(most: number): boolean {
      const count = waiting.fresh.length + waiting.replacing.length;
      return count >= most || (count > 0 && performance.now() - lastCommit > secondsPerCommit * 1000);
    },

    async commit(): Promise<void> {
      const { fresh, replacing } = waiting;
      waiting.fresh = [];
      waiting.replacing = [];
      lastCommit = performance.now();
      await pictures.add(...asTable(fresh, pictures.embeddingSize));
      await pictures.replace(...asTable(replacing, pictures.embeddingSize));
    },

    /** Rows whose embeddings are copied inside the table. */
    async commitKnown(): Promise<void> {
      for (let start = 0; start < copies.length; start += rowsPerCommit) {
        const some = copies.slice(start, start + rowsPerCommit);
        const { rows: taken, embeddings } = await pictures.take([...new Set(some.map(({ from }) => from))]);
        const size = pictures.embeddingSize;
        const vectors = new Map(
          taken.map(({ id }, i) => [id, embeddings.data.subarray(i * size, (i + 1) * size)]),
        );
        const ready = some.flatMap(({ row, from, isNew }) => {
          const vector = vectors.get(from);
          return vector === undefined ? [] : [{ row, vector, isNew }];
        });
        await pictures.replace(
          ...asTable(
            ready.filter(({ isNew }) => !isNew),
            size,
          ),
        );
        await pictures.add(
          ...asTable(
            ready.filter(({ isNew }) => isNew),
            size,
          ),
        );
      }
    },
  };
}

/** A file that cannot be read, and the row of the time when it could. */
interface Failure {
  file: FoundFile;
  error: EidosError;
  known: PictureRow | undefined;
}

interface Pending {
  row: PictureRow;
  vector: Float32Array;
}

async function embedFiles(parts: SyncParts, options: SyncOptions, plan: Plan, work: Work): Promise<void> {
  const { signal, onProgress, batchSize = 16, commitEvery = rowsPerCommit } = options;
  if (plan.toRead.length === 0) return;
  const clip = await parts.clip();
  const { preprocessing } = clip.config;
  /** In the order in which the pipeline counts them. */
  const sent: { read: SoundFile; known: PictureRow | undefined }[] = [];
  const total = plan.toRead.length;
  let passed = 0;
  const tell = () => onProgress?.({ stage: 'embed', done: passed, total });

  async function* sources() {
    const reading = mapAhead(plan.toRead, readAhead, async ({ file, known }) => ({
      read: await readPictureFile(file),
      known,
    }));
    for await (const { read, known } of reading) {
      if ('error' in read) work.failures.push({ ...read, known });
      else if (!work.isKnown(read, known)) {
        sent.push({ read, known });
        // A File has a name, which errors then tell.
        yield new File([read.bytes as Uint8Array<ArrayBuffer>], read.file.path);
        continue;
      }
      passed += 1;
    }
  }

  tell();
  for await (const batch of preprocessImages(sources(), preprocessing, { signal, batchSize })) {
    const { data, shape, items, release } = batch;
    const begun = performance.now();
    const embeddings = shape[0] === 0 ? undefined : await clip.embedPixels({ data, shape });
    work.addNetworkTime(performance.now() - begun);
    release();
    for (const item of items) {
      const { read, known } = sent[item.index]!;
      delete (sent as unknown[])[item.index]; // its bytes
      if ('error' in item) work.failures.push({ file: read.file, error: item.error, known });
      else {
        const size = clip.embeddingSize;
        work.add(read, known, embeddings!.data.slice(item.row * size, (item.row + 1) * size));
      }
      passed += 1;
    }
    if (work.isDue(commitEvery)) await work.commit();
    tell();
  }
}

/** Removes rows whose file is gone, and those whose file became unreadable; returns how many. */
async function removeGone(
  pictures: PictureStore,
  plan: Plan,
  { moved, failures }: Pick<Work, 'moved' | 'failures'>,
): Promise<number> {
  const gone = plan.gone.filter(({ id }) => !moved.has(id));
  const broken = failures.flatMap(({ known }) => (known === undefined ? [] : [known]));
  const ids = [...gone, ...broken].map(({ id }) => id);
  for (let start = 0; start < ids.length; start += 1000)
    await pictures.remove(ids.slice(start, start + 1000));
  return ids.length;
}

/** Folders and files that could not be looked at; told at each sync, and kept nowhere, as nothing is known of them. */
function lockedPlaces(locked: readonly string[], broken: readonly UnreadableRow[]): UnreadableFile[] {
  const told = new Set(broken.map(({ path }) => path));
  return locked
    .filter((path) => !told.has(path))
    .map((path) => ({
      image: path,
      error: {
        code: 'not_found',
        message: `${path} could not be looked at: permission is missing, or the disk failed. What the index has of it stays.`,
      },
    }));
}

async function noteUnreadable(
  store: Store,
  before: readonly UnreadableRow[],
  plan: Plan,
  failures: readonly Failure[],
): Promise<{ rows: UnreadableRow[]; isChanged: boolean }> {
  const rows = failures.map(({ file, error }) => ({ ...file, code: error.code, message: error.message }));
  const failed = new Set(rows.map(({ path }) => path));
  const noted = new Set(before.map(textOf));
  const mended = plan.forgetUnreadable.filter((path) => !failed.has(path));
  const fresh = rows.filter((row) => !noted.has(textOf(row)));
  await store.removeUnreadable(mended);
  await store.putUnreadable(fresh);
  return { rows: [...plan.stillUnreadable, ...rows], isChanged: mended.length + fresh.length > 0 };
}

/** The same for notes that say the same. */
function textOf({ path, size, modified, code, message }: UnreadableRow): string {
  return JSON.stringify([path, size, modified, code, message]);
}

function rowOf(file: FoundFile, hash: string, facts: SoundFile['facts']): Omit<PictureRow, 'id'> {
  return { ...file, hash, ...facts };
}

function asTable(
  pending: readonly Pending[],
  size: number,
): [PictureRow[], { data: Float32Array; shape: number[] }] {
  const data = new Float32Array(pending.length * size);
  pending.forEach(({ vector }, i) => {
    data.set(vector, i * size);
  });
  return [pending.map(({ row }) => row), { data, shape: [pending.length, size] }];
}

function groupByHash(rows: readonly PictureRow[]): Map<string, PictureRow[]> {
  const groups = new Map<string, PictureRow[]>();
  for (const row of rows) {
    const group = groups.get(row.hash);
    if (group === undefined) groups.set(row.hash, [row]);
    else group.push(row);
  }
  return groups;
}
