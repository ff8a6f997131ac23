/** Which part of a square picture is looked at, and how it becomes pixels of another size. */

/** A rectangle of the picture, in pixels and fractions of them. */
export interface View {
  left: number;
  top: number;
  width: number;
  height: number;
  mirrored: boolean;
}

/** A random rectangle inside the square: its share of the area within limits, its sides within a proportion. */
export function randomView(
  side: number,
  random: () => number,
  { area, proportion, flip }: { area: readonly [number, number]; proportion: number; flip: number },
): View {
  const share = area[0] + (area[1] - area[0]) * random();
  const ratio = Math.exp((2 * random() - 1) * Math.log(proportion));
  const width = Math.min(side, side * Math.sqrt(share * ratio));
  const height = Math.min(side, side * Math.sqrt(share / ratio));
  return {
    left: random() * (side - width),
    top: random() * (side - height),
    width,
    height,
    mirrored: random() < flip,
  };
}

/** The whole square as it is. */
export function wholeView(side: number): View {
  return { left: 0, top: 0, width: side, height: side, mirrored: false };
}

/**
 * The view as a square of [size, size, 3]: bilinear, widened where the picture shrinks; pixels beyond the edge repeat it.
 * @param source [sourceSide, sourceSide, 3]
 */
export function resizeView(
  source: Uint8Array | Float32Array,
  sourceSide: number,
  view: View,
  size: number,
): Float32Array<ArrayBuffer> {
  const across = spans(view.left, view.width, sourceSide, size);
  const down = spans(view.top, view.height, sourceSide, size);
  const top = down.starts[0]!;
  const bottom = down.starts[size - 1]! + down.taps - 1;
  const width = size * 3;
  const between = new Float32Array((bottom - top + 1) * width);
  const { starts, weights, taps } = across;
  for (let y = top; y <= bottom; y++) {
    const row = y * sourceSide * 3;
    const start = (y - top) * width;
    for (let x = 0; x < size; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      let from = row + starts[x]! * 3;
      const first = x * taps;
      for (let tap = first; tap < first + taps; tap++) {
        const weight = weights[tap]!;
        red += weight * source[from]!;
        green += weight * source[from + 1]!;
        blue += weight * source[from + 2]!;
        from += 3;
      }
      const to = start + (view.mirrored ? size - 1 - x : x) * 3;
      between[to] = red;
      between[to + 1] = green;
      between[to + 2] = blue;
    }
  }
  const result = new Float32Array(size * width);
  for (let y = 0; y < size; y++) {
    const to = y * width;
    for (let tap = 0; tap < down.taps; tap++) {
      const weight = down.weights[y * down.taps + tap]!;
      if (weight === 0) continue;
      const from = (down.starts[y]! - top + tap) * width;
      for (let i = 0; i < width; i++) result[to + i]! += weight * between[from + i]!;
    }
  }
  return result;
}

/**
 * For each pixel of the result the first source pixel and the weights from there on. All spans lie inside the picture:
 * what a weight beyond the edge would take counts for the pixel at the edge.
 */
function spans(
  from: number,
  length: number,
  sourceSide: number,
  size: number,
): { starts: Int32Array; weights: Float32Array; taps: number } {
  const step = length / size;
  const reach = Math.max(1, step);
  const taps = Math.min(sourceSide, Math.ceil(2 * reach) + 1);
  const starts = new Int32Array(size);
  const weights = new Float32Array(size * taps);
  for (let i = 0; i < size; i++) {
    const centre = from + (i + 0.5) * step - 0.5;
    const first = Math.ceil(centre - reach);
    const start = Math.min(Math.max(first, 0), sourceSide - taps);
    starts[i] = start;
    let sum = 0;
    for (let at = first; at <= centre + reach; at++) {
      const weight = Math.max(0, 1 - Math.abs(at - centre) / reach);
      const inside = Math.min(Math.max(at, 0), sourceSide - 1);
      weights[i * taps + inside - start]! += weight;
      sum += weight;
    }
    for (let tap = 0; tap < taps; tap++) weights[i * taps + tap]! /= sum;
  }
  return { starts, weights, taps };
}
