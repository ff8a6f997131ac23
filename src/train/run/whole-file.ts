/** Files of a training: there whole or not at all, and a way out where the disk refuses them. */
import { dirname } from 'node:path';
import { writeWhole } from '../../disk/whole-file.ts';
import { EidosError } from '../../errors.ts';

/**
 * Writes a file as a whole.
 * @throws EidosError `write_failed`
 */
export function writeWholeFile(path: string, content: string | Uint8Array): Promise<void> {
  return writing(path, () => writeWhole(path, content));
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
