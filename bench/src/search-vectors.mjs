/** Vectors to be searched: unit ones around 2,000 centres, as pictures of the same kinds of things lie; and the truth. */

/**
 * @param {number} count @param {number} width @param {number} queryCount
 * @returns {{ vectors: Float32Array, queries: Float32Array[] }}
 */
export function clusters(count, width, queryCount) {
  const random = generator(7);
  const centres = Array.from({ length: 2000 }, () => unit(Float32Array.from({ length: width }, random)));
  const around = () => {
    const centre = centres[Math.floor(Math.abs(random()) * 1e6) % centres.length] ?? new Float32Array(width);
    return unit(centre.map((value) => value + (0.6 * random()) / Math.sqrt(width / 3)));
  };
  const vectors = new Float32Array(count * width);
  for (let row = 0; row < count; row++) vectors.set(around(), row * width);
  return { vectors, queries: Array.from({ length: queryCount }, around) };
}

/**
 * The rows of the highest cosines, by a plain loop.
 * @param {Float32Array} vectors @param {Float32Array} query @param {number} count
 */
export function nearest(vectors, query, count) {
  const width = query.length;
  /** @type {{ row: number, score: number }[]} */
  const best = [];
  for (let row = 0; row * width < vectors.length; row++) {
    let score = 0;
    for (let k = 0; k < width; k++) score += (vectors[row * width + k] ?? 0) * (query[k] ?? 0);
    if (best.length === count && score <= (best.at(-1)?.score ?? 0)) continue;
    best.push({ row, score });
    best.sort((a, b) => b.score - a.score);
    best.length = Math.min(best.length, count);
  }
  return best.map(({ row }) => row);
}

/**
 * The share of true rows that was found.
 * @param {number[][]} found @param {number[][]} truth
 */
export function recall(found, truth) {
  const right = truth.map((rows, i) => rows.filter((row) => found[i]?.includes(row)).length / rows.length);
  return right.reduce((sum, share) => sum + share, 0) / right.length;
}

/** Numbers between −1 and 1, the same every time (Marsaglia's xorshift). @param {number} seed */
function generator(seed) {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state / 2 ** 31;
  };
}

/** @param {Float32Array} vector */
function unit(vector) {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return vector.map((value) => value / Math.sqrt(sum));
}
