/** The folders of an index: those it has with those named now, and which files lie in them. */
import { stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { EidosError } from '../../../errors.ts';
import type { IndexedFolder } from '../store/about.ts';
import type { SyncOptions } from '../types.ts';

/** The folders of the index with those named now; how a folder is looked through is what was said last. */
export async function withFolders(
  known: readonly IndexedFolder[],
  named: readonly string[],
  { hidden, followLinks, exclude }: SyncOptions,
): Promise<IndexedFolder[]> {
  const folders = new Map(known.map((folder) => [folder.path, folder]));
  const paths = await Promise.all(named.map(folderPath));
  // Said without folders, it is said of all of them.
  for (const path of paths.length > 0 ? paths : folders.keys()) {
    const before = folders.get(path) ?? { path, hidden: false, followLinks: false, exclude: [] };
    folders.set(path, {
      path,
      hidden: hidden ?? before.hidden,
      followLinks: followLinks ?? before.followLinks,
      exclude: exclude === undefined ? before.exclude : [...exclude],
    });
  }
  return [...folders.values()];
}

/** @throws EidosError `not_found` for what is no folder */
export async function folderPath(named: string): Promise<string> {
  const status = await stat(named).catch(() => undefined);
  if (!status?.isDirectory()) {
    throw new EidosError(
      'not_found',
      `${named} is ${status === undefined ? 'not there' : 'no folder'}: an index is made of folders.`,
    );
  }
  // The way to it as it was named: a link to a folder of pictures may point elsewhere one day.
  return resolve(named);
}

/** @throws EidosError `not_found` for a folder that the index does not have */
export function findFolder(path: string, known: readonly IndexedFolder[], named: string): IndexedFolder {
  const found = known.find((folder) => folder.path === resolve(named) || folder.path === named);
  if (found !== undefined) return found;
  throw new EidosError(
    'not_found',
    `${named} is no folder of the index ${path}: it has ${known.map((folder) => folder.path).join(', ') || 'none'}.`,
  );
}

/** Whether a file lies in the folder or in one inside of it. */
export function isInside(file: string, folder: string): boolean {
  return file.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}
