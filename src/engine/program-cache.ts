/** Programs kept on disk with their weights already in the layout of this processor, so that opening them is mapping a file. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EidosError } from '../errors.ts';

/** What a cached program depends on. */
export interface CacheIdentity {
  /** The program as it is before weights are packed; its constants are in it. */
  model: Uint8Array;
  /** The files that it reads weights from. */
  weightFiles: readonly string[];
  /** Everything else: the engine's version, the processor, options. */
  circumstances: readonly string[];
}

/** The place of one program; `find` never throws because of what lies on the disk. */
export interface CacheEntry {
  /** The path of a sound program, or undefined where there is none yet. */
  find(): Promise<string | undefined>;
  /**
   * Lets `write` fill a fresh folder with `modelFile` and `dataFile` and puts it in place as a whole, so
   * that other processes see all of it or nothing. Throws what `write` throws, or the disk's own error.
   */
  keep(write: (folder: string) => Promise<void>): Promise<void>;
  /** Removes what is there; for a program that looks sound but does not open. */
  discard(): Promise<void>;
}

export const modelFile = 'program.onnx';
export const dataFile = 'weights.bin';
const sealFile = 'seal.json';

/**
 * The entry of a program in a folder. A weight file is known by its path, size, number and times of change
 * (that of its inode, too, which no copy restores): a changed file never meets an old entry.
 * @throws EidosError `not_found` where a weight file is missing.
 */
export async function cacheEntry(folder: string, identity: CacheIdentity): Promise<CacheEntry> {
  const place = createHash('sha256').update(identity.model);
  for (const text of [...identity.weightFiles, ...identity.circumstances]) place.update(`\0${text}`);
  // One program has one slot: an entry of former weights makes room for the new one.
  const slot = place.digest('hex').slice(0, 32);
  const state = createHash('sha256').update(slot);
  for (const file of identity.weightFiles) state.update(`\0${await fingerprint(file)}`);
  const name = `${slot}-${state.digest('hex').slice(0, 16)}`;
  const path = join(folder, name);

  const remove = async (): Promise<void> => {
    // Moved aside first: nobody shall find half of an entry.
    const aside = join(folder, temporaryName('old'));
    try {
      await rename(path, aside);
      await rm(aside, { recursive: true, force: true });
    } catch {
      // Not there, or held by another process (Windows): then it stays.
    }
  };

  /** Another process may have been faster: what is sound stays, as somebody may be opening it this moment. */
  const putInPlace = async (fresh: string): Promise<void> => {
    try {
      await rename(fresh, path);
    } catch (error) {
      if (await isSealed(path)) return;
      if (!existsSync(path)) throw error;
      await remove();
      await rename(fresh, path);
    }
  };

  return {
    async find() {
      return (await isSealed(path)) ? join(path, modelFile) : undefined;
    },
    discard: remove,
    async keep(write) {
      const fresh = join(folder, temporaryName('new'));
      try {
        await mkdir(fresh, { recursive: true });
        await write(fresh);
        await seal(fresh);
        await putInPlace(fresh);
        await removeFormer(folder, slot, name);
      } finally {
        await rm(fresh, { recursive: true, force: true });
      }
    },
  };
}

/** A day: a folder that some process began and left behind is surely dead by then. */
const abandonedAfter = 24 * 60 * 60 * 1000;

async function removeFormer(folder: string, slot: string, current: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const former = name.startsWith(`${slot}-`) && name !== current;
    const abandoned =
      /^\.(new|old)-/.test(name) &&
      (await stat(path)
        .then(({ mtimeMs }) => Date.now() - mtimeMs > abandonedAfter)
        .catch(() => false));
    if (former || abandoned) await rm(path, { recursive: true, force: true }).catch(() => {});
  }
}

function temporaryName(purpose: 'new' | 'old'): string {
  return `.${purpose}-${process.pid}-${randomBytes(6).toString('hex')}`;
}

async function fingerprint(file: string): Promise<string> {
  try {
    const { size, ino, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return `${file} ${size} ${ino} ${mtimeNs} ${ctimeNs}`;
  } catch (cause) {
    throw new EidosError('not_found', `The weight file '${file}' cannot be read.`, { cause });
  }
}

interface Seal {
  [file: string]: { size: number; modified: string; sample: string };
}

/** Writes down what the files are like once they are safely on the disk. */
async function seal(folder: string): Promise<void> {
  const found: Seal = {};
  for (const name of await readdir(folder)) {
    // Without this a loss of power may leave a file of the right size that is full of zeros.
    const handle = await open(join(folder, name), 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    found[name] = await describe(join(folder, name));
  }
  await writeFile(join(folder, sealFile), JSON.stringify(found), { flush: true });
}

async function isSealed(folder: string): Promise<boolean> {
  try {
    const expected = JSON.parse(await readFile(join(folder, sealFile), 'utf8')) as Seal;
    if (!(modelFile in expected)) return false;
    for (const [name, { size, modified, sample }] of Object.entries(expected)) {
      const is = await describe(join(folder, name));
      if (is.size !== size || is.modified !== modified || is.sample !== sample) return false;
    }
    return true;
  } catch {
    return false; // absent, or damaged in any way
  }
}

const samples = 128;
const sampleBytes = 4096;

/**
 * Size, time of change and a checksum of 128 blocks spread over the file (all of it where it is small).
 * Reading everything would take as long as packing the weights anew.
 */
async function describe(file: string): Promise<Seal[string]> {
  const handle = await open(file, 'r');
  try {
    const { size, mtimeNs } = await handle.stat({ bigint: true });
    const hash = createHash('sha256');
    const buffer = new Uint8Array(sampleBytes);
    const last = Math.max(0, Number(size) - sampleBytes);
    const step = Math.max(sampleBytes, Math.floor(last / (samples - 1)));
    for (
      let offset = 0;
      offset < Number(size);
      offset = offset < last ? Math.min(offset + step, last) : Infinity
    ) {
      const { bytesRead } = await handle.read(buffer, 0, sampleBytes, offset);
      hash.update(buffer.subarray(0, bytesRead));
    }
    return { size: Number(size), modified: String(mtimeNs), sample: hash.digest('hex') };
  } finally {
    await handle.close();
  }
}
