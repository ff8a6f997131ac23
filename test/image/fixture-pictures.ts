/** Reads the reference pictures: a minimal reader for safetensors of bytes, and distances between pictures. */
import { readFileSync } from 'node:fs';
import type { Square } from '../../src/image/resize.ts';

export interface BytesTensor {
  data: Uint8Array;
  shape: number[];
}

/** All tensors of a safetensors file, as bytes. */
export function readByteTensors(path: string): Map<string, BytesTensor> {
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, 8 + headerLength).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, BytesTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [from, to] = entry.data_offsets;
    tensors.set(name, {
      data: file.subarray(8 + headerLength + from, 8 + headerLength + to),
      shape: entry.shape,
    });
  }
  return tensors;
}

/** The square as [size, size, 3] bytes, as the reference pictures are stored. */
export function toRgbBytes(square: Square, size: number): Uint8Array {
  const result = new Uint8Array(size * size * 3);
  for (let i = 0; i < result.length; i++) result[i] = square.border[i % 3]!;
  for (let y = 0; y < square.height; y++) {
    for (let x = 0; x < square.width; x++) {
      for (let c = 0; c < 3; c++) {
        const from = (y * square.width + x) * square.channels + (square.channels === 1 ? 0 : c);
        result[((y + square.top) * size + x + square.left) * 3 + c] = square.data[from]!;
      }
    }
  }
  return result;
}

/** Largest and mean absolute difference. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>): { max: number; mean: number } {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length} and ${b.length}`);
  let max = 0;
  let sum = 0;
  for (let i = 0; i < a.length; i++) {
    const distance = Math.abs(a[i]! - b[i]!);
    max = Math.max(max, distance);
    sum += distance;
  }
  return { max, mean: sum / a.length };
}
