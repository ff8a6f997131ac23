import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seedAt } from '../../../src/train/data/chance.ts';
import { createDraws } from '../../../src/train/data/draws.ts';

const sources = fc.array(
  fc.record({ size: fc.integer({ min: 1, max: 300 }), weight: fc.constantFrom(0.001, 0.1, 1, 7) }),
  { minLength: 1, maxLength: 6 },
);

describe('draws', () => {
  test('are a pure function of the seed and the number', () => {
    fc.assert(
      fc.property(sources, fc.nat(), fc.array(fc.nat(100_000), { minLength: 1 }), (all, seed, numbers) => {
        const one = createDraws(all, seed);
        const forward = numbers.map((number) => one({ number }));
        const other = createDraws(all, seed);
        const backward = [...numbers].reverse().map((number) => other({ number }));
        expect(backward.reverse()).toEqual(forward);
      }),
      { endOnFailure: true, numRuns: 50 },
    );
  });

  test('go through a source to its end before a picture comes again, in another order each time', () => {
    const draw = createDraws([{ size: 50, weight: 1 }], 3);
    const rounds = [0, 1, 2].map((round) =>
      Array.from({ length: 50 }, (_, at) => draw({ number: round * 50 + at }).picture),
    );
    for (const round of rounds) expect([...round].sort((a, b) => a - b)).toEqual([...Array(50).keys()]);
    expect(rounds[0]).not.toEqual(rounds[1]);
    expect(rounds[1]).not.toEqual(rounds[2]);
  });

  test('of several sources keep to the weights, each source gone through evenly', () => {
    fc.assert(
      fc.property(sources, fc.nat(), (all, seed) => {
        const draw = createDraws(all, seed);
        const counts = all.map(({ size }) => new Uint32Array(size));
        const length = 2 * 4096;
        for (let number = 0; number < length; number++) {
          const { source, picture } = draw({ number });
          counts[source]![picture]!++;
        }
        const sum = all.reduce((total, { weight }) => total + weight, 0);
        for (const [source, { weight, size }] of all.entries()) {
          const drawn = counts[source]!.reduce((total, count) => total + count, 0);
          expect(drawn).toBeGreaterThan(0);
          // Whole numbers of a block, and at least one for the lightest.
          expect(Math.abs(drawn - (weight / sum) * length)).toBeLessThanOrEqual(2 * (all.length + 1));
          expect(Math.max(...counts[source]!) - Math.min(...counts[source]!)).toBeLessThanOrEqual(1);
          expect(counts[source]!.length).toBe(size);
        }
      }),
      { endOnFailure: true, numRuns: 20 },
    );
  });

  test('of a source without weight are none', () => {
    const draw = createDraws(
      [
        { size: 3, weight: 0 },
        { size: 3, weight: 1 },
      ],
      1,
    );
    for (let number = 0; number < 5000; number++) expect(draw({ number }).source).toBe(1);
  });

  test('in place of a broken picture are others of its source', () => {
    const draw = createDraws(
      [
        { size: 9, weight: 1 },
        { size: 9, weight: 1 },
      ],
      1,
    );
    const { source } = draw({ number: 5 });
    const others = Array.from({ length: 60 }, (_, at) => draw({ number: 5, attempt: at + 1 }));
    expect(new Set(others.map((other) => other.source))).toEqual(new Set([source]));
    expect(new Set(others.map(({ picture }) => picture)).size).toBeGreaterThan(6);
  });
});

test('seeds of places are alike for no two of many places', () => {
  const seeds = new Set<number>();
  for (let a = 0; a < 60; a++) for (let b = 0; b < 60; b++) seeds.add(seedAt(1, a, b));
  expect(seeds.size).toBe(3600);
  expect(seedAt(1, 2)).not.toBe(seedAt(2, 1));
  expect(seedAt(2 ** 32)).not.toBe(seedAt(0));
});
