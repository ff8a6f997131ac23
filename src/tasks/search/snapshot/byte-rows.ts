/** A column whose rows are bytes of one length, read row by row where it is large: most questions want a few of them. */
import { readBytes, sliceRows } from '../../../checkpoint/index.ts';
import type { StoredTensor } from '../../../graph/tensor.ts';

export interface ByteRows {
  /** The bytes of a row, [width]. */
  get(row: number): Promise<Uint8Array>;
}

/** Up to so many bytes a column is read as a whole, at the first question. */
const wholeUpTo = 64 * 1024 * 1024;

/** @param tensor [rows, width] of bytes */
export function byteRows(tensor: StoredTensor): ByteRows {
  const width = tensor.shape[1]!;
  let whole: Promise<Uint8Array> | undefined;
  return {
    async get(row) {
      if (tensor.byteLength > wholeUpTo) return readBytes(sliceRows(tensor, row, row + 1));
      whole ??= readBytes(tensor);
      return (await whole).subarray(row * width, (row + 1) * width);
    },
  };
}
