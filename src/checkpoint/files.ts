/** Small, bounded reads of the files of a checkpoint. */
import { realpath, stat } from 'node:fs/promises';
import { EidosError } from '../errors.ts';
import { limits } from './limits.ts';
import { readRange } from './tensors.ts';

/** A file's real path (the engine maps it, and wants no symbolic links) and its size in bytes. */
export interface WeightFile {
  path: string;
  size: number;
}

/**
 * Looks a file up.
 * @throws EidosError `not_found` where there is no such file or it is a folder.
 */
export async function locateFile(path: string): Promise<WeightFile> {
  try {
    const real = await realpath(path);
    const found = await stat(real);
    if (found.isFile()) return { path: real, size: found.size };
  } catch (cause) {
    throw new EidosError('not_found', `There is no file '${path}'.`, { cause });
  }
  throw new EidosError('not_found', `'${path}' is not a file.`);
}

/** Bytes `offset` to `offset + length` of a file; fewer where it ends before. */
export async function readPart(file: WeightFile, length: number, offset = 0): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(0, Math.min(length, file.size - offset)));
  await readRange(file.path, offset, bytes);
  return bytes;
}

/**
 * A JSON file of at most 16 MiB.
 * @throws EidosError `invalid_checkpoint` where it is larger or no JSON.
 */
export async function readJson(path: string): Promise<unknown> {
  const file = await locateFile(path);
  if (file.size > limits.jsonBytes) {
    throw new EidosError(
      'invalid_checkpoint',
      `'${path}' has ${file.size} bytes, more than a configuration can have.`,
    );
  }
  return parseJson(await readPart(file, file.size), path);
}

/** JSON text as a value; `what` names it in the error. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new EidosError('invalid_checkpoint', `'${what}' is not valid JSON.`, { cause });
  }
}
