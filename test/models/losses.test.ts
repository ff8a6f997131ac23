/** Losses against their formulas; their gradients are compared with the original code in test/parity. */
import { afterAll, expect, test } from 'vitest';
import { createEngine } from '../../src/engine/engine.ts';
import { constant } from '../../src/graph/operations.ts';
import { crossEntropy } from '../../src/models/losses.ts';
import { run } from '../graph/run.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

test('cross-entropy is the mean of −log of the probability that the target names', async () => {
  const logits = [
    [1, 2, 3],
    [0, 0, 4],
  ];
  const targets = [
    [0, 1, 0],
    [0.5, 0, 0.5],
  ];
  const expected =
    logits
      .map((row, i) => {
        const sum = row.reduce((total, logit) => total + Math.exp(logit), 0);
        return row.reduce((loss, logit, j) => loss - targets[i]![j]! * Math.log(Math.exp(logit) / sum), 0);
      })
      .reduce((total, loss) => total + loss, 0) / 2;
  const matrix = (rows: number[][]) => constant(Float32Array.from(rows.flat()), [2, 3]);
  const [loss] = await run(engine, [crossEntropy(matrix(logits), matrix(targets))], {});
  expect(loss!.shape).toEqual([]);
  expect(Number(loss!.data[0])).toBeCloseTo(expected, 6);
});
