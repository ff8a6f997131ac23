/** Finds stored numbers that are none: NaN, infinite, or more than a number type holds. */
import { type BoundTensor, bytesPerElement, elementCount } from '../graph/tensor.ts';
import { toFloat32 } from './numbers.ts';
import { readSamples, type Sample } from './tensors.ts';

/** A weight with such a number in it. */
export interface UnsoundNumber {
  tensor: BoundTensor;
  value: number;
}

/** Bytes in memory at once. */
const pieceBytes = 16 * 1024 * 1024;

/**
 * The first number that is NaN or larger than `largest`, plus or minus, or undefined where all are sound.
 * Reads all tensors through, many small ones or a part of a large one at a time.
 */
export async function findUnsoundNumber(
  tensors: readonly BoundTensor[],
  largest: number,
): Promise<UnsoundNumber | undefined> {
  let pending: (Sample & { tensor: BoundTensor })[] = [];
  let pendingBytes = 0;
  const search = async (): Promise<UnsoundNumber | undefined> => {
    const pieces = await readSamples(pending);
    for (const [i, { tensor }] of pending.entries()) {
      const value = toFloat32(pieces[i]!, tensor.type).find((number) => !(Math.abs(number) <= largest));
      if (value !== undefined) return { tensor, value };
    }
    pending = [];
    pendingBytes = 0;
    return undefined;
  };
  for (const tensor of tensors) {
    const byteLength = elementCount(tensor.shape) * bytesPerElement[tensor.type];
    for (let start = 0; start < byteLength; start += pieceBytes) {
      const length = Math.min(pieceBytes, byteLength - start);
      if (pendingBytes + length > pieceBytes) {
        const found = await search();
        if (found !== undefined) return found;
      }
      pending.push({ tensor, start, length });
      pendingBytes += length;
    }
  }
  return search();
}
