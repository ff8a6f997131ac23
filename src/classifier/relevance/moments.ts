/** Mean and covariance of embeddings: what cosines are usual for any query, without a pass over the pictures. */

export interface Moments {
  /** [embeddingSize] */
  mean: Float32Array;
  /** [embeddingSize, embeddingSize] */
  covariance: Float32Array;
}

/** Rows that the covariance is taken from: more would change it by a hundredth. */
const mostRows = 4096;

/**
 * Of unit vectors, [rows, width]. The covariance of few rows is drawn towards a round one of the same size (in the
 * manner of Ledoit and Wolf 2004, with the weight width / (width + rows)), as it would vanish in most directions.
 */
export function momentsOf(data: Float32Array, width: number): Moments {
  const count = data.length / width;
  const mean = new Float32Array(width);
  const covariance = new Float32Array(width * width);
  if (count === 0) return { mean, covariance };
  const step = Math.max(1, Math.floor(count / mostRows));
  const sums = new Float64Array(width);
  let rows = 0;
  for (let row = 0; row < count; row += step, rows++) {
    for (let i = 0; i < width; i++) sums[i]! += data[row * width + i]!;
  }
  for (let i = 0; i < width; i++) mean[i] = sums[i]! / rows;

  const products = new Float64Array(width * width);
  const centred = new Float64Array(width);
  for (let row = 0; row < count; row += step) {
    for (let i = 0; i < width; i++) centred[i] = data[row * width + i]! - mean[i]!;
    for (let i = 0; i < width; i++) {
      const own = centred[i]!;
      for (let j = i; j < width; j++) products[i * width + j]! += own * centred[j]!;
    }
  }
  let trace = 0;
  for (let i = 0; i < width; i++) trace += products[i * width + i]! / rows;
  const drawn = width / (width + rows);
  for (let i = 0; i < width; i++) {
    for (let j = i; j < width; j++) {
      const round = i === j ? (drawn * trace) / width : 0;
      const value = ((1 - drawn) * products[i * width + j]!) / rows + round;
      covariance[i * width + j] = value;
      covariance[j * width + i] = value;
    }
  }
  return { mean, covariance };
}

/** Mean and standard deviation of a query's cosines with the pictures that the moments are of: q·m and √(qᵀCq). */
export function usualCosine(
  query: Float32Array,
  { mean, covariance }: Moments,
): { mean: number; deviation: number } {
  const width = query.length;
  let centre = 0;
  let variance = 0;
  for (let i = 0; i < width; i++) {
    centre += query[i]! * mean[i]!;
    let row = 0;
    for (let j = 0; j < width; j++) row += covariance[i * width + j]! * query[j]!;
    variance += query[i]! * row;
  }
  return { mean: centre, deviation: Math.sqrt(Math.max(variance, 1e-12)) };
}
