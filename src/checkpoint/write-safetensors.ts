/** Writes safetensors files: complete or not at all, and aligned so that they can be mapped. */
import type { FileHandle } from 'node:fs/promises';
import { writeWhole } from '../disk/whole-file.ts';
import { EidosError } from '../errors.ts';
import { bytesPerElement, type DataType, elementCount } from '../graph/tensor.ts';
import { safetensorsTypes } from './formats/safetensors.ts';
import { limits } from './limits.ts';
import { toFloat16 } from './numbers.ts';

/** Numbers to be written; `data` has the elements of `shape`, in the typed array of `type` (bit patterns for halves). */
export interface TensorEntry {
  name: string;
  /** The type in the file. A Float32Array may also be written as `float16`, rounded to nearest, ties to even. */
  type: DataType;
  shape: number[];
  data: ArrayBufferView & { length: number };
}

/** Data begins at a multiple of this many bytes: a cache line, and enough for every processor's vectors. */
const alignment = 64;

const arrays: { readonly [T in DataType]: string } = {
  float64: 'Float64Array',
  float32: 'Float32Array',
  float16: 'Uint16Array',
  bfloat16: 'Uint16Array',
  int64: 'BigInt64Array',
  int32: 'Int32Array',
  int16: 'Int16Array',
  int8: 'Int8Array',
  uint8: 'Uint8Array',
  bool: 'Uint8Array',
};

/**
 * Writes a file beside its final place and renames it, so that nobody ever reads half of one.
 * @throws EidosError `invalid_option` for an entry whose data does not fit its shape or type, or a name used twice.
 */
export async function writeSafetensors(
  path: string,
  entries: readonly TensorEntry[],
  metadata: Record<string, string> = {},
): Promise<void> {
  const header = headerBytes(entries, metadata);
  await writeWhole(path, async (handle) => {
    await writeAll(handle, header);
    for (const entry of entries) await writeAll(handle, storedBytes(entry));
  });
}

function headerBytes(entries: readonly TensorEntry[], metadata: Record<string, string>): Uint8Array {
  const header = new Map<string, unknown>();
  if (Object.keys(metadata).length > 0) header.set('__metadata__', metadata);
  let offset = 0;
  for (const entry of entries) {
    check(entry);
    if (header.has(entry.name) || entry.name === '__metadata__') {
      throw new EidosError(
        'invalid_option',
        `The name '${entry.name}' cannot be written twice (or is reserved).`,
      );
    }
    const end = offset + elementCount(entry.shape) * bytesPerElement[entry.type];
    header.set(entry.name, {
      dtype: safetensorsTypes[entry.type],
      shape: entry.shape,
      data_offsets: [offset, end],
    });
    offset = end;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const total = Math.ceil((8 + json.length) / alignment) * alignment;
  if (total > limits.headerBytes) {
    throw new EidosError(
      'invalid_option',
      `A header of ${total} bytes is over the limit of ${limits.headerBytes}.`,
    );
  }
  // The format lets spaces follow the header.
  const bytes = new Uint8Array(total).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(total - 8), true);
  bytes.set(json, 8);
  return bytes;
}

function check({ name, type, shape, data }: TensorEntry): void {
  const given = data.constructor.name;
  const rounded = type === 'float16' && given === 'Float32Array';
  if (data.length !== elementCount(shape) || (arrays[type] !== given && !rounded)) {
    throw new EidosError(
      'invalid_option',
      `'${name}' of type ${type} and shape [${shape}] needs ${elementCount(shape)} elements in a ${arrays[type]}, not ${data.length} in a ${given}.`,
    );
  }
}

function storedBytes({ type, data }: TensorEntry): Uint8Array {
  const stored = type === 'float16' && data instanceof Float32Array ? toFloat16(data) : data;
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, 64 * 1024 * 1024));
    done += bytesWritten;
  }
}
