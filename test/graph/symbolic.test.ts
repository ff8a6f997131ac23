/** A program whose batch is open computes for any batch what a program made for that batch computes. */
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../src/engine/engine.ts';
import { lower } from '../../src/engine/onnx/lower.ts';
import { flatten, linear, normalize, sumTo } from '../../src/graph/derived.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { type Dimension, symbolic } from '../../src/graph/dimension.ts';
import { normal, randomNumbers } from '../../src/graph/initialise.ts';
import {
  add,
  averagePool,
  broadcastLike,
  concat,
  conv,
  gather,
  input,
  layerNorm,
  logSoftmax,
  matmul,
  multiply,
  parameter,
  reduceMean,
  reduceSum,
  relu,
  reshape,
  scalar,
  scatterAdd,
  selectTokens,
  softmax,
  transpose,
} from '../../src/graph/operations.ts';
import { elementCount } from '../../src/graph/tensor.ts';
import type { Value } from '../../src/graph/value.ts';
import type { Operand } from './cases.ts';
import { evaluate } from './reference.ts';
import { expectClose, runtime } from './run.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

type Build = (n: Dimension) => Record<string, Value>;

function weight(name: string, ...shape: number[]): Value {
  return parameter(name, shape, normal(1));
}

/** Attention over patches of a picture, a token chosen per picture, and distances to all others. */
const network: Build = (n) => {
  const pictures = input('pictures', [n, 2, 4, 6]);
  const patches = conv(pictures, weight('patch', 4, 2, 2, 2), weight('patch bias', 4), { strides: [2, 2] });
  const tokens = transpose(reshape(patches, [n, 4, 6]), [0, 2, 1]); // [n, 6, 4]
  const mean = reduceMean(tokens, [1], true);
  const classes = broadcastLike(reshape(weight('class', 4), [1, 1, 4]), mean); // [n, 1, 4]
  const all = layerNorm(concat([classes, tokens], 1), weight('gain', 4), weight('bias', 4), 1e-5);
  const heads = transpose(reshape(linear(all, weight('q', 4, 4)), [n, 7, 2, 2]), [0, 2, 1, 3]);
  const scores = softmax(matmul(heads, transpose(heads, [0, 1, 3, 2])), -1);
  const mixed = reshape(transpose(matmul(scores, heads), [0, 2, 1, 3]), [n, 7, 4]);
  const rows = flatten(mixed); // [7·n, 4]
  const chosen = selectTokens(reshape(rows, [-1, 7, 4]), input('index', [n], 'int64'));
  const unit = normalize(chosen);
  const logits = matmul(unit, transpose(unit, [1, 0])); // [n, n]
  const pooled = reduceMean(averagePool(relu(patches), [2, 2], { strides: [1, 1] }), [2, 3]);
  const loss = reduceMean(reduceMean(multiply(logSoftmax(logits, 1), logits), [1]), [0]);
  return { rows, chosen, logits, pooled, loss };
};

/** What training derives, for the layers whose gradients do not need to know the batch. */
const gradients: Build = (n) => {
  const x = input('x', [n, 3, 4]);
  const w = weight('w', 5, 4);
  const [gain, bias] = [weight('gain', 5), weight('bias', 5)];
  const hidden = layerNorm(relu(linear(x, w, weight('b', 5))), gain, bias, 1e-3);
  const table = weight('table', 6, 5);
  const ids = input('ids', [n, 3], 'int64');
  const summed = add(hidden, gather(table, ids));
  const picked = selectTokens(summed, input('index', [n], 'int64'));
  const loss = reduceMean(reduceSum(multiply(picked, picked), [1]), [0]);
  const names = { x, w, gain, bias, table };
  const derived = differentiate(loss, Object.values(names));
  return { loss, ...Object.fromEntries(Object.keys(names).map((name, i) => [`d ${name}`, derived[i]!])) };
};

const shapes: Build = (n) => {
  const x = input('x', [n, 3, 4]);
  return {
    multiples: reshape(x, [-1, 2]),
    scalars: broadcastLike(scalar(3), x),
    rows: broadcastLike(reshape(reduceSum(x, [0, 1]), [1, 1, 4]), x),
    perPicture: broadcastLike(reduceSum(x, [1, 2], true), x),
    summed: sumTo(x, [4]),
    counted: reduceMean(x, [0, 2]),
    doubled: concat([x, x], 0),
    added: scatterAdd(input('ids', [n, 3], 'int64'), x, 6),
  };
};

const feeds: Readonly<Record<string, (n: number) => Operand>> = {
  pictures: (n) => floats([n, 2, 4, 6]),
  x: (n) => floats([n, 3, 4]),
  index: (n) => integers([n], 3),
  ids: (n) => integers([n, 3], 6),
};

describe.each(Object.entries({ network, gradients, shapes }))('%s', (_, build) => {
  test('one program for batches of 1, 3 and 7', async () => {
    const open = build(symbolic('n'));
    const program = lower(open);
    const session = await engine.compile(program);
    for (const n of [1, 3, 7]) {
      const fixed = build(n);
      const fed: Record<string, Operand> = Object.fromEntries(
        lower(fixed).inputs.map(({ name, shape }) => [name, feeds[name]?.(n) ?? floats(shape as number[])]),
      );
      const fetches = Object.keys(open);
      const runtimeFeeds = Object.entries(fed).map(([name, operand]) => [name, runtime(operand)] as const);
      const computed = await session.run(Object.fromEntries(runtimeFeeds), { fetches });
      const known = await engine.compile(lower(fixed));
      const same = await known.run(Object.fromEntries(runtimeFeeds), { fetches });
      const truth = evaluate(Object.values(open), fed);
      fetches.forEach((name, i) => {
        expectClose(computed[name]!, truth[i]!, 2e-5);
        expectClose(same[name]!, truth[i]!, 2e-5);
        expect(truth[i]!.shape).toEqual(fixed[name]!.shape);
      });
      await known.release();
    }
    await session.release();
  });
});

function floats(shape: readonly number[]): Operand {
  const random = randomNumbers(elementCount(shape));
  return {
    type: 'float32',
    shape,
    data: Float64Array.from({ length: elementCount(shape) }, () => Math.fround(2 * random() - 1)),
  };
}

function integers(shape: readonly number[], below: number): Operand {
  const random = randomNumbers(elementCount(shape));
  return {
    type: 'int64',
    shape,
    data: Float64Array.from({ length: elementCount(shape) }, () => Math.floor(random() * below)),
  };
}
