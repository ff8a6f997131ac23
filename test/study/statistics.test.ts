/** Tests and intervals of studies beside values of other programs and of their definitions. */
import { expect, test } from 'vitest';
import { bootstrap, holm, mcNemar } from '../../src/study/statistics.ts';

test('McNemar’s exact test is the two-sided binomial test of the pairs that differ', () => {
  // Twice the lower tail of Binomial(n, 1/2), by hand: 2 · (1 + 20 + 190 + 1140 + 4845 + 15504) / 2²⁰.
  expect(mcNemar(5, 15)).toBeCloseTo(0.041389465, 8);
  expect(mcNemar(15, 5)).toBe(mcNemar(5, 15));
  expect(mcNemar(0, 0)).toBe(1);
  expect(mcNemar(7, 7)).toBe(1);
  expect(mcNemar(0, 10)).toBeCloseTo(2 / 1024, 12);
  expect(mcNemar(4000, 4300)).toBeGreaterThan(0);
  expect(mcNemar(4000, 4300)).toBeLessThan(0.01);
});

test('Holm’s correction is ordered, at most 1, and keeps the places', () => {
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([0.9, 0.8])).toEqual([1, 1]);
  expect(holm([])).toEqual([]);
});

test('resampling finds the interval of a mean, and the same one for the same seed', () => {
  const values = Array.from({ length: 400 }, (_, at) => at % 2);
  const mean = (rows: readonly number[]) => rows.reduce((sum, row) => sum + values[row]!, 0) / rows.length;
  const [low, high] = bootstrap(400, mean, { draws: 2000, seed: 3 });
  // ±1.96 · √(0.25 / 400) = ±0.049
  expect(low).toBeGreaterThan(0.43);
  expect(low).toBeLessThan(0.47);
  expect(high).toBeGreaterThan(0.53);
  expect(high).toBeLessThan(0.57);
  expect(bootstrap(400, mean, { seed: 3 })).toEqual(bootstrap(400, mean, { seed: 3 }));
});
