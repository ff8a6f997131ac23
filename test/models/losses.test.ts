/** Losses and their gradients against their formulas; test/parity compares them with the original code besides. */
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../src/engine/engine.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { constant, input } from '../../src/graph/operations.ts';
import type { Value } from '../../src/graph/value.ts';
import {
  contrastiveLoss,
  crossEntropy,
  divergence,
  featureLoss,
  partialCrossEntropy,
  sigmoidLoss,
} from '../../src/models/losses.ts';
import { run } from '../graph/run.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

type Matrix = readonly (readonly number[])[];

function matrix(rows: Matrix): Value {
  return constant(Float32Array.from(rows.flat()), [rows.length, rows[0]!.length]);
}

/** A loss of one matrix: its value, and its gradient row by row. */
async function lossOf(
  rows: Matrix,
  loss: (x: Value) => Value,
): Promise<{ value: number; gradient: number[] }> {
  const shape = [rows.length, rows[0]!.length];
  const x = input('x', shape);
  const value = loss(x);
  const feeds = { x: { type: 'float32' as const, shape, data: Float64Array.from(rows.flat()) } };
  const [found, gradient] = await run(engine, [value, ...differentiate(value, [x])], feeds);
  expect(found!.shape).toEqual([]);
  return { value: Number(found!.data[0]), gradient: Array.from(gradient!.data as Float32Array) };
}

function softmax(row: readonly number[]): number[] {
  const largest = Math.max(...row);
  const powers = row.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

const transposed = (rows: Matrix): number[][] => rows[0]!.map((_, column) => rows.map((row) => row[column]!));
const sum = (numbers: readonly number[]): number => numbers.reduce((total, value) => total + value, 0);
const entropy = (rows: Matrix, targets: Matrix): number =>
  sum(rows.map((row, i) => -sum(softmax(row).map((p, j) => targets[i]![j]! * Math.log(p))))) / rows.length;

function expectNumbers(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, i) => {
    expect(actual[i], `number ${i}`).toBeCloseTo(value, 5);
  });
}

const logits: Matrix = [
  [3, -1, 0.5],
  [0, 2, 1],
  [-2, 1, 4],
];
/** The first two pictures fit both of their captions. */
const targets: Matrix = [
  [0.5, 0.5, 0],
  [0.5, 0.5, 0],
  [0, 0, 1],
];

test('cross-entropy is the mean of −log of the probability that the target names', async () => {
  const rows = [
    [1, 2, 3],
    [0, 0, 4],
  ];
  const wanted = [
    [0, 1, 0],
    [0.5, 0, 0.5],
  ];
  const { value } = await lossOf(rows, (x) => crossEntropy(x, matrix(wanted)));
  expect(value).toBeCloseTo(entropy(rows, wanted), 6);
});

test('pictures of which nothing is known do not count in the partial cross-entropy', async () => {
  const known = await lossOf(logits.slice(1), (x) => partialCrossEntropy(x, matrix(targets.slice(1))));
  const all = await lossOf(logits, (x) => partialCrossEntropy(x, matrix([[0, 0, 0], ...targets.slice(1)])));
  expect(all.value).toBeCloseTo(known.value, 6);
  expectNumbers(all.gradient, [0, 0, 0, ...known.gradient]);
  const none = await lossOf(logits, (x) => partialCrossEntropy(x, matrix(logits.map(() => [0, 0, 0]))));
  expect(none.value).toBeCloseTo(0, 6);
});

test('the contrastive loss spreads over all captions that fit, both ways', async () => {
  const { value, gradient } = await lossOf(logits, (x) => contrastiveLoss(x, matrix(targets)));
  const ways = entropy(logits, targets) + entropy(transposed(logits), transposed(targets));
  expect(value).toBeCloseTo(ways / 2, 6);
  const across = logits.map(softmax);
  const down = transposed(transposed(logits).map(softmax));
  expectNumbers(
    gradient,
    logits.flatMap((row, i) => row.map((_, j) => (across[i]![j]! + down[i]![j]! - 2 * targets[i]![j]!) / 6)),
  );
});

describe('the sigmoid loss', () => {
  const sigma = (z: number): number => 1 / (1 + Math.exp(-z));

  test('counts every pair whose target is above zero as right, the others as wrong', async () => {
    const { value, gradient } = await lossOf(logits, (x) => sigmoidLoss(x, matrix(targets)));
    const signs = targets.map((row) => row.map((target) => (target > 0 ? 1 : -1)));
    const each = logits.flatMap((row, i) => row.map((z, j) => ({ z, sign: signs[i]![j]! })));
    expect(value).toBeCloseTo(-sum(each.map(({ z, sign }) => Math.log(sigma(sign * z)))) / 3, 5);
    expectNumbers(
      gradient,
      each.map(({ z, sign }) => (-sign * sigma(-sign * z)) / 3),
    );
  });

  test('without targets has its right pairs on the diagonal', async () => {
    const diagonal = logits.map((_, i) => logits.map((_, j) => (i === j ? 1 : 0)));
    const given = await lossOf(logits, (x) => sigmoidLoss(x, matrix(diagonal)));
    expect(await lossOf(logits, (x) => sigmoidLoss(x))).toEqual(given);
  });
});

test('foretold features are compared by cosine where the teacher has seen the picture', async () => {
  const wanted = [
    [1, 0],
    [0, 0],
    [0.6, 0.8],
  ];
  const foretold = [
    [0.8, 0.6],
    [1, 0],
    [0, 1],
  ];
  const { value, gradient } = await lossOf(foretold, (x) => featureLoss(x, matrix(wanted)));
  expect(value).toBeCloseTo(1 - (0.8 + 0.8) / 2, 6);
  expectNumbers(
    gradient,
    wanted.flat().map((x) => -x / 2),
  );
});

describe('the divergence from a teacher', () => {
  test('is Σ t·log(t / s), whose gradient is s − t', async () => {
    const teacher = [
      [1, 0, 2],
      [0, 0, 0],
      [5, 1, 1],
    ];
    const { value, gradient } = await lossOf(logits, (x) => divergence(x, matrix(teacher)));
    const s = logits.map(softmax);
    const t = teacher.map(softmax);
    const each = t.flatMap((row, i) => row.map((p, j) => p * Math.log(p / s[i]![j]!)));
    expect(value).toBeCloseTo(sum(each) / 3, 5);
    expectNumbers(
      gradient,
      s.flatMap((row, i) => row.map((p, j) => (p - t[i]![j]!) / 3)),
    );
  });

  test('is never below zero, and zero where both say the same up to a constant', {
    timeout: 30_000,
  }, async () => {
    const row = fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 3, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.tuple(row, row), fc.tuple(row, row), async (student, teacher) => {
        expect((await lossOf(student, (x) => divergence(x, matrix(teacher)))).value).toBeGreaterThan(-1e-6);
        const shifted = student.map((values, i) => values.map((value) => value + i + 1));
        expect((await lossOf(student, (x) => divergence(x, matrix(shifted)))).value).toBeCloseTo(0, 6);
      }),
      { numRuns: 10, endOnFailure: true },
    );
  });

  test('leaves rows out that do not count', async () => {
    const teacher: Matrix = [
      [9, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ];
    const counted = matrix([[0], [1], [1]]);
    const some = await lossOf(logits, (x) => divergence(x, matrix(teacher), counted));
    const others = await lossOf(logits.slice(1), (x) => divergence(x, matrix(teacher.slice(1))));
    expect(some.value).toBeCloseTo(others.value, 5);
  });
});
