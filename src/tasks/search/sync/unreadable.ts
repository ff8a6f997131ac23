/** Files that cannot be read: noted in the store with their reasons, and told. */
import type { EidosError, ErrorCode } from '../../../errors.ts';
import type { PictureRow, UnreadableRow } from '../store/rows.ts';
import type { Store } from '../store/store.ts';
import type { UnreadableFile } from '../types.ts';
import type { Plan } from './plan.ts';
import type { FoundFile } from './scan.ts';

/** A file that cannot be read, and the row of the time when it could. */
export interface Failure {
  file: FoundFile;
  error: EidosError;
  known: PictureRow | undefined;
}

/** Brings the store's notes to the present state. */
export async function noteUnreadable(
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

/**
 * As it is told to those who sync.
 * @param locked folders and files that could not be looked at; told at each sync, and kept nowhere, as nothing is known
 * of them
 */
export function unreadableFiles(rows: readonly UnreadableRow[], locked: readonly string[]): UnreadableFile[] {
  const told = new Set(rows.map(({ path }) => path));
  return [
    ...rows.map(({ path, code, message }) => ({ image: path, error: { code: code as ErrorCode, message } })),
    ...locked
      .filter((path) => !told.has(path))
      .map((path) => ({
        image: path,
        error: {
          code: 'not_found' as const,
          message: `${path} could not be looked at: permission is missing, or the disk failed. What the index has of it stays.`,
        },
      })),
  ];
}
