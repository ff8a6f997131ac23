/** What studies compare by: exact tests of paired answers, corrections for many of them, and intervals by resampling. */
import { randomNumbers } from '../graph/initialise.ts';

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
  options: BootstrapOptions = {},
): [low: number, high: number] {
  return bootstrapAll(count, (drawn) => [figure(drawn)], options)[0]!;
}

export interface BootstrapOptions {
  /** @default 300 */
  draws?: number;
  /** @default 0 */
  seed?: number;
}

/** The same of several figures, over the same draws. */
export function bootstrapAll(
  count: number,
  figures: (drawn: readonly number[]) => readonly number[],
  { draws = 300, seed = 0 }: BootstrapOptions = {},
): [low: number, high: number][] {
  const random = randomNumbers(seed);
  const drawn = Array.from({ length: draws }, () =>
    figures(Array.from({ length: count }, () => Math.floor(random() * count))),
  );
  return drawn[0]!.map((_, figure) => {
    const values = drawn
      .map((row) => row[figure]!)
      .filter(Number.isFinite)
      .sort((a, b) => a - b);
    if (values.length === 0) return [Number.NaN, Number.NaN];
    const at = (share: number): number =>
      values[Math.min(values.length - 1, Math.floor(share * values.length))]!;
    return [at(0.025), at(0.975)];
  });
}
