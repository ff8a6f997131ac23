/**
 * Brings a table of pictures to the state of the folders. Every commit leaves a sound index that lacks some pictures
 * at worst, and the next sync begins by comparing: wherever this one is interrupted, nothing is lost or doubled.
 */

import type { Clip } from '../../../clip/clip.ts';
import { countUnread } from '../../../image/unread.ts';
import type { IndexedFolder } from '../store/about.ts';
import type { PictureStore } from '../store/pictures.ts';
import type { PictureRow } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import type { SyncOptions, SyncReport } from '../types.ts';
import { embedFiles, type Outcome } from './embed.ts';
import { createFreshPictures } from './fresh.ts';
import { createIds } from './ids.ts';
import { createKnownFiles } from './known.ts';
import { type Plan, planSync } from './plan.ts';
import { scanFolders } from './scan.ts';
import { noteUnreadable, unreadableFiles } from './unreadable.ts';

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

/** @throws EidosError as `SearchIndex.sync` does */
export async function syncPictures(parts: SyncParts, options: SyncOptions): Promise<SyncResult> {
  const { store, pictures } = parts;
  const begun = performance.now();
  await pictures.completeColumns();
  const { rows, unreadable, plan, locked, notRead } = await compare(parts, options);
  await pictures.remove(plan.doubled.map(({ id }) => id));
  const outcome = await readAndEmbed(parts, options, rows, plan);
  const removed = await removeGone(pictures, plan, outcome);
  const broken = await noteUnreadable(store, unreadable, plan, outcome.failures);
  const { known, fresh } = outcome;
  const added = fresh.counts.added + known.counts.added;
  const changed = fresh.counts.changed + known.counts.changed;
  const touchedOrMoved = known.counts.touched + known.moved.size;
  const isChanged = added + changed + touchedOrMoved + removed + plan.doubled.length > 0 || broken.isChanged;
  const count = rows.length - plan.doubled.length + added - removed;
  if (isChanged) await finish(pictures, count >= parts.vectorIndexFrom, options);
  const seconds = (performance.now() - begun) / 1000;
  return {
    added,
    changed,
    moved: known.moved.size,
    removed,
    unchanged: plan.unchanged + known.counts.touched,
    unreadable: unreadableFiles(broken.rows, locked),
    notRead,
    pictures: count,
    seconds,
    secondsOutsideNetwork: Math.max(0, seconds - outcome.networkTime / 1000),
    isChanged,
  };
}

/** What the store has beside what lies in the folders, and so what has to be done. */
async function compare({ store, pictures, folders }: SyncParts, { signal, onProgress }: SyncOptions) {
  const locked: string[] = [];
  const others: string[] = [];
  const [rows, withoutPixels, unreadable, files] = await Promise.all([
    pictures.rows(),
    pictures.idsWithoutPixels(),
    store.unreadable(),
    scanFolders(folders, {
      signal,
      onFound: (done) => onProgress?.({ stage: 'scan', done, total: done }),
      onLocked: (path) => locked.push(path),
      onOther: (name) => others.push(name),
    }),
  ]);
  const plan = planSync(rows, unreadable, files, locked, withoutPixels);
  return { rows, unreadable, plan, locked, notRead: countUnread(others) };
}

async function readAndEmbed(
  { pictures, former, clip }: SyncParts,
  options: SyncOptions,
  rows: readonly PictureRow[],
  plan: Plan,
): Promise<Outcome> {
  const newId = createIds(former, rows);
  const outcome: Outcome = {
    known: createKnownFiles(rows, plan, newId),
    fresh: createFreshPictures(pictures, newId),
    failures: [],
    networkTime: 0,
  };
  try {
    await embedFiles(clip, plan, outcome, options);
  } finally {
    // What is done is kept.
    await outcome.fresh.commit();
    await outcome.known.commit(pictures);
  }
  return outcome;
}

/** Rows that are removed in one commit. */
const rowsPerRemoval = 1000;

/** Removes rows whose file is gone, and those whose file became unreadable; returns how many. */
async function removeGone(
  pictures: PictureStore,
  plan: Plan,
  { known, failures }: Pick<Outcome, 'known' | 'failures'>,
): Promise<number> {
  const gone = plan.gone.filter(({ id }) => !known.moved.has(id));
  const broken = failures.flatMap(({ known: row }) => (row === undefined ? [] : [row]));
  const ids = [...gone, ...broken].map(({ id }) => id);
  for (let start = 0; start < ids.length; start += rowsPerRemoval) {
    await pictures.remove(ids.slice(start, start + rowsPerRemoval));
  }
  return ids.length;
}

/** Puts the store in order. */
async function finish(
  pictures: PictureStore,
  vectorIndex: boolean,
  { onProgress }: SyncOptions,
): Promise<void> {
  onProgress?.({ stage: 'finish', done: 0, total: 1 });
  await pictures.tidy({ vectorIndex });
  onProgress?.({ stage: 'finish', done: 1, total: 1 });
}
