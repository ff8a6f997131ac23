/**
 * A photograph as a line drawing: dark lines on white where the luminance has edges, by the extended difference of
 * Gaussians (Winnemöller, Kyprianidis and Olsen 2012, "XDoG", section 2).
 */

/** What makes one drawing another one. */
export interface DrawingStyle {
  /** Standard deviation of the finer Gaussian in pixels: how thick lines are. */
  sigma: number;
  /** Edges that are fainter are left out, in multiples of the picture's own usual difference. */
  threshold: number;
  /** How steeply the others become black. */
  steepness: number;
}

/** The coarser Gaussian is so much wider, which comes nearest to the Laplacian (Marr and Hildreth 1980). */
const ratio = 1.6;

/** Beyond so many standard deviations a Gaussian is cut off. */
const reach = 2.5;

/** A style for a picture of this side: lines of half a pixel to two at 224 pixels, with faint edges or without. */
export function randomStyle(size: number, random: () => number): DrawingStyle {
  return {
    // Half a pixel is the finest that a Gaussian can be told from its neighbour by.
    sigma: Math.max(0.5, (size / 224) * 0.5 * 4 ** random()),
    threshold: 0.2 + 0.8 * random(),
    steepness: 0.5 * 16 ** random(),
  };
}

/**
 * Turns RGB pixels [size, size, 3] of 0 to 255 into the drawing, in place, the same in all three channels: with
 * D = (G_σ(L) − G_{1.6σ}(L)) / s of the luminance L, s the root of the mean square of that difference, white where
 * D ≥ −threshold and 1 + tanh(steepness · (D + threshold)) of white elsewhere. The division lets a dim picture have
 * lines, too.
 */
export function drawLines(
  pixels: Float32Array,
  size: number,
  { sigma, threshold, steepness }: DrawingStyle,
): void {
  const luminance = new Float32Array(size * size);
  for (let at = 0, from = 0; at < luminance.length; at++, from += 3) {
    luminance[at] = 0.299 * pixels[from]! + 0.587 * pixels[from + 1]! + 0.114 * pixels[from + 2]!;
  }
  const difference = blurred(luminance, size, sigma);
  const coarse = blurred(luminance, size, ratio * sigma);
  let squares = 0;
  for (let at = 0; at < difference.length; at++) {
    difference[at]! -= coarse[at]!;
    squares += difference[at]! ** 2;
  }
  // Less than a shade between neighbours is rounding, not an edge.
  const scale = 1 / Math.max(0.25, Math.sqrt(squares / difference.length));
  for (let at = 0, to = 0; at < difference.length; at++, to += 3) {
    const above = scale * difference[at]! + threshold;
    const value = above >= 0 ? 255 : 255 * (1 + Math.tanh(steepness * above));
    pixels[to] = value;
    pixels[to + 1] = value;
    pixels[to + 2] = value;
  }
}

/** A plane [size, size] under a Gaussian, one direction after the other, its edge repeated. */
function blurred(plane: Float32Array, size: number, sigma: number): Float32Array {
  const radius = Math.max(1, Math.ceil(reach * sigma));
  const weights = gaussian(radius, sigma);
  const middle = weights[0]!;
  const across = new Float32Array(size * size);
  const row = new Float32Array(size + 2 * radius);
  for (let y = 0; y < size; y++) {
    const start = y * size;
    row.fill(plane[start]!, 0, radius);
    row.set(plane.subarray(start, start + size), radius);
    row.fill(plane[start + size - 1]!, radius + size);
    for (let x = 0; x < size; x++) {
      const at = x + radius;
      let sum = middle * row[at]!;
      for (let k = 1; k <= radius; k++) sum += weights[k]! * (row[at - k]! + row[at + k]!);
      across[start + x] = sum;
    }
  }
  const result = new Float32Array(size * size);
  for (let y = 0; y < size; y++) {
    const start = y * size;
    for (let x = 0; x < size; x++) result[start + x] = middle * across[start + x]!;
    for (let k = 1; k <= radius; k++) {
      const weight = weights[k]!;
      const above = Math.max(0, y - k) * size;
      const below = Math.min(size - 1, y + k) * size;
      for (let x = 0; x < size; x++) result[start + x]! += weight * (across[above + x]! + across[below + x]!);
    }
  }
  return result;
}

/** The Gaussian's weights from the middle to the radius; both sides together sum to one. */
function gaussian(radius: number, sigma: number): Float64Array {
  const weights = Float64Array.from({ length: radius + 1 }, (_, k) =>
    Math.exp(-(k * k) / (2 * sigma * sigma)),
  );
  const sum = weights.reduce((total, weight, k) => total + (k === 0 ? weight : 2 * weight), 0);
  return weights.map((weight) => weight / sum);
}
