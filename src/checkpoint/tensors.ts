/** Reads the numbers of stored tensors by ranges, never a file as a whole. */
import { type FileHandle, open } from 'node:fs/promises';
import { EidosError } from '../errors.ts';
import {
  type BoundTensor,
  bytesPerElement,
  type DataType,
  elementCount,
  type StoredTensor,
} from '../graph/tensor.ts';
import { toFloat32 } from './numbers.ts';

/** Largest read in one call: Node refuses more than 2 GiB, and smaller pieces let other reads in between. */
const readPiece = 64 * 1024 * 1024;

/**
 * The bytes of a tensor, little-endian.
 * @throws EidosError `invalid_checkpoint` where the file ends before the tensor does.
 */
export async function readBytes(tensor: StoredTensor): Promise<Uint8Array> {
  if ('bytes' in tensor.location) return tensor.location.bytes.slice();
  const bytes = new Uint8Array(tensor.byteLength);
  await readRange(tensor.location.file, tensor.location.offset, bytes);
  return bytes;
}

/**
 * The numbers of a tensor as single floats, in the order in which they are stored.
 * @throws EidosError `invalid_checkpoint` where the file ends before the tensor does.
 */
export async function readTensor(tensor: StoredTensor): Promise<Float32Array> {
  return toFloat32(await readBytes(tensor), tensor.type);
}

/** The shape of a canonical parameter in its canonical orientation [out, in]. */
export function parameterShape({ shape, transposed }: BoundTensor): number[] {
  return transposed === true ? shape.toReversed() : [...shape];
}

/** The numbers of a canonical parameter, in its canonical orientation [out, in]. */
export async function readParameter(tensor: BoundTensor): Promise<Float32Array> {
  const data = await readTensor(tensor);
  return tensor.transposed === true ? transpose(data, tensor.shape[0] ?? 1, tensor.shape[1] ?? 1) : data;
}

/** A [rows, columns] matrix as [columns, rows]. */
export function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = data[row * columns + column]!;
  }
  return result;
}

/** Rows `start` to `end` (exclusive) of a tensor's first axis: the same bytes at another offset. */
export function sliceRows<T extends StoredTensor>(tensor: T, start: number, end: number): T {
  const rows = tensor.shape[0] ?? 1;
  if (start < 0 || end > rows || start > end) {
    throw new EidosError(
      'invalid_option',
      `Rows ${start} to ${end} are not within the ${rows} rows of '${tensor.name}'.`,
    );
  }
  const shape = [end - start, ...tensor.shape.slice(1)];
  const bytesPerRow = rows === 0 ? 0 : tensor.byteLength / rows;
  return { ...tensor, ...part(tensor, start * bytesPerRow, (end - start) * bytesPerRow), shape };
}

/** The same bytes under another shape with as many elements. */
export function reshape<T extends StoredTensor>(tensor: T, shape: number[]): T {
  if (elementCount(shape) !== elementCount(tensor.shape)) {
    throw new EidosError(
      'invalid_option',
      `'${tensor.name}' of shape [${tensor.shape}] cannot be seen as [${shape}]: the element counts differ.`,
    );
  }
  return { ...tensor, shape };
}

/** A run of a tensor's bytes: at most `length` of them from `start` on. */
export interface Sample {
  tensor: StoredTensor;
  start: number;
  length: number;
}

/** Many short runs of bytes; every file is opened once, as opening takes longer than reading. */
export async function readSamples(samples: readonly Sample[]): Promise<Uint8Array[]> {
  const handles = new Map<string, Promise<FileHandle>>();
  try {
    return await Promise.all(
      samples.map(async ({ tensor, start, length }) => {
        const wanted = Math.max(0, Math.min(length, tensor.byteLength - start));
        const { location } = part(tensor, start, wanted);
        if ('bytes' in location) return location.bytes.slice();
        const { file, offset } = location;
        const handle = handles.get(file) ?? openFile(file);
        handles.set(file, handle);
        const bytes = new Uint8Array(wanted);
        await fill(await handle, file, offset, bytes);
        return bytes;
      }),
    );
  } finally {
    for (const handle of handles.values()) await handle.then((opened) => opened.close()).catch(() => {});
  }
}

/** Fills `target` from a file. */
export async function readRange(file: string, offset: number, target: Uint8Array): Promise<void> {
  const handle = await openFile(file);
  try {
    await fill(handle, file, offset, target);
  } finally {
    await handle.close();
  }
}

function openFile(file: string): Promise<FileHandle> {
  return open(file, 'r').catch((cause: unknown) => {
    throw new EidosError('not_found', `The weight file '${file}' cannot be opened.`, { cause });
  });
}

async function fill(handle: FileHandle, file: string, offset: number, target: Uint8Array): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const length = Math.min(readPiece, target.length - done);
    const { bytesRead } = await handle.read(target, done, length, offset + done);
    if (bytesRead === 0) {
      throw new EidosError(
        'invalid_checkpoint',
        `'${file}' ends before byte ${offset + target.length}; the file is cut off, so fetch it again.`,
      );
    }
    done += bytesRead;
  }
}

/** Bytes that a tensor of this type and shape takes. */
export function byteLengthOf(type: DataType, shape: readonly number[]): number {
  return elementCount(shape) * bytesPerElement[type];
}

function part(
  tensor: StoredTensor,
  start: number,
  byteLength: number,
): Pick<StoredTensor, 'location' | 'byteLength'> {
  const { location } = tensor;
  return {
    location:
      'bytes' in location
        ? { bytes: location.bytes.subarray(start, start + byteLength) }
        : { file: location.file, offset: location.offset + start },
    byteLength,
  };
}
