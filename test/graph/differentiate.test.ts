/** What differentiation does with a whole graph: sums over paths, zeros, seeds, and gradients of gradients. */
import { afterAll, expect, test } from 'vitest';
import { createEngine } from '../../src/engine/engine.ts';
import { differentiate, differentiateFrom } from '../../src/graph/differentiate.ts';
import { symbolic } from '../../src/graph/dimension.ts';
import {
  add,
  batchNormTraining,
  cast,
  clamp,
  constant,
  exp,
  gather,
  input,
  multiply,
  negate,
  reduceMax,
  reduceSum,
  relu,
  reshape,
  tanh,
} from '../../src/graph/operations.ts';
import { nodesOf, type Value } from '../../src/graph/value.ts';
import type { Operand } from './cases.ts';
import { run } from './run.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

const x = input('x', [3]);
const feeds = { x: floats([0.5, -1, 2]) };

function floats(data: number[], shape = [data.length]): Operand {
  return { type: 'float32', shape, data: Float64Array.from(data) };
}

async function numbers(value: Value, fed: Record<string, Operand> = feeds): Promise<number[]> {
  const [computed] = await run(engine, [value], fed);
  return Array.from(computed!.data as Float32Array);
}

function sum(value: Value): Value {
  return reduceSum(value, [...value.shape.keys()]);
}

async function expectNumbers(value: Value, expected: number[]): Promise<void> {
  const computed = await numbers(value);
  expect(computed.length).toBe(expected.length);
  computed.forEach((number, i) => {
    expect(number).toBeCloseTo(expected[i]!, 4);
  });
}

test('adds up the gradients of a value that is used several times', async () => {
  const loss = sum(add(multiply(multiply(x, x), x), add(x, x))); // x³ + 2x
  await expectNumbers(differentiate(loss, [x])[0]!, [2.75, 5, 14]); // 3x² + 2
});

test('gives zeros for a value without influence', async () => {
  const y = input('y', [2, 2]);
  const [dx, dy] = differentiate(sum(x), [x, y]);
  await expectNumbers(dx!, [1, 1, 1]);
  expect(await numbers(dy!, { y: floats([1, 2, 3, 4], [2, 2]) })).toEqual([0, 0, 0, 0]);
});

test('gives gradients of values in the middle of a graph', async () => {
  const middle = exp(x);
  const [dMiddle, dx] = differentiate(sum(multiply(middle, middle)), [middle, x]);
  await expectNumbers(
    dMiddle!,
    Array.from(feeds.x.data, (v) => 2 * Math.exp(v)),
  );
  await expectNumbers(
    dx!,
    Array.from(feeds.x.data, (v) => 2 * Math.exp(2 * v)),
  );
});

test('the loss with respect to itself is one', async () => {
  const loss = sum(x);
  expect(await numbers(differentiate(loss, [loss])[0]!, {})).toEqual([1]);
});

test('refuses a loss that is not one number', () => {
  expect(() => differentiate(x, [x])).toThrow(
    expect.objectContaining({ code: 'invalid_graph', message: expect.stringContaining('[3]') }),
  );
});

test('gradients have gradients', async () => {
  const third = [1, 2, 3].reduce(
    (value) => differentiate(sum(value), [x])[0]!,
    multiply(multiply(x, x), multiply(x, x)),
  );
  await expectNumbers(third, [12, -24, 48]); // (x⁴)‴ = 24x
  const curvature = differentiate(sum(differentiate(sum(tanh(x)), [x])[0]!), [x])[0]!;
  await expectNumbers(
    curvature,
    Array.from(feeds.x.data, (v) => -2 * Math.tanh(v) * (1 - Math.tanh(v) ** 2)),
  );
});

test('starts from given gradients of several results', async () => {
  const [a, b] = [multiply(x, 2), multiply(x, x)];
  const seed = (...data: number[]): Value => constant(Float32Array.from(data));
  const [dx] = differentiateFrom(
    [
      { value: a!, gradient: seed(1, 2, 3) },
      { value: b!, gradient: seed(10, 20, 30) },
    ],
    [x],
  );
  await expectNumbers(dx!, [12, -36, 126]);
});

test('nothing flows through whole numbers', async () => {
  const whole = cast(cast(x, 'int64'), 'float32');
  await expectNumbers(differentiate(sum(multiply(whole, x)), [x])[0]!, [0, -1, 2]);
});

test('computes only what the wanted values need', () => {
  const w = input('w', [3]);
  const [dw] = differentiate(sum(multiply(w, exp(negate(x)))), [w]);
  const operators = nodesOf([dw!]).map(({ operator }) => operator);
  expect(operators.filter((operator) => operator === 'negate')).toEqual(['negate']);
});

test('kinks have a gradient, too', async () => {
  await expectNumbers(differentiate(sum(relu(multiply(x, 0))), [x])[0]!, [0, 0, 0]);
  // As in PyTorch: nothing at the bounds of hardtanh, equal shares of amax.
  await expectNumbers(differentiate(sum(clamp(x, 0.5, 2)), [x])[0]!, [0, 0, 0]);
  const level = multiply(x, 0);
  await expectNumbers(differentiate(reduceMax(level, [0]), [level])[0]!, [1 / 3, 1 / 3, 1 / 3]);
});

test('says where a gradient does not exist', () => {
  const pictures = input('p', [2, 3, 4, 4]);
  const [gain, bias] = [input('g', [3]), input('b', [3])];
  const { mean } = batchNormTraining(pictures, { gain, bias }, 1e-5);
  const invalid = (text: string) =>
    expect.objectContaining({ code: 'invalid_graph', message: expect.stringContaining(text) });
  expect(() => differentiate(sum(mean), [pictures])).toThrow(invalid('batchNormTraining'));
  const columns = gather(pictures, constant(BigInt64Array.of(0n)), 3);
  expect(() => differentiate(sum(columns), [pictures])).toThrow(invalid('axis 0'));
  const open = input('open', [symbolic('n'), 3]);
  const rows = reshape(gather(open, constant(BigInt64Array.of(0n, 1n))), [6]);
  expect(() => differentiate(sum(rows), [open])).toThrow(invalid('gather'));
});
