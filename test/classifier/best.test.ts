import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bestRows } from '../../src/classifier/best.ts';

test('the best rows are those that sorting finds, equal ones in their order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(0.1, 0.2, 0.3, 0.5, Number.NaN), fc.boolean()), { maxLength: 40 }),
      fc.integer({ min: 0, max: 12 }),
      (rows, count) => {
        const scores = Float32Array.from(rows, ([score]) => score);
        const passing = Uint8Array.from(rows, ([, passes]) => Number(passes));
        const wanted = [...scores.keys()]
          .filter((row) => passing[row] === 1 && scores[row]! >= 0.2)
          .sort((a, b) => scores[b]! - scores[a]! || a - b);
        expect(bestRows(scores, count, { passing, least: Math.fround(0.2) })).toEqual({
          rows: wanted.slice(0, count),
          total: wanted.length,
        });
      },
    ),
    { endOnFailure: true },
  );
});
