/** A first synchronisation that fails leaves nothing behind: no tables without pictures, and none of the folders it made. */
import { rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { copiesFolder } from '../store/folder.ts';
import type { IndexSource } from '../store/source.ts';

/**
 * Runs a change of an index, and takes away the tables that it has begun in vain. What holds pictures stays, so that the
 * next synchronisation goes on from there.
 */
export async function undoingTables<T>(source: IndexSource, change: () => Promise<T>): Promise<T> {
  const store = await source.store();
  const isBegun = (await store.about()) !== undefined;
  try {
    return await change();
  } catch (error) {
    // What failed matters more than what cannot be cleared away.
    if (!isBegun && !(await store.holdsPictures().catch(() => true))) {
      await store.clear().catch(() => {});
      if (source.folder !== undefined)
        await rm(join(source.folder, copiesFolder), { recursive: true, force: true });
    }
    throw error;
  }
}

/** Runs what may make the folder of an index; where it fails, folders that it has made and that are empty go again. */
export async function undoingFolders<T>(
  { folder }: Pick<IndexSource, 'folder'>,
  action: () => Promise<T>,
): Promise<T> {
  const missing = folder === undefined ? [] : await missingFolders(folder);
  try {
    return await action();
  } catch (error) {
    for (const path of missing) {
      if (
        !(await rmdir(path).then(
          () => true,
          () => false,
        ))
      )
        break;
    }
    throw error;
  }
}

/** The folder and those above it that are not there, innermost first. */
async function missingFolders(folder: string): Promise<string[]> {
  const missing: string[] = [];
  for (let path = folder; dirname(path) !== path; path = dirname(path)) {
    if ((await stat(path).catch(() => undefined)) !== undefined) break;
    missing.push(path);
  }
  return missing;
}
