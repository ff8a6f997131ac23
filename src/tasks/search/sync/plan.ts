/** Compares what the store knows with what lies in the folders, and says what has to be done. Pure. */
import { sep } from 'node:path';
import type { PictureRow, UnreadableRow } from '../store/rows.ts';
import type { FoundFile } from './scan.ts';

export interface Plan {
  /** Rows whose file has the size and time that are stored. */
  unchanged: number;
  /**
   * Files that have to be read: new ones, those whose size or time is another, and those whose perceptual hash is missing
   * in an index of a former version.
   */
  toRead: { file: FoundFile; known: PictureRow | undefined; lacksPixels: boolean }[];
  /** Rows whose file is gone. One of the files to be read may be it, moved. */
  gone: PictureRow[];
  /** Rows that stand for a file that another row stands for already. */
  doubled: PictureRow[];
  /** Unreadable files that stay so, as nothing changed. What could not be opened is tried again all the same. */
  stillUnreadable: UnreadableRow[];
  /** Paths of unreadable files that are gone, or will be tried again. */
  forgetUnreadable: string[];
}

/**
 * @param locked folders and files that could not be looked at: of what is in them the store's word stays
 * @param withoutPixels ids of rows whose perceptual hash is missing
 */
export function planSync(
  rows: readonly PictureRow[],
  unreadable: readonly UnreadableRow[],
  files: readonly FoundFile[],
  locked: readonly string[] = [],
  withoutPixels: ReadonlySet<string> = new Set(),
): Plan {
  const plan: Plan = {
    unchanged: 0,
    toRead: [],
    gone: [],
    doubled: [],
    stillUnreadable: [],
    forgetUnreadable: [],
  };
  const known = new Map<string, PictureRow>();
  // Two processes on a store without locks may both have added a file: the smaller id stays, everywhere.
  for (const row of [...rows].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    if (known.has(row.path)) plan.doubled.push(row);
    else known.set(row.path, row);
  }
  const broken = new Map(unreadable.map((row) => [row.path, row]));
  for (const file of files) {
    const row = known.get(file.path);
    const failure = broken.get(file.path);
    known.delete(file.path);
    const lacksPixels = row !== undefined && withoutPixels.has(row.id);
    if (row !== undefined && !lacksPixels && isSame(row, file)) {
      plan.unchanged += 1;
      continue; // a note of failure beside a sound row is forgotten below
    }
    // Permissions and disks change without a trace in a file's size and time; broken bytes do not mend themselves.
    const isBroken = failure !== undefined && failure.code !== 'not_found' && isSame(failure, file);
    if (row === undefined && isBroken) {
      plan.stillUnreadable.push(failure);
      broken.delete(file.path);
      continue;
    }
    plan.toRead.push({ file, known: row, lacksPixels });
  }
  const isLocked = (path: string): boolean =>
    locked.some((own) => path === own || path.startsWith(`${own}${sep}`));
  plan.gone.push(...[...known.values()].filter(({ path }) => !isLocked(path)));
  for (const [path, failure] of broken) {
    if (isLocked(path)) plan.stillUnreadable.push(failure);
    else plan.forgetUnreadable.push(path);
  }
  return plan;
}

function isSame(stored: { size: number; modified: number }, file: FoundFile): boolean {
  return stored.size === file.size && stored.modified === file.modified;
}
