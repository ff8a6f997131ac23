/** Files that are there whole or not at all, whenever the process or the machine ends. */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Writes beside the final place, waits until the disk has it, and renames. Errors of the system pass as they are.
 * @param content what the file holds, or what writes it
 */
export function writeWhole(
  path: string,
  content: string | Uint8Array | ((handle: FileHandle) => Promise<void>),
): Promise<void> {
  return placeWhole(path, async (temporary) => {
    const handle = await open(temporary, 'wx');
    try {
      await (typeof content === 'function' ? content(handle) : handle.writeFile(content));
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

/** Has something made beside its final place and renames it; what was made of it is removed where that fails. */
export async function placeWhole(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await make(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Files of a training as this writes them, and as it once did: a name, the process, perhaps a chance number. */
const unfinished = /\.(safetensors|json|jsonl|html|txt|gz)\.\d+(\.[0-9a-f]{8})?\.tmp$/;

/** Removes from a folder what processes that were killed have left behind. */
export async function clearUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (unfinished.test(name)) await rm(join(folder, name), { force: true });
  }
}

/** Waits until the disk knows the names of a folder's files; systems that cannot do that have no need of it. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
