/** The files around an index: bytes it takes on disk, and the pictures it is about. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EidosError } from '../../../errors.ts';

/** Bytes of all files in a folder. */
export async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      // What is cleared away while we look takes no place any more.
      .map((entry) =>
        stat(join(entry.parentPath, entry.name)).then(
          ({ size }) => size,
          () => 0,
        ),
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/**
 * @param raw the path's bytes in base64, empty where they are those of `path`
 * @throws EidosError `not_found`
 */
export async function readIndexedFile(path: string, raw: string): Promise<Uint8Array> {
  try {
    return await readFile(raw === '' ? path : Buffer.from(raw, 'base64'));
  } catch (cause) {
    throw new EidosError(
      'not_found',
      `${path} cannot be read: ${(cause as Error).message}. Sync the index, if it was moved or deleted.`,
      { cause },
    );
  }
}
