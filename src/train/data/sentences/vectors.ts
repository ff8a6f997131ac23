/** Files of vectors, a row a sentence: how they lie on disk, whether they are sound, and rows of unit length from them. */
import { closeSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { EidosError } from '../../../errors.ts';
import { halfFloatValues } from '../../../graph/half-floats.ts';

export interface VectorFile {
  path: string;
  type: 'float16' | 'float32';
  /** Numbers a row. */
  width: number;
  rows: number;
  /** Bytes before the first row. */
  offset: number;
}

/** Bytes of a file that are looked at together. */
const pieceBytes = 8 * 1024 * 1024;

/**
 * Opens rows that were written elsewhere, and looks at every number once.
 * @param wanted.width that is expected; needed where the file has no header
 * @param wanted.rows that the file must have
 * @throws EidosError `not_found`; `config_mismatch` for another size; `invalid_option` for a file of another kind, and for
 * rows with what is no finite number
 */
export async function openVectorFile(
  path: string,
  { width, rows }: { width: number | undefined; rows: number },
): Promise<VectorFile> {
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch (cause) {
    throw new EidosError('not_found', `The vectors ${path} cannot be read: ${(cause as Error).message}.`, {
      cause,
    });
  }
  try {
    const { size } = await handle.stat();
    const file = /\.npy$/i.test(path)
      ? await readNumpyHeader(handle, path, size)
      : headerless(path, size, width, rows);
    if (width !== undefined && file.width !== width) {
      throw new EidosError(
        'config_mismatch',
        `${path} has ${file.width} numbers a row, and data.textTeacher.width is ${width}.`,
      );
    }
    if (file.rows !== rows) {
      throw new EidosError(
        'config_mismatch',
        `${path} has ${file.rows} rows, and its sentences are ${rows}, empty ones and those of other parts included: a row for each is wanted, line by line and within a line in the order of "languages".`,
      );
    }
    await requireFinite(handle, file);
    return file;
  } finally {
    await handle.close();
  }
}

function headerless(path: string, size: number, width: number | undefined, rows: number): VectorFile {
  if (width === undefined) {
    throw new EidosError(
      'invalid_option',
      `${path} has no header that says how wide its rows are: give data.textTeacher.width, or an .npy file.`,
    );
  }
  if (size === rows * width * 2) return { path, type: 'float16', width, rows, offset: 0 };
  throw new EidosError(
    'config_mismatch',
    `${path} has ${size} bytes: ${rows} rows of ${width} 16-bit floats, one for each sentence, empty ones and those of other parts included, have ${rows * width * 2}.`,
  );
}

/** The header of NumPy's format, versions 1 to 3. */
async function readNumpyHeader(handle: FileHandle, path: string, size: number): Promise<VectorFile> {
  const refuse = (what: string): EidosError =>
    new EidosError(
      'invalid_option',
      `${path} ${what}: little-endian 16- or 32-bit floats [sentences, width] in C order are wanted, as numpy.save("vectors.npy", rows.astype("float16")) writes them.`,
    );
  const start = Buffer.alloc(12);
  await handle.read(start, 0, 12, 0);
  if (start.toString('latin1', 0, 6) !== '\x93NUMPY') throw refuse('is no .npy file');
  const before = start[6] === 1 ? 10 : 12;
  const length = start[6] === 1 ? start.readUInt16LE(8) : start.readUInt32LE(8);
  if (length > 65_536) throw refuse('has an endless header');
  const header = Buffer.alloc(length);
  await handle.read(header, 0, length, before);
  const text = header.toString('latin1');
  const [, kind] = /'descr':\s*'([^']*)'/.exec(text) ?? [];
  const type = kind === '<f2' ? 'float16' : kind === '<f4' ? 'float32' : undefined;
  if (type === undefined) throw refuse(`has numbers of the type ${kind ?? 'of a structure'}`);
  if (!/'fortran_order':\s*False/.test(text)) throw refuse('is in Fortran order');
  const [, rows, width] = /'shape':\s*\((\d+),\s*(\d+)\)/.exec(text) ?? [];
  if (rows === undefined || width === undefined) throw refuse('is no table of two dimensions');
  const file = { path, type, width: Number(width), rows: Number(rows), offset: before + length } as const;
  if (file.width === 0 || size !== file.offset + file.rows * bytesOfRow(file)) {
    throw refuse(`has ${size} bytes, which its shape (${rows}, ${width}) does not`);
  }
  return file;
}

function bytesOfRow({ type, width }: Pick<VectorFile, 'type' | 'width'>): number {
  return width * (type === 'float16' ? 2 : 4);
}

/** All ones in a float's exponent: infinite, or no number. */
const endless = { float16: 0x7c00, float32: 0x7f800000 };

async function requireFinite(handle: FileHandle, file: VectorFile): Promise<void> {
  const { path, type, rows, width, offset } = file;
  const step = bytesOfRow(file);
  const atOnce = Math.max(1, Math.floor(pieceBytes / step));
  const bytes = Buffer.alloc(Math.min(atOnce, rows) * step);
  const numbers = type === 'float16' ? new Uint16Array(bytes.buffer) : new Uint32Array(bytes.buffer);
  const exponent = endless[type];
  for (let first = 0; first < rows; first += atOnce) {
    const count = Math.min(atOnce, rows - first);
    await readFully(handle, bytes.subarray(0, count * step), offset + first * step, path);
    for (let i = 0; i < count * width; i++) {
      if ((numbers[i]! & exponent) !== exponent) continue;
      throw new EidosError(
        'invalid_option',
        `${path}: row ${first + Math.floor(i / width)}, counted from 0, has numbers that are none (NaN or infinite). Zeros say that nothing is known of a sentence.`,
      );
    }
  }
}

async function readFully(handle: FileHandle, bytes: Buffer, position: number, path: string): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) throw new EidosError('not_found', `${path} ended while it was read.`);
    done += bytesRead;
  }
}

export interface VectorReader {
  /**
   * Writes a row, made as long as one, to row `at` of `target` [n, width]; a row of zeros stays one.
   * @throws EidosError `not_found` where the file has changed meanwhile
   */
  write(row: number, target: Float32Array, at: number): void;
  close(): void;
}

/** Rows are read one by one: the system's file cache keeps what fits into memory. */
export function createVectorReader(file: VectorFile): VectorReader {
  const { path, type, width, offset } = file;
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (cause) {
    throw new EidosError('not_found', `The vectors ${path} cannot be read: ${(cause as Error).message}.`, {
      cause,
    });
  }
  const bytes = new Uint8Array(bytesOfRow(file));
  const halves = type === 'float16' ? new Uint16Array(bytes.buffer) : undefined;
  const singles = new Float32Array(halves === undefined ? bytes.buffer : new ArrayBuffer(0));
  const values = halfFloatValues();
  return {
    write(row, target, at) {
      if (readSync(descriptor, bytes, 0, bytes.length, offset + row * bytes.length) !== bytes.length) {
        throw new EidosError('not_found', `${path} ended while it was read.`);
      }
      const start = at * width;
      let squares = 0;
      for (let i = 0; i < width; i++) {
        const value = halves === undefined ? singles[i]! : values[halves[i]!]!;
        target[start + i] = value;
        squares += value * value;
      }
      if (squares === 0) return;
      const factor = 1 / Math.sqrt(squares);
      for (let i = start; i < start + width; i++) target[i]! *= factor;
    },
    close: () => closeSync(descriptor),
  };
}
