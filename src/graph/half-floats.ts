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
