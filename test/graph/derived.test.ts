/** Functions made of operators have the values of their formulas, and finite gradients. */
import { afterAll, expect, test } from 'vitest';
import { createEngine } from '../../src/engine/engine.ts';
import { flatten, gelu, geluTanh, linear, normalize, sumTo, total } from '../../src/graph/derived.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { constant, input, multiply, reduceSum } from '../../src/graph/operations.ts';
import type { Value } from '../../src/graph/value.ts';
import { run } from './run.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

async function numbers(value: Value): Promise<number[]> {
  const [computed] = await run(engine, [value], {});
  return Array.from(computed!.data as Float32Array);
}

function floats(...data: number[]): Value {
  return constant(Float32Array.from(data));
}

function expectNear(actual: number[], expected: number[], digits = 5): void {
  expect(actual.length).toBe(expected.length);
  actual.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i]!, digits);
  });
}

test('GELU has the values of x·Φ(x), its approximation those of the tanh formula', async () => {
  const x = floats(-3, -1, 0, 0.5, 2);
  expectNear(await numbers(gelu(x)), [-0.00404951, -0.15865525, 0, 0.34573123, 1.95449974]);
  const points = [-3, -1, 0, 0.5, 2];
  const formula = points.map(
    (v) => (v / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  );
  expectNear(await numbers(geluTanh(x)), formula);
});

test('rows become one long; a row of zeros stays, with a gradient that is a number', async () => {
  const x = constant(Float32Array.of(3, 4, 0, 0, -5, 12), [3, 2]);
  expectNear(await numbers(normalize(x)), [0.6, 0.8, 0, 0, -5 / 13, 12 / 13]);
  const [slope] = differentiate(reduceSum(multiply(normalize(x), floats(1, 2)), [0, 1]), [x]);
  const found = await numbers(slope!);
  expect(found.every(Number.isFinite), `${found}`).toBe(true);
  // (w − ŷ·⟨w, ŷ⟩)/‖x‖ with w = (1, 2)
  expectNear(found.slice(0, 2), [(1 - 0.6 * 2.2) / 5, (2 - 0.8 * 2.2) / 5]);
});

test('a linear layer works over the last axis of any array', async () => {
  const x = constant(Float32Array.of(1, 2, 3, 4), [2, 1, 2]);
  const weight = constant(Float32Array.of(1, 0, 0, 1, 1, 1), [3, 2]);
  const y = linear(x, weight, floats(10, 20, 30));
  expect(y.shape).toEqual([2, 1, 3]);
  expect(await numbers(y)).toEqual([11, 22, 33, 13, 24, 37]);
  expect(flatten(y).shape).toEqual([2, 3]);
});

test('sums and totals', async () => {
  const x = constant(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3]);
  expect(await numbers(sumTo(x, [3]))).toEqual([5, 7, 9]);
  expect(await numbers(sumTo(x, [2, 1]))).toEqual([6, 15]);
  expect(await numbers(sumTo(x, []))).toEqual([21]);
  expect(sumTo(x, [2, 3])).toBe(x);
  expect(await numbers(total([floats(1), floats(2), floats(3)]))).toEqual([6]);
  const open = input('open', [2]);
  expect(total([open])).toBe(open);
});
