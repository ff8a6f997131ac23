/** Number types of weight files to and from the single floats that eidos computes with. */
import { halfFloatValues } from '../graph/half-floats.ts';
import type { DataType } from '../graph/tensor.ts';

/**
 * Little-endian bytes as single floats. float64 and integers are rounded to the nearest float, bool gives 0 and 1.
 * float32 bytes at an aligned address are not copied.
 */
export function toFloat32(bytes: Uint8Array, type: DataType): Float32Array {
  return decoders[type](aligned(bytes, 8));
}

/** Single floats as the bit patterns of half floats, rounded to nearest, ties to even; too large becomes infinite. */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < halves.length; i++) halves[i] = halfBits(bits[i]!);
  return halves;
}

const decoders: { readonly [T in DataType]: (bytes: Uint8Array) => Float32Array } = {
  float32: (bytes) => new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4),
  float64: (bytes) => Float32Array.from(new Float64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)),
  float16: (bytes) => {
    const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    const table = halfFloatValues();
    const result = new Float32Array(halves.length);
    for (let i = 0; i < result.length; i++) result[i] = table[halves[i]!]!;
    return result;
  },
  bfloat16: (bytes) => {
    const upper = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    const bits = new Uint32Array(upper.length);
    for (let i = 0; i < bits.length; i++) bits[i] = upper[i]! << 16;
    return new Float32Array(bits.buffer);
  },
  int64: (bytes) =>
    Float32Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8), Number),
  int32: (bytes) => Float32Array.from(new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)),
  int16: (bytes) => Float32Array.from(new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)),
  int8: (bytes) => Float32Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length)),
  uint8: (bytes) => Float32Array.from(bytes),
  bool: (bytes) => Float32Array.from(bytes, (byte) => (byte === 0 ? 0 : 1)),
};

/** Typed arrays want their address to be a multiple of the element size. */
function aligned(bytes: Uint8Array, boundary: number): Uint8Array {
  return bytes.byteOffset % boundary === 0 ? bytes : bytes.slice();
}

/** Bits of a single float → bits of the nearest half float. */
function halfBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200 | (fraction >>> 13));
  const halfExponent = exponent - 112;
  if (halfExponent >= 31) return sign | 0x7c00;
  if (halfExponent > 0) return sign | roundedShift((halfExponent << 23) | fraction, 13);
  // Below 2^-14 halves are multiples of 2^-24; below half of the smallest of them everything is zero.
  if (halfExponent < -10) return sign;
  return sign | roundedShift(0x800000 | fraction, 14 - halfExponent);
}

/** value / 2^shift to the nearest integer, ties to even; a carry runs into the exponent, which is what rounding up means. */
function roundedShift(value: number, shift: number): number {
  const kept = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}
