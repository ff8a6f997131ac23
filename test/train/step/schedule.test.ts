/** Learning rates over a training; the cosine by steps is compared with the original's in traces.test.ts. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { optimizerSchema } from '../../../src/train/step/config.ts';
import { learningRateAt } from '../../../src/train/step/schedule.ts';

function rates(schedule: object, steps: number): number[] {
  const optimizer = optimizerSchema.parse({ learningRate: 2, schedule });
  return Array.from({ length: steps }, (_, i) =>
    learningRateAt(optimizer, { step: i + 1, minutes: 0 }, { steps }),
  );
}

test('a constant rate rises and stays', () => {
  expect(rates({ kind: 'constant', warmupSteps: 4 }, 6)).toEqual([0.5, 1, 1.5, 2, 2, 2]);
  expect(rates({ kind: 'constant', warmupSteps: 0 }, 2)).toEqual([2, 2]);
});

test('a cool-down falls in a line at the end', () => {
  const found = rates({ kind: 'cooldown', warmupSteps: 0, share: 0.4, end: 0.375 }, 10);
  found.forEach((rate, i) => {
    expect(rate).toBeCloseTo(i < 7 ? 2 : 2 - (1.25 * (i - 6)) / 4, 9);
  });
});

test('a cosine ends at its last share', () => {
  const found = rates({ kind: 'cosine', warmupSteps: 1, end: 0.1 }, 1001);
  expect(found[1]).toBe(2);
  expect(found[501]).toBeCloseTo(1.1, 9);
  expect(found[1000]).toBeCloseTo(0.2, 4);
});

test('by time the schedule follows the minutes, and the warm-up the steps', () => {
  const optimizer = optimizerSchema.parse({ learningRate: 2, schedule: { kind: 'cosine', warmupSteps: 4 } });
  const rate = (step: number, minutes: number): number =>
    learningRateAt(optimizer, { step, minutes }, { minutes: 10 });
  expect(rate(1, 0)).toBeCloseTo(0.5);
  expect(rate(4, 0)).toBeCloseTo(2);
  expect(rate(100, 5)).toBeCloseTo(1);
  expect(rate(100, 11)).toBeCloseTo(0);
});

test('no rate is below zero or above the highest', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const schedule = fc.oneof(
    fc.record({ kind: fc.constant('cosine'), warmupSteps: fc.nat(20), end: share }),
    fc.record({ kind: fc.constant('constant'), warmupSteps: fc.nat(20) }),
    fc.record({
      kind: fc.constant('cooldown'),
      warmupSteps: fc.nat(20),
      end: share,
      share: fc.constantFrom(0.01, 0.5, 1),
    }),
  );
  fc.assert(
    fc.property(schedule, fc.integer({ min: 1, max: 40 }), (fields, steps) => {
      for (const rate of rates(fields, steps)) {
        expect(rate).toBeGreaterThanOrEqual(0);
        expect(rate).toBeLessThanOrEqual(2);
      }
    }),
    { endOnFailure: true },
  );
});
