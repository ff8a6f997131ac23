/**
 * How far a measured share may lie from the true one: Wilson's score interval.
 * E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of the American
 * Statistical Association 22 (1927), 209-212. Unlike value ± z·√(p(1−p)/n) it stays inside 0 and 1 and does not
 * shrink to a point where all or none succeed.
 */
import { EidosError } from '../errors.ts';

/** Lower and upper end, 0 to 1. */
export type Interval = [lower: number, upper: number];

/** The normal distribution has 95 % of its mass within this many deviations. */
const deviations95 = 1.959963984540054;

/**
 * The 95 % interval of the share successes / trials; trials are taken as independent of each other.
 * @param successes 0 to trials
 * @param deviations half width in standard deviations of the normal distribution @default 1.96, for 95 %
 * @throws EidosError `invalid_option` for counts that cannot be meant
 */
export function wilsonInterval(successes: number, trials: number, deviations = deviations95): Interval {
  const counts = [successes, trials].every((count) => Number.isInteger(count) && count >= 0);
  if (!counts || trials < 1 || successes > trials) {
    throw new EidosError(
      'invalid_option',
      `${successes} successes in ${trials} trials: an interval needs at least one trial, and no more successes than trials.`,
    );
  }
  // (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)
  const share = successes / trials;
  const square = deviations ** 2 / trials;
  const centre = share + square / 2;
  const reach = deviations * Math.sqrt((share * (1 - share)) / trials + square / (4 * trials));
  // At the ends the formula gives 0 and 1 but for rounding.
  const lower = successes === 0 ? 0 : (centre - reach) / (1 + square);
  const upper = successes === trials ? 1 : (centre + reach) / (1 + square);
  return [lower, upper];
}
