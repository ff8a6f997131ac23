/** Features on disk, a row a view of a picture, and how a row becomes what a student has to foretell. */
import { stat } from 'node:fs/promises';
import { EidosError } from '../../../errors.ts';
import { createPartReader, type PartReader } from '../places.ts';

/**
 * How a row lies on disk:
 * - `signed`: the largest magnitude as a float32, then signed bytes; value = sign · largest · (byte / 127)².
 * - `relu6`: bytes; value = 6 · (byte / 255)².
 * Squares give small values, which are the many, more of the bytes.
 */
export type FeatureEncoding = 'signed' | 'relu6';

/** Features of a source's pictures. */
export interface FeatureFile {
  path: string;
  encoding: FeatureEncoding;
  /** Features a row. */
  width: number;
  /** Rows a picture: the whole first, then its crops. */
  views: number;
  /** For each picture of the source, its place among those of the file. */
  places: readonly number[];
}

export interface FeatureTransform {
  root: boolean;
  /** What is taken away, [width]. */
  mean: Float32Array | undefined;
}

export function bytesOfRow({ encoding, width }: Pick<FeatureFile, 'encoding' | 'width'>): number {
  return encoding === 'signed' ? width + 4 : width;
}

/** Encodes rows [n, width] as `signed`. */
export function encodeRows(values: Float32Array, width: number): Uint8Array {
  const rows = values.length / width;
  const bytes = new Uint8Array(rows * (width + 4));
  const view = new DataView(bytes.buffer);
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * width, (row + 1) * width);
    const largest = own.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    view.setFloat32(row * (width + 4), largest, true);
    const start = row * (width + 4) + 4;
    for (let i = 0; largest > 0 && i < width; i++) {
      view.setInt8(start + i, Math.round(127 * Math.sign(own[i]!) * Math.sqrt(Math.abs(own[i]!) / largest)));
    }
  }
  return bytes;
}

/** Writes a row's values, or their square roots with the sign kept, to `target` from `offset` on. */
export function decodeRow(
  bytes: Uint8Array,
  encoding: FeatureEncoding,
  root: boolean,
  target: Float32Array,
  offset: number,
): void {
  const signed = encoding === 'signed';
  const width = signed ? bytes.length - 4 : bytes.length;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const scale = signed ? Math.sqrt(view.getFloat32(0, true)) / 127 : Math.sqrt(6) / 255;
  for (let i = 0; i < width; i++) {
    const value = scale * (signed ? view.getInt8(4 + i) : bytes[i]!);
    target[offset + i] = root ? value : value * Math.abs(value);
  }
}

/** Reads rows as rows of unit length, less the mean. */
export interface FeatureReader {
  /** Writes the row of a picture's view to row `row` of `target` [n, width]. */
  write(file: FeatureFile, picture: number, view: number, target: Float32Array, row: number): Promise<void>;
  close(): Promise<void>;
}

export function createFeatureReader({ root, mean }: FeatureTransform): FeatureReader {
  const parts = createPartReader();
  return {
    async write(file, picture, view, target, row) {
      const { width } = file;
      const bytes = await readRow(parts, file, file.places[picture]! * file.views + view);
      const offset = row * width;
      decodeRow(bytes, file.encoding, root, target, offset);
      let squares = 0;
      for (let i = 0; i < width; i++) {
        const value = target[offset + i]! - (mean?.[i] ?? 0);
        target[offset + i] = value;
        squares += value * value;
      }
      const factor = 1 / Math.max(1e-6, Math.sqrt(squares));
      for (let i = offset; i < offset + width; i++) target[i]! *= factor;
    },
    close: () => parts.close(),
  };
}

/** Pictures that the mean of a file is taken from; more do not change it. */
const mostMeasured = 20_000;

/** The mean row over the pictures of several files, each counted with its pictures. */
export async function meanFeatures(files: readonly FeatureFile[], root: boolean): Promise<Float32Array> {
  const width = files[0]!.width;
  const sums = new Float64Array(width);
  const row = new Float32Array(width);
  const parts = createPartReader();
  let count = 0;
  try {
    for (const file of files) {
      const step = Math.ceil(file.places.length / mostMeasured);
      const measured = Math.ceil(file.places.length / step);
      const weight = file.places.length / measured;
      for (let picture = 0; picture < file.places.length; picture += step) {
        const bytes = await readRow(parts, file, file.places[picture]! * file.views);
        decodeRow(bytes, file.encoding, root, row, 0);
        for (let i = 0; i < width; i++) sums[i]! += weight * row[i]!;
      }
      count += file.places.length;
    }
  } finally {
    await parts.close();
  }
  return Float32Array.from(sums, (sum) => sum / count);
}

async function readRow(parts: PartReader, file: FeatureFile, row: number): Promise<Uint8Array> {
  const length = bytesOfRow(file);
  return await parts.read({ path: file.path, offset: row * length, length });
}

/**
 * Features that were measured elsewhere: bytes [lines of the index, width] as `relu6`.
 * @param rows for each picture its line in the index
 * @throws EidosError `not_found`, `config_mismatch` where the file has not that many rows
 */
export async function openMeasuredFeatures(
  path: string,
  width: number,
  rows: readonly number[],
): Promise<FeatureFile> {
  const size = (await stat(path).catch(() => undefined))?.size;
  if (size === undefined) throw new EidosError('not_found', `The features ${path} are not there.`);
  const needed = rows.reduce((most, row) => Math.max(most, row + 1), 0);
  if (size % width !== 0 || size < needed * width) {
    throw new EidosError(
      'config_mismatch',
      `${path} has ${size} bytes: ${width} features of at least ${needed} pictures are wanted. Is the teacher another one?`,
    );
  }
  return { path, encoding: 'relu6', width, views: 1, places: rows };
}
