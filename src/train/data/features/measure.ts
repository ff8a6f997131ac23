/**
 * Asks a locked image tower once about every view of every picture. What it says is kept view by view; a measurement that
 * was interrupted goes on, and what is there already is not measured again.
 */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { toFloat16 } from '../../../checkpoint/numbers.ts';
import { withLock } from '../../../disk/lock.ts';
import { EidosError } from '../../../errors.ts';
import type { ImagePreprocessing } from '../../../models/preprocessing.ts';
import { seedAt } from '../chance.ts';
import type { AugmentationConfig } from '../config.ts';
import type { BrokenSample } from '../forms/form.ts';
import { type PixelThreads, startPixelThreads } from '../pixel-threads.ts';
import type { ViewRequest } from '../pixels.ts';
import type { Source, SourcePicture } from '../source.ts';
import {
  openStoreWriter,
  pictureKey,
  readStore,
  type StoredRows,
  type StoreNotes,
  type StoreWriter,
} from './store.ts';

/** An image tower that stays as it is, up to the features that its projection reads. */
export interface LockedTower {
  /** A hash of its weights and of how it is shown pictures. */
  fingerprint: string;
  /** Features a picture. */
  width: number;
  /** Pixels [count, 3, side, side], whose memory it takes, → features [count, width]. */
  see(pixels: Float32Array, count: number): Promise<Float32Array>;
}

export interface MeasureFeaturesOptions {
  /** Where features are kept. */
  folder: string;
  /** Views a picture: the whole, then random ones. */
  views: number;
  /** What random views follow from. */
  seed: number;
  /** Pictures that the tower sees at once. */
  batch: number;
  preprocessing: ImagePreprocessing;
  augmentation: AugmentationConfig;
  /** Side of the square from which random views are taken. */
  side: number;
  /** Threads that decode and augment. */
  threads: number;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: MeasuringProgress) => void) | undefined;
}

export interface MeasuringProgress {
  source: string;
  /** Pictures, of all sources together. */
  done: number;
  total: number;
  picturesPerSecond: number;
  minutesLeft: number;
}

/** Where the features of every picture lie. */
export interface ImageFeatures {
  width: number;
  /** Of the tower. */
  fingerprint: string;
  /** A row a source; in it one a view, with the row of each picture in the view's file. */
  sources: { path: string; rows: Int32Array }[][];
}

/** Apart from the chance of other places, see chance.ts. */
const ofFeatureViews = 14;

/**
 * Measures what is not measured yet.
 * @returns where the features lie, and the sources without pictures that could not be read
 * @throws EidosError `config_mismatch` for files of another tower, `write_failed`, `engine_failed`, `aborted`
 */
export async function measureImageFeatures(
  sources: readonly Source[],
  tower: LockedTower,
  options: MeasureFeaturesOptions,
): Promise<{ features: ImageFeatures; sources: Source[] }> {
  const threads = startLazily(options);
  try {
    const work = await Promise.all(sources.map((source) => findMissing(source, tower, options)));
    const pace = createPace(work, options);
    const found: ImageFeatures['sources'] = [];
    const readable: Source[] = [];
    for (const [at, source] of sources.entries()) {
      const stores = await measured(source, work[at]!, tower, threads.get, pace, options);
      const { left, places } = withoutUnreadable(source, work[at]!.keys, stores);
      found.push(stores.map(({ path }, view) => ({ path, rows: places[view]! })));
      readable.push(left);
    }
    return {
      features: { width: tower.width, fingerprint: tower.fingerprint, sources: found },
      sources: readable,
    };
  } finally {
    await threads.close();
  }
}

interface SourceWork {
  /** Of each picture. */
  keys: string[];
  /** One a view. */
  stores: StoredRows[];
  notes: StoreNotes[];
  /** Pictures of which some view is missing. */
  missing: number;
}

async function findMissing(
  source: Source,
  tower: LockedTower,
  options: MeasureFeaturesOptions,
): Promise<SourceWork> {
  const keys = source.pictures.map(pictureKey);
  const notes = Array.from({ length: options.views }, (_, view) => notesOf(view, tower, options));
  const stores = await readStores(source, tower, notes, options.folder);
  return { keys, notes, stores, missing: missingPictures(keys, stores).length };
}

function missingPictures(keys: readonly string[], stores: readonly StoredRows[]): number[] {
  return [...keys.keys()].filter((at) => stores.some(({ places }) => !places.has(keys[at]!)));
}

function readStores(
  { name }: Source,
  { fingerprint }: LockedTower,
  notes: readonly StoreNotes[],
  folder: string,
): Promise<StoredRows[]> {
  return Promise.all(
    notes.map((one, view) => {
      const key = createHash('sha256').update(JSON.stringify(one)).digest('hex').slice(0, 8);
      return readStore(join(folder, `${name}-${fingerprint.slice(0, 8)}-${view}-${key}.f16`), one);
    }),
  );
}

/** The whole picture is the same whatever the augmentation is. */
function notesOf(view: number, tower: LockedTower, options: MeasureFeaturesOptions): StoreNotes {
  const { seed, side, augmentation } = options;
  return {
    format: 'eidos features 1',
    tower: tower.fingerprint,
    width: tower.width,
    view: view === 0 ? 'whole' : { number: view, seed, side, ...atWork(augmentation) },
  };
}

/** What of an augmentation changes any view: fields that are new to eidos leave the others' features as they are. */
function atWork(augmentation: AugmentationConfig): Partial<AugmentationConfig> {
  const details = { coarseSide: 'coarse', cutOutArea: 'cutOut', shrinkSide: 'shrink' } as const;
  const isAtWork = ([name, value]: [string, unknown]): boolean => {
    const share = details[name as keyof typeof details];
    return share === undefined ? value !== 0 : augmentation[share] > 0;
  };
  return Object.fromEntries(Object.entries(augmentation).filter(isAtWork));
}

/** The stores of a source with nothing missing. */
async function measured(
  source: Source,
  { keys, notes, stores, missing }: SourceWork,
  tower: LockedTower,
  threads: () => PixelThreads,
  pace: Pace,
  options: MeasureFeaturesOptions,
): Promise<StoredRows[]> {
  if (missing === 0) return stores;
  const { folder, signal } = options;
  try {
    await mkdir(folder, { recursive: true });
    // Another training may be asking the same tower: what it is told is for both.
    const lock = join(folder, `${source.name}-${tower.fingerprint.slice(0, 8)}.lock`);
    return await withLock(lock, { signal }, async () => {
      const now = await readStores(source, tower, notes, folder);
      const wanted = missingPictures(keys, now);
      pace.skip(missing - wanted.length);
      if (wanted.length > 0) await measureMissing(source, keys, now, wanted);
      return readStores(source, tower, notes, folder);
    });
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    throw new EidosError(
      'write_failed',
      `Features of "${source.name}" cannot be kept in ${folder}: ${message}. Name another folder as imageTower.cache; what has been measured is kept.`,
      { cause },
    );
  }

  async function measureMissing(
    { name, pictures }: Source,
    keys: readonly string[],
    now: readonly StoredRows[],
    wanted: readonly number[],
  ): Promise<void> {
    const writers: StoreWriter[] = [];
    try {
      for (const [view, store] of now.entries()) writers.push(await openStoreWriter(store, notes[view]!));
      await measure({
        groups: groupsOf(wanted, keys, now, options.batch),
        pictures,
        keys,
        tower,
        threads: threads(),
        options,
        write: (rows) => {
          for (const [view, { entries, values }] of rows) writers[view]!.append(entries, toFloat16(values));
        },
        onGroup: (count) => pace.add(name, count),
      });
    } finally {
      for (const writer of writers) writer.close();
    }
  }
}

/** Pictures that are measured together, with the views of each that are missing. */
type Group = readonly { picture: number; views: readonly number[] }[];

/** As many pictures at once as make a batch for the tower. */
function* groupsOf(
  wanted: readonly number[],
  keys: readonly string[],
  stores: readonly StoredRows[],
  batch: number,
): Generator<Group, undefined> {
  let group: { picture: number; views: number[] }[] = [];
  let rows = 0;
  for (const picture of wanted) {
    const views = [...stores.keys()].filter((view) => !stores[view]!.places.has(keys[picture]!));
    if (group.length > 0 && rows + views.length > batch) {
      yield group;
      group = [];
      rows = 0;
    }
    group.push({ picture, views });
    rows += views.length;
  }
  if (group.length > 0) yield group;
}

interface Measurement {
  groups: Generator<Group, undefined>;
  pictures: readonly SourcePicture[];
  keys: readonly string[];
  tower: LockedTower;
  threads: PixelThreads;
  options: MeasureFeaturesOptions;
  write(rows: Map<number, { entries: { key: string; readable: boolean }[]; values: Float32Array }>): void;
  /** Told how many pictures have been measured. */
  onGroup(pictures: number): void;
}

/** Groups that the tower has been asked about and has not answered yet: it must not wait for the next one. */
const askedAhead = 2;

/** Pictures are decoded ahead in threads, the tower sees them in its own, and rows are written in order. */
async function measure({
  groups,
  pictures,
  keys,
  tower,
  threads,
  options,
  write,
  onGroup,
}: Measurement): Promise<void> {
  type Coming = { group: Group; answer: ReturnType<PixelThreads['read']> };
  type Asked = { group: Group; broken: ReadonlySet<number>; features: Promise<Float32Array> };
  const coming: Coming[] = [];
  const asked: Asked[] = [];
  const prepare = (): void => {
    while (coming.length <= threads.count) {
      const { value: group, done } = groups.next();
      if (done) return;
      const requests = group.map(({ picture, views }) => {
        const { name, place, origin } = pictures[picture]!;
        const request = (view: number): ViewRequest =>
          view === 0 ? 'whole' : { seed: viewSeed(options.seed, keys[picture]!, view) };
        // A square that was packed before is smaller than the picture.
        return { name, place: origin ?? place, views: views.map(request) };
      });
      const answer = threads.read(requests);
      answer.catch(() => {});
      coming.push({ group, answer });
    }
  };
  const finish = async ({ group, broken, features }: Asked): Promise<void> => {
    const values = await features;
    write(rowsByView(group, broken, keys, values, tower.width));
    onGroup(group.length);
  };
  prepare();
  try {
    for (let next = coming.shift(); next !== undefined; next = coming.shift()) {
      if (options.signal?.aborted) {
        throw new EidosError('aborted', 'Measuring features was aborted; what has been measured is kept.');
      }
      const { data, broken } = await next.answer;
      prepare();
      const rows = next.group.reduce((sum, { views }) => sum + views.length, 0);
      const features = tower.see(data, rows);
      features.catch(() => {});
      asked.push({ group: next.group, broken: new Set(broken.map(({ request }) => request)), features });
      if (asked.length >= askedAhead) await finish(asked.shift()!);
    }
    for (const one of asked.splice(0)) await finish(one);
  } finally {
    await Promise.allSettled([
      ...coming.map(({ answer }) => answer),
      ...asked.map(({ features }) => features),
    ]);
  }
}

/** What a group's answer [rows, width] says of each view. */
function rowsByView(
  group: Group,
  broken: ReadonlySet<number>,
  keys: readonly string[],
  values: Float32Array,
  width: number,
): Map<number, { entries: { key: string; readable: boolean }[]; values: Float32Array }> {
  const found = new Map<number, { entries: { key: string; readable: boolean }[]; rows: number[] }>();
  let row = 0;
  for (const [at, { picture, views }] of group.entries()) {
    for (const view of views) {
      const own = found.get(view) ?? { entries: [], rows: [] };
      own.entries.push({ key: keys[picture]!, readable: !broken.has(at) });
      own.rows.push(row++);
      found.set(view, own);
    }
  }
  return new Map(
    [...found].map(([view, { entries, rows }]) => {
      const own = new Float32Array(rows.length * width);
      for (const [to, from] of rows.entries()) {
        if (entries[to]!.readable) own.set(values.subarray(from * width, (from + 1) * width), to * width);
      }
      return [view, { entries, values: own }];
    }),
  );
}

/** A picture's view is the same in whatever source and order it stands. */
export function viewSeed(seed: number, key: string, view: number): number {
  return seedAt(seed, ofFeatureViews, view, Buffer.from(key, 'latin1').readUIntBE(0, 6));
}

/** Threads are started where there is something to read. */
function startLazily(options: MeasureFeaturesOptions): { get(): PixelThreads; close(): Promise<void> } {
  const { preprocessing, augmentation, side } = options;
  let threads: PixelThreads | undefined;
  return {
    get() {
      threads ??= startPixelThreads({ preprocessing, augmentation, side }, options.threads);
      return threads;
    },
    close: async () => threads?.close(),
  };
}

/** How far all sources together have come. */
interface Pace {
  /** Pictures that somebody else has measured meanwhile. */
  skip(pictures: number): void;
  add(source: string, pictures: number): void;
}

function createPace(
  work: readonly SourceWork[],
  { onProgress }: Pick<MeasureFeaturesOptions, 'onProgress'>,
): Pace {
  const total = work.reduce((sum, { keys }) => sum + keys.length, 0);
  let left = work.reduce((sum, { missing }) => sum + missing, 0);
  let measuredNow = 0;
  let began: number | undefined;
  return {
    skip(pictures) {
      left -= pictures;
    },
    add(source, pictures) {
      left -= pictures;
      const now = performance.now();
      // The first group comes with the opening of everything; it would belie the pace.
      if (began === undefined) began = now;
      else measuredNow += pictures;
      const seconds = (now - began) / 1000;
      const picturesPerSecond = seconds > 0 ? measuredNow / seconds : 0;
      onProgress?.({
        source,
        done: total - left,
        total,
        picturesPerSecond,
        minutesLeft: picturesPerSecond > 0 ? left / picturesPerSecond / 60 : Number.NaN,
      });
    },
  };
}

/** The source without pictures that could not be read, and for each view the rows of the others. */
function withoutUnreadable(
  source: Source,
  keys: readonly string[],
  stores: readonly StoredRows[],
): { left: Source; places: Int32Array[] } {
  const isReadable = (at: number): boolean =>
    stores.every(({ places }) => (places.get(keys[at]!) ?? -1) >= 0);
  const at = [...keys.keys()].filter(isReadable);
  const places = stores.map((store) => Int32Array.from(at, (picture) => store.places.get(keys[picture]!)!));
  if (at.length === keys.length) return { left: source, places };
  const readable = new Set(at);
  const broken: BrokenSample[] = source.pictures
    .filter((_, picture) => !readable.has(picture))
    .map(({ name }) => ({ name, reason: 'the image tower could not be shown it' }));
  if (at.length === 0) {
    throw new EidosError(
      'invalid_option',
      `No picture of the source "${source.name}" can be read, such as ${broken[0]!.name}.`,
    );
  }
  const pictures = at.map((picture) => source.pictures[picture]!);
  return { left: { ...source, pictures, broken: [...source.broken, ...broken] }, places };
}
