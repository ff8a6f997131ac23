/** Plain values that pass between the rooms: numbers with a shape. */

/** Element types that eidos reads, writes or computes with. */
export type DataType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint8'
  | 'bool';

/** Bytes an element takes. */
export const bytesPerElement: { readonly [T in DataType]: number } = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** A dense array of single floats in row-major order, as every embedding is returned. */
export interface FloatTensor {
  data: Float32Array;
  shape: number[];
}

/** A dense array of 64-bit integers in row-major order, as token ids are passed. */
export interface IntTensor {
  data: BigInt64Array;
  shape: number[];
}

/** The number of elements in a shape. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Bytes on disk (`file` is a real path, symbolic links resolved) or, where no file has such a run of bytes, in memory. */
export type TensorLocation = { file: string; offset: number } | { bytes: Uint8Array };

/** An array that lies in a file or in memory, row-major, without gaps and little-endian; not yet read. */
export interface StoredTensor {
  name: string;
  type: DataType;
  shape: number[];
  location: TensorLocation;
  byteLength: number;
}

/** A stored array that is a parameter. */
export interface BoundTensor extends StoredTensor {
  /** The bytes are [in, out] where the parameter is [out, in]; `shape` is that of the bytes. */
  transposed?: boolean;
}

/** Where single floats lie that are in memory, for a stored tensor of them; the bytes are the array's own, not a copy. */
export function floatsInMemory(data: Float32Array): Pick<StoredTensor, 'type' | 'location' | 'byteLength'> {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { type: 'float32', location: { bytes }, byteLength: bytes.length };
}
