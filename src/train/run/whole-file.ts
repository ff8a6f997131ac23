/** Files that are there whole or not at all, whenever the process or the machine ends. */
import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EidosError } from '../../errors.ts';

/**
 * Writes beside the final place, waits until the disk has it, and renames.
 * @throws EidosError `write_failed`
 */
export async function writeWholeFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  await writing(path, async () => {
    try {
      const handle = await open(temporary, 'wx');
      try {
        await handle.writeFile(content);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  });
}

/** Waits until the disk knows the names of a folder's files; systems that cannot do that have no need of it. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** Files as this and writeModel write them: a name, the process, perhaps a chance number. */
const unfinished = /\.(safetensors|json|jsonl|html|txt|gz)\.\d+(\.[0-9a-f]{8})?\.tmp$/;

/** Removes from a folder what processes that were killed have left behind. */
export async function clearUnfinished(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (unfinished.test(name)) await rm(join(folder, name), { force: true });
  }
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: make room, or name another "output", and go on with --resume.',
  EDQUOT: 'The quota is used up: make room, or name another "output", and go on with --resume.',
  EFBIG: 'Files may not become that large here: lift the limit, and go on with --resume.',
  EACCES: 'The place may not be written to: change its permissions or name another "output".',
  EPERM: 'The place may not be written to: change its permissions or name another "output".',
  EROFS: 'The file system is read-only: name another "output".',
  ENOTDIR: 'A part of its path is a file: name another "output".',
  ENOENT: 'Its folder is gone: was it removed while training went on?',
};

/**
 * Gives errors of the system the name of the file and a way out; others pass as they are.
 * @throws EidosError `write_failed`
 */
export async function writing<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (cause instanceof EidosError || code === undefined) throw cause;
    const remedy = remedies[code] ?? `The folder is ${dirname(path)}.`;
    throw new EidosError('write_failed', `${path} cannot be written (${code}). ${remedy}`, { cause });
  }
}
