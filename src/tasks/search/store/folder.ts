/** The folder that a local index lies in, as far as it can be known without loading LanceDB. */
import { createHash } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { EidosError } from '../../../errors.ts';
import { aboutName, picturesPrefix } from './table-names.ts';

/** Copies for speed lie in this folder of a local index. */
export const copiesFolder = 'copies';

/** The folder of an index that lies in one; undefined for `s3://`, `db://` and the like. */
export function localFolder(path: string): string | undefined {
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(path) ? undefined : resolve(path);
}

/** Whether a local folder holds an index; for a place elsewhere only the store itself can say. */
export async function holdsIndex(folder: string): Promise<boolean> {
  return (await versionNames(folder, aboutName)).length > 0;
}

/** Whether tables of pictures lie in a folder, be it an index or what is left of one. */
export async function holdsPictures(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch(() => []);
  return names.some((name) => name.startsWith(picturesPrefix) && name.endsWith('.lance'));
}

/**
 * What changes with every commit of the tables, read off the names of their versions: whether a copy is stale can
 * so be told without loading LanceDB. Undefined where the folder does not look as expected.
 */
export async function folderVersion(folder: string, tables: readonly string[]): Promise<string | undefined> {
  const hash = createHash('sha256');
  for (const table of [aboutName, ...tables]) {
    const names = await versionNames(folder, table);
    if (names.length === 0) return undefined;
    hash.update(`${table}\n${names.join('\n')}\n`);
  }
  return hash.digest('hex').slice(0, 32);
}

async function versionNames(folder: string, table: string): Promise<string[]> {
  const names = await readdir(join(folder, `${table}.lance`, '_versions')).catch(() => []);
  return names.filter((name) => name.endsWith('.manifest')).sort();
}

/** Makes the folder; one with other things in it is surely a slip of the pen. */
export async function prepareFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
    const strangers = (await readdir(folder)).filter(
      (name) => !name.endsWith('.lance') && !name.startsWith('.') && name !== copiesFolder,
    );
    // What somebody has put beside an index, or the system at the root of a disk, does no harm to it.
    if (strangers.length === 0 || (await holdsIndex(folder))) return;
    throw new EidosError(
      'invalid_option',
      `${folder} is no folder of an index, as "${strangers[0]}" lies in it: name another one, or one that is not there yet.`,
    );
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    throw new EidosError(
      'write_failed',
      `The index ${folder} cannot be written: ${(cause as Error).message}`,
      {
        cause,
      },
    );
  }
}
