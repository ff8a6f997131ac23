import { expect, test } from 'vitest';
import { nothingLearned } from '../../../src/train/run/learned.ts';
import type { StepLine } from '../../../src/train/run/metrics-log.ts';

const line = (contrastive: number, temperature = 0.05): StepLine => ({
  kind: 'step',
  step: 60,
  minutes: 1,
  steps: 10,
  loss: contrastive,
  parts: { contrastive },
  gradientNorm: 1,
  temperature,
  learningRate: 5,
  picturesPerSecond: 1,
  waiting: 0,
});

test('a loss of ln(batch) or a temperature at 1 says that nothing was learned', () => {
  expect(nothingLearned([line(Math.LN2)], 2)).toMatch(
    /loss ends at 0\.693, which is ln\(2\).*learningRate" \(now 5\)/,
  );
  expect(nothingLearned([line(0.3, 1)], 2)).toMatch(/temperature ends at its bound/);
  expect(nothingLearned([line(Math.LN2), line(0.3)], 2)).toBeUndefined();
  expect(nothingLearned([line(0.67)], 2)).toBeUndefined();
  // Where published models end.
  expect(nothingLearned([line(0.3, 0.01)], 2)).toBeUndefined();
  expect(nothingLearned([], 2)).toBeUndefined();
});
