/** Reads stored weights as single floats piece by piece, so that a checkpoint is never in memory as a whole. */
import { type FileHandle, open } from 'node:fs/promises';
import { EidosError } from '../errors.ts';
import { halfFloatValues } from '../graph/half-floats.ts';
import { type BoundTensor, bytesPerElement, type DataType, elementCount } from '../graph/tensor.ts';

type FloatType = 'float32' | 'float16' | 'bfloat16';

/** Types that weights of matrix products come in. */
export function isFloatType(type: DataType): type is FloatType {
  return type === 'float32' || type === 'float16' || type === 'bfloat16';
}

/** Opens many tensors of few files; close it in the end. */
export interface FloatReader {
  /**
   * Elements `start` to `start + count` of a tensor in the order in which they are stored. The array is
   * valid until the next call.
   * @throws EidosError `invalid_checkpoint` where the file ends before.
   */
  read(tensor: BoundTensor, start: number, count: number): Promise<Float32Array>;
  close(): Promise<void>;
}

export function openFloatReader(): FloatReader {
  const handles = new Map<string, Promise<FileHandle>>();
  let raw = new ArrayBuffer(0);
  let floats = new Float32Array(0);
  return {
    async read(tensor, start, count) {
      const { type, location } = tensor;
      if (!isFloatType(type))
        throw new EidosError('invalid_checkpoint', `'${tensor.name}' is ${type}, not a floating-point type.`);
      const size = bytesPerElement[type];
      if (raw.byteLength < count * size) raw = new ArrayBuffer(count * size);
      const bytes = new Uint8Array(raw, 0, count * size);
      if ('bytes' in location) bytes.set(location.bytes.subarray(start * size, (start + count) * size));
      else {
        const handle = handles.get(location.file) ?? open(location.file, 'r');
        handles.set(location.file, handle);
        await fill(await handle, location.offset + start * size, bytes, tensor);
      }
      if (type === 'float32') return new Float32Array(raw, 0, count);
      if (floats.length < count) floats = new Float32Array(count);
      widen[type](new Uint16Array(raw, 0, count), floats);
      return floats.subarray(0, count);
    },
    async close() {
      const opened = await Promise.allSettled(handles.values());
      await Promise.all(
        opened.map((handle) => (handle.status === 'fulfilled' ? handle.value.close() : undefined)),
      );
    },
  };
}

/** A whole tensor as floats; for small ones. */
export async function readFloats(reader: FloatReader, tensor: BoundTensor): Promise<Float32Array> {
  return (await reader.read(tensor, 0, elementCount(tensor.shape))).slice();
}

async function fill(
  handle: FileHandle,
  offset: number,
  bytes: Uint8Array,
  tensor: BoundTensor,
): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await handle.read(bytes, done, bytes.length - done, offset + done);
    if (bytesRead === 0) {
      throw new EidosError(
        'invalid_checkpoint',
        `The file of '${tensor.name}' ends before the tensor does; fetch it again.`,
      );
    }
    done += bytesRead;
  }
}

const widen: { readonly [T in 'float16' | 'bfloat16']: (from: Uint16Array, to: Float32Array) => void } = {
  bfloat16(from, to) {
    const bits = new Uint32Array(to.buffer, to.byteOffset, from.length);
    for (let i = 0; i < from.length; i++) bits[i] = from[i]! << 16;
  },
  float16(from, to) {
    const values = halfFloatValues();
    for (let i = 0; i < from.length; i++) to[i] = values[from[i]!]!;
  },
};
