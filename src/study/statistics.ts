/** What studies compare by: exact tests of paired answers, corrections for many of them, and intervals by resampling. */

/**
 * McNemar's test in its exact form: the probability of a split at least as uneven, were both methods alike.
 * @param onlyFirst pictures that the first alone names rightly
 * @param onlySecond pictures that the second alone names rightly
 * @returns the two-sided p-value, 0 to 1
 */
export function mcNemar(onlyFirst: number, onlySecond: number): number {
  const n = onlyFirst + onlySecond;
  if (n === 0) return 1;
  const fewer = Math.min(onlyFirst, onlySecond);
  // Σ C(n, k) / 2ⁿ over k up to the smaller count, by logarithms: the coefficients themselves overflow.
  let logTerm = -n * Math.LN2;
  let sum = Math.exp(logTerm);
  for (let k = 1; k <= fewer; k++) {
    logTerm += Math.log(n - k + 1) - Math.log(k);
    sum += Math.exp(logTerm);
  }
  return Math.min(1, 2 * sum);
}

/** Holm's step-down correction (1979): p-values that hold for all comparisons together, in the order given. */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, at) => at).sort((a, b) => pValues[a]! - pValues[b]!);
  const corrected = new Array<number>(pValues.length);
  let largest = 0;
  order.forEach((at, rank) => {
    largest = Math.max(largest, Math.min(1, pValues[at]! * (pValues.length - rank)));
    corrected[at] = largest;
  });
  return corrected;
}

/**
 * The 95 % interval of a figure over pictures: the figure of so many draws of as many pictures, with replacement (Efron 1979).
 * @param figure of the pictures with these indices
 */
export function bootstrap(
  count: number,
  figure: (drawn: readonly number[]) => number,
  { draws = 300, seed = 0 }: { draws?: number; seed?: number } = {},
): [low: number, high: number] {
  const random = randomNumbers(seed);
  const figures = Array.from({ length: draws }, () =>
    figure(Array.from({ length: count }, () => Math.floor(random() * count))),
  )
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  if (figures.length === 0) return [Number.NaN, Number.NaN];
  const at = (share: number): number =>
    figures[Math.min(figures.length - 1, Math.floor(share * figures.length))]!;
  return [at(0.025), at(0.975)];
}

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
