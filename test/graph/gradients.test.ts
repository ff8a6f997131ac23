/**
 * Every gradient that the engine computes is what finite differences of the reference say. The reference works in
 * doubles, so the differences are exact to about 1e-9, and kinks lie farther away than their step.
 */
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../src/engine/engine.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { randomNumbers } from '../../src/graph/initialise.ts';
import { cast, constant, multiply, reduceSum } from '../../src/graph/operations.ts';
import type { OperatorName } from '../../src/graph/operators.ts';
import { elementCount } from '../../src/graph/tensor.ts';
import type { Value } from '../../src/graph/value.ts';
import { gathering, graphOf, type Operand, operatorCases } from './cases.ts';
import { type Doubles, evaluate } from './reference.ts';
import { expectClose, run } from './run.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

/** The operands that have a gradient, or why there is none. */
const gradients: { readonly [K in OperatorName]: readonly number[] | string } = {
  input: 'it has no inputs',
  parameter: 'it has no inputs',
  constant: 'it has no inputs',
  negate: [0],
  exp: [0],
  log: [0],
  sqrt: [0],
  reciprocal: [0],
  tanh: [0],
  sigmoid: [0],
  erf: [0],
  abs: [0],
  relu: [0],
  clamp: [0],
  silu: [0],
  softplus: [0],
  cast: [0],
  add: [0, 1],
  subtract: [0, 1],
  multiply: [0, 1],
  divide: [0, 1],
  maximum: [0, 1],
  minimum: [0, 1],
  equal: 'its output is bool',
  greater: 'its output is bool',
  where: [1, 2],
  reduceSum: [0],
  reduceMean: [0],
  reduceMax: [0],
  argMax: 'its output is int64',
  softmax: [0],
  logSoftmax: [0],
  reshape: [0],
  transpose: [0],
  concat: [0, 1, 2, 3],
  slice: [0],
  pad: [0],
  fitLength: [0],
  broadcastLike: [0],
  gather: [0],
  scatterAdd: [1],
  selectTokens: [0],
  matmul: [0, 1],
  gemm: [0, 1, 2],
  conv: [0, 1, 2],
  convTranspose: [0, 1],
  averagePool: [0],
  layerNorm: [0, 1, 2],
  batchNorm: [0, 1, 2, 3, 4],
  batchNormTraining: [0, 1, 2],
};

describe.each(Object.entries(gradients))('%s', (name, operands) => {
  const operator = name as OperatorName;
  if (typeof operands === 'string') {
    test(`has no gradient: ${operands}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.gen(), async (draw) => {
          const { inputs, outputs } = graphOf(operator, operatorCases[operator](draw));
          const loss = reduceSum(cast(outputs[0]!, 'float32'), [...outputs[0]!.shape.keys()]);
          const floats = inputs.filter(({ type }) => type === 'float32');
          const zeros = differentiate(loss, floats);
          for (const gradient of zeros) expect(gradient.node.operator).toBe('broadcastLike');
        }),
        { numRuns: 10, endOnFailure: true },
      );
    });
    return;
  }
  test('has the gradient of its finite differences', async () => {
    await fc.assert(
      fc.asyncProperty(fc.gen(), async (draw) => {
        const drawn = operator === 'gather' ? gathering(draw, 0) : operatorCases[operator](draw);
        const { inputs, outputs, feeds } = graphOf(operator, drawn);
        const y = outputs[0]!;
        fc.pre(y.type === 'float32');
        const wanted = operands.filter((i) => inputs[i]?.type === 'float32');
        fc.pre(wanted.length > 0);
        await compare(
          y,
          feeds,
          wanted.map((i) => inputs[i]!),
        );
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });
});

/** Compares the gradients of Σ y ∘ weights, each alone (so that each `wanted` is tried) and all together. */
async function compare(
  y: Value,
  feeds: Readonly<Record<string, Operand>>,
  values: readonly Value[],
): Promise<void> {
  const random = randomNumbers(elementCount(y.shape as number[]));
  const weights = Float32Array.from({ length: elementCount(y.shape as number[]) }, () => 2 * random() - 1);
  const weighted = multiply(y, constant(weights, y.shape as number[]));
  const loss = reduceSum(weighted, [...y.shape.keys()]);
  const together = differentiate(loss, values);
  const alone = values.map((value) => differentiate(loss, [value])[0]!);
  const results = values.length > 1 ? [...together, ...alone] : together;
  const computed = await run(engine, results, feeds);
  results.forEach((result, i) => {
    const value = values[i % values.length]!;
    expect(result.shape).toEqual(value.shape);
    expectSlopes(computed[i]!, loss, feeds, value);
  });
}

/** Central differences: of every element where they are few, else of some, and along one direction through all. */
function expectSlopes(
  gradient: { shape: readonly number[]; data: ArrayLike<number | bigint> },
  loss: Value,
  feeds: Readonly<Record<string, Operand>>,
  value: Value,
): void {
  const name = value.node.operator === 'input' ? value.node.attributes.name : '';
  const operand = feeds[name]!;
  const random = randomNumbers(operand.data.length);
  const slope = (direction: Float64Array): number => {
    const step = 1e-5;
    const at = (sign: number): number => {
      const data = operand.data.map((number, i) => number + sign * step * direction[i]!);
      return evaluate([loss], { ...feeds, [name]: { ...operand, data } })[0]!.data[0]!;
    };
    return (at(1) - at(-1)) / (2 * step);
  };
  const everywhere = operand.data.map(() => 2 * random() - 1);
  const elements = Array.from(operand.data.keys(), (i) => ({ i, order: random() }))
    .sort((a, b) => a.order - b.order)
    .slice(0, 16)
    .map(({ i }) => operand.data.map((_, j) => (i === j ? 1 : 0)));
  const directions = [everywhere, ...elements];
  const numbers = Array.from(gradient.data, Number);
  const along = directions.map((direction) =>
    direction.reduce((total, share, i) => total + share * numbers[i]!, 0),
  );
  const asArray = (data: number[]): Doubles => ({ shape: [data.length], data: Float64Array.from(data) });
  expect([...gradient.shape]).toEqual([...operand.shape]);
  expectClose(asArray(along), asArray(directions.map(slope)), 1e-4);
}
