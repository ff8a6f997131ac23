/** The values of half floats, for every room that reads weights. */

let values: Float32Array | undefined;

/** The value of each of the 65,536 half floats; 256 KiB once are faster than arithmetic on every element. */
export function halfFloatValues(): Float32Array {
  values ??= Float32Array.from({ length: 65536 }, (_, half) => halfFloatValue(half));
  return values;
}

/** One sign bit, five of exponent, ten of fraction (IEEE 754's binary16). */
function halfFloatValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

const single = new Float32Array(1);
const bits = new Uint32Array(single.buffer);

/** The half float nearest to a number, of two as near the even one; infinite beyond 65,504. */
export function halfFloatOf(value: number): number {
  single[0] = value;
  const [pattern] = bits as unknown as readonly [number];
  const sign = (pattern >>> 16) & 0x8000;
  const exponent = ((pattern >>> 23) & 255) - 112;
  const fraction = pattern & 0x7fffff;
  if (exponent === 143) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200);
  if (exponent >= 31) return sign | 0x7c00;
  // Below the smallest normal number the leading one is written out, and places fall away.
  const whole = exponent > 0 ? (exponent << 23) | fraction : 0x800000 | fraction;
  const dropped = exponent > 0 ? 13 : 14 - exponent;
  if (dropped > 24) return sign;
  const kept = whole >>> dropped;
  const rest = whole & ((1 << dropped) - 1);
  const half = 1 << (dropped - 1);
  // Rounding up may carry into the exponent, which is then right, and into infinity.
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
}
