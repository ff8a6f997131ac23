/** The linear probe beside scikit-learn's logistic regression, and what it refuses. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openWeights, readBytes } from '../../src/checkpoint/index.ts';
import { fitLinearProbe, probeProbabilities } from '../../src/evaluate/linear-probe.ts';
import { minimise } from '../../src/evaluate/minimise.ts';
import { calibration, separation } from '../../src/evaluate/scores.ts';
import { sharedFixtures } from '../fixtures.ts';

async function numbers(file: string, name: string): Promise<Float64Array | BigInt64Array> {
  const tensor = (await openWeights(join(sharedFixtures!, file))).tensors.get(name)!;
  const bytes = await readBytes(tensor);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  return tensor.type === 'int64' ? new BigInt64Array(buffer) : new Float64Array(buffer);
}

describe.skipIf(sharedFixtures === undefined)('the figures of scikit-learn', () => {
  test.each([0.1, 1, 10])('a probe with C = %d', async (c) => {
    const all = Float32Array.from(
      (await numbers('metrics/linear_probe.safetensors', 'features')) as Float64Array,
    );
    const labels = Array.from(await numbers('metrics/linear_probe.safetensors', 'labels'), Number);
    const wanted = JSON.parse(await readFile(join(sharedFixtures!, 'metrics/linear_probe.json'), 'utf8'));
    const width = all.length / labels.length;
    const train = { data: all.subarray(0, 200 * width), shape: [200, width] };
    const rest = { data: all.subarray(200 * width), shape: [100, width] };
    const probe = fitLinearProbe(train, labels.slice(0, 200), 5, { c });
    const name = `metrics/linear_probe_C${c.toFixed(1)}.safetensors`;
    const compare = async (tensor: string, values: Float64Array): Promise<void> => {
      const expected = (await numbers(name, tensor)) as Float64Array;
      expect(values.length).toBe(expected.length);
      for (const [i, value] of expected.entries()) expect(Math.abs(values[i]! - value)).toBeLessThan(1e-3);
    };
    await compare('coef', probe.weights);
    await compare('intercept', probe.biases);
    const probabilities = probeProbabilities(probe, rest);
    await compare('test_probabilities', probabilities);
    expect(calibration(probabilities, labels.slice(200)).accuracy).toBeCloseTo(
      wanted[`C=${c.toFixed(1)}`].test_accuracy,
      12,
    );
  });

  test('separation and calibration', async () => {
    const wanted = JSON.parse(await readFile(join(sharedFixtures!, 'metrics/scores.json'), 'utf8'));
    const parts = separation(
      wanted.scores,
      wanted.labels.map((label: number) => label === 1),
    );
    expect(parts.auroc).toBeCloseTo(wanted.auroc, 9);
    expect(parts.averagePrecision).toBeCloseTo(wanted.average_precision, 9);
    expect(parts.falsePositiveRate95).toBeCloseTo(wanted.fpr_at_95_tpr, 9);
    const believed = calibration(wanted.probabilities.flat(), wanted.targets);
    expect(believed.expectedCalibrationError).toBeCloseTo(wanted.ece_15_bins, 7);
    // The fixture's figure is from probabilities before they were rounded to six digits.
    const rounding = wanted.targets.map(
      (target: number, row: number) => 5e-7 / wanted.probabilities[row][target],
    );
    const bound = rounding.reduce((sum: number, share: number) => sum + share, 0) / rounding.length;
    expect(bound).toBeLessThan(2e-4);
    expect(Math.abs(believed.negativeLogLikelihood - wanted.nll)).toBeLessThan(bound);
    expect(believed.brier).toBeCloseTo(wanted.brier, 7);
    expect(believed.accuracy).toBeCloseTo(wanted.accuracy, 9);
  });
});

test('the bottom of a long narrow valley is found', () => {
  const bottom = minimise(
    ([x, y], gradient) => {
      gradient[0] = 2 * (x! - 3);
      gradient[1] = 2000 * (y! + 1);
      return (x! - 3) ** 2 + 1000 * (y! + 1) ** 2;
    },
    new Float64Array(2),
    { tolerance: 1e-9 },
  );
  expect(bottom[0]).toBeCloseTo(3, 8);
  expect(bottom[1]).toBeCloseTo(-1, 8);
});

test('rows that do not fit their labels, and one kind alone, are refused', () => {
  const features = { data: new Float32Array(4), shape: [2, 2] };
  expect(() => fitLinearProbe(features, [0, 2], 2)).toThrow(/labels below 2/);
  expect(() => fitLinearProbe(features, [0], 2)).toThrow(/2 rows/);
  expect(() => fitLinearProbe(features, [0, 1], 2, { c: 0 })).toThrow(/above zero/);
  expect(() => separation([1, 2], [true, true])).toThrow(/0 negatives/);
  expect(() => separation([1, Number.NaN], [true, false])).toThrow(/number/);
});
