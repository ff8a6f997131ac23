/** A column whose rows are bytes of one length, read when it is asked for: most questions want a few rows, or none. */
import { readBytes, sliceRows } from '../../../checkpoint/index.ts';
import type { StoredTensor } from '../../../graph/tensor.ts';

export interface ByteRows {
  /** The bytes of a row, [width]. */
  get(row: number): Promise<Uint8Array>;
  /** The bytes of all rows, [rows, width]. */
  all(): Promise<Uint8Array>;
}

/** Up to so many bytes a column is read as a whole, at the first question. */
const wholeUpTo = 64 * 1024 * 1024;

/** @param tensor [rows, …] of any type */
export function byteRows(tensor: StoredTensor): ByteRows {
  const rows = tensor.shape[0]!;
  let whole: Promise<Uint8Array> | undefined;
  const all = (): Promise<Uint8Array> => {
    whole ??= readBytes(tensor);
    return whole;
  };
  return {
    async get(row) {
      if (tensor.byteLength > wholeUpTo) return readBytes(sliceRows(tensor, row, row + 1));
      const width = tensor.byteLength / rows;
      return (await all()).subarray(row * width, (row + 1) * width);
    },
    all,
  };
}
