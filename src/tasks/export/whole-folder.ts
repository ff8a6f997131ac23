/** Writes a folder completely or not at all. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EidosError } from '../../errors.ts';

/**
 * Lets `fill` write into a new folder beside the wanted one, which then takes its name.
 * @throws EidosError `invalid_option` where the folder holds something and `force` is not set; `write_failed`
 */
export async function writeWholeFolder<T>(
  folder: string,
  { force }: { force: boolean },
  fill: (folder: string) => Promise<T>,
): Promise<T> {
  const target = resolve(folder);
  const before = await contents(target);
  if (before.length > 0 && !force) {
    throw new EidosError(
      'invalid_option',
      `${folder} is not empty (${before.slice(0, 3).join(', ')}${before.length > 3 ? ', …' : ''}): name another folder, or replace it with --force`,
    );
  }
  const temporary = `${target}.${process.pid}.tmp`;
  const replaced = `${target}.${process.pid}.old`;
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(temporary);
    const result = await fill(temporary);
    const hadFolder = await rename(target, replaced).then(
      () => true,
      () => false,
    );
    await rename(temporary, target);
    if (hadFolder) await rm(replaced, { recursive: true });
    return result;
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new EidosError(
      'write_failed',
      `${folder} cannot be written, and is as it was: ${error.message}. Make room, or name another folder.`,
      { cause: error },
    );
  }
}

async function contents(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new EidosError('invalid_option', `${folder} is no folder that can be written to`, { cause });
  }
}
