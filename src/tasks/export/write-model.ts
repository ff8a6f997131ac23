/** Writes a program as one .onnx file with its weights inside, a tensor at a time. */
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { readParameter, toFloat16 } from '../../checkpoint/index.ts';
import {
  embedTensors,
  encodeModel,
  type ModelSegment,
  type OnnxTensor,
  segmentLength,
} from '../../engine/onnx/encode.ts';
import { lowerToModel } from '../../engine/onnx/lower.ts';
import { quantizeWeights } from '../../engine/quantize.ts';
import { type BoundTensor, bytesPerElement, elementCount } from '../../graph/tensor.ts';
import type { ExportedProgram } from './programs.ts';

/** How an exported program computes. */
export type ExportType = 'fp32' | 'fp16' | 'int8';

/** Protocol buffers, and so .onnx files, end at 2 GiB; larger weights lie in a file of their own. */
export const largestModel = 2 ** 31 - 2 ** 20;

export interface WriteOptions {
  weights: ReadonlyMap<string, BoundTensor>;
  dtype: ExportType;
  /** Above this many bytes weights go to `${path}_data`. @default largestModel */
  limit?: number;
}

/** Returns the bytes of the files written; `dataBytes` is 0 where all is in the .onnx file. */
export async function writeModel(
  path: string,
  { results, unreadInputs }: ExportedProgram,
  { weights, dtype, limit = largestModel }: WriteOptions,
): Promise<{ bytes: number; dataBytes: number }> {
  // 7 bits are right on every processor, and the file may go anywhere.
  const adapted =
    dtype === 'int8' ? await quantizeWeights(results, weights, { int8Range: 'reduced' }) : { weights };
  const type = dtype === 'fp16' ? 'float16' : 'float32';
  const model = lowerToModel(results, {
    ...adapted,
    weights: inType(adapted.weights, type),
    floatType: type,
    unreadInputs,
  });
  const write = async (handle: FileHandle, segment: ModelSegment): Promise<void> => {
    await handle.writeFile(segment instanceof Uint8Array ? segment : await bytesOf(segment, adapted.weights));
  };

  const whole = embedTensors(model);
  const bytes = whole.reduce((sum, segment) => sum + segmentLength(segment), 0);
  if (bytes <= limit) {
    await writeSegments(path, whole, write);
    return { bytes, dataBytes: 0 };
  }
  const file = `${basename(path)}_data`;
  let offset = 0;
  const initializers = model.initializers.map((tensor): OnnxTensor => {
    if (tensor.data.byteLength < smallestOutside) return tensor;
    const placed = { ...tensor, data: { file, offset, byteLength: tensor.data.byteLength } };
    offset += Math.ceil(tensor.data.byteLength / alignment) * alignment;
    return placed;
  });
  const inside = new Set(initializers.filter((tensor, i) => tensor === model.initializers[i]));
  const small = await Promise.all(
    initializers.map(async (tensor) =>
      inside.has(tensor) && !(tensor.data instanceof Uint8Array)
        ? { ...tensor, data: await bytesOf(tensor, adapted.weights) }
        : tensor,
    ),
  );
  const encoded = encodeModel({ ...model, initializers: small });
  await writeSegments(path, [encoded], write);
  const outside = model.initializers.filter((tensor) => !inside.has(tensor));
  await writeSegments(
    `${path}_data`,
    outside.flatMap((tensor) => [data(tensor), padding(tensor)]),
    write,
  );
  return { bytes: encoded.length, dataBytes: offset };
}

/** Smaller tensors stay beside the nodes: tools read their values to reason about shapes. */
const smallestOutside = 1024;
/** A page, so that weights can be mapped. */
const alignment = 4096;

function data(tensor: OnnxTensor): ModelSegment {
  return tensor.data instanceof Uint8Array ? tensor.data : tensor;
}

function padding({ data: { byteLength } }: OnnxTensor): Uint8Array {
  return new Uint8Array((alignment - (byteLength % alignment)) % alignment);
}

/** The weights as the program declares them, whatever type and order their file has: they are converted on the way. */
function inType(
  weights: ReadonlyMap<string, BoundTensor>,
  type: 'float32' | 'float16',
): Map<string, BoundTensor> {
  return new Map(
    [...weights].map(([name, tensor]) => {
      const byteLength = elementCount(tensor.shape) * bytesPerElement[type];
      const shape = tensor.transposed === true ? [...tensor.shape].reverse() : tensor.shape;
      // The place only has to be one that is not in memory: bytes are asked for by the parameter's name.
      const location = { file: name, offset: 0 };
      return [name, { name, type, shape, byteLength, location }];
    }),
  );
}

async function bytesOf(
  { name, type }: OnnxTensor,
  weights: ReadonlyMap<string, BoundTensor>,
): Promise<Uint8Array> {
  const floats = await readParameter(weights.get(name)!);
  const numbers = type === 'float16' ? toFloat16(floats) : floats;
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
}

async function writeSegments(
  path: string,
  segments: readonly ModelSegment[],
  write: (handle: FileHandle, segment: ModelSegment) => Promise<void>,
): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    for (const segment of segments) await write(handle, segment);
  } finally {
    await handle.close();
  }
}
