/** What does not fit is refused while a model is written, with the operator and the shapes in the message. */
import { describe, expect, test } from 'vitest';
import { EidosError } from '../../src/errors.ts';
import { symbolic } from '../../src/graph/dimension.ts';
import { normal } from '../../src/graph/initialise.ts';
import * as g from '../../src/graph/operations.ts';
import { shapeRules } from '../../src/graph/shapes.ts';
import { parametersOf, type Value } from '../../src/graph/value.ts';
import { verify } from '../../src/graph/verify.ts';

const x = g.input('x', [2, 3]);
const n = symbolic('n');
const open = g.input('open', [n, 3]);
const whole = g.input('whole', [2, 3], 'int64');
const truth = g.input('truth', [2, 3], 'bool');
const pictures = g.input('pictures', [2, 4, 5, 5]);
const kernel = g.input('kernel', [6, 4, 3, 3]);
const vector = (length: number): Value => g.input(`vector${length}`, [length]);

test('every operator has a function of its name', () => {
  const functions: Readonly<Record<string, unknown>> = g;
  const missing = Object.keys(shapeRules).filter((operator) => typeof functions[operator] !== 'function');
  expect(missing).toEqual([]);
});

/** What is written, and what the message must hold beside the operator's name. */
const misfits: readonly [string, () => unknown, ...string[]][] = [
  ['constant', () => g.constant(Float32Array.of(1, 2), [3]), '2 numbers', '[3]'],
  ['exp', () => g.exp(whole), 'int64'],
  ['log', () => g.log(whole), 'int64'],
  ['abs', () => g.abs(truth), 'bool'],
  ['clamp', () => g.clamp(whole, 0, 6), 'int64'],
  ['clamp', () => g.clamp(x, 6, 0), 'between 6 and 0'],
  ['add', () => g.add(x, vector(2)), '[2, 3]', '[2]'],
  ['add', () => g.add(open, g.input('other', [symbolic('m'), 3])), '[n, 3]', '[m, 3]'],
  ['multiply', () => g.multiply(x, whole), 'float32', 'int64'],
  ['subtract', () => g.subtract(truth, truth), 'bool'],
  ['greater', () => g.greater(truth, truth), 'bool'],
  ['where', () => g.where(x, x, x), 'float32', 'bool'],
  ['where', () => g.where(truth, x, whole), 'float32', 'int64'],
  ['reduceSum', () => g.reduceSum(x, [2]), '[2, 3]', 'axis 2'],
  ['reduceSum', () => g.reduceSum(x, [-1, 1]), 'twice'],
  ['reduceMean', () => g.reduceMean(whole, [0]), 'int64'],
  ['reduceMax', () => g.reduceMax(whole, [0]), 'int64'],
  ['argMax', () => g.argMax(x, -3), 'axis -1'],
  ['softmax', () => g.softmax(x, 5), 'axis 5'],
  ['reshape', () => g.reshape(x, [4, 2]), '[2, 3]', '[4, 2]'],
  ['reshape', () => g.reshape(open, [6]), '[n, 3]', '[6]'],
  ['reshape', () => g.reshape(x, [-1, 4]), '[2, 3]', '[1.5, 4]'],
  ['reshape', () => g.reshape(x, [-1, -1]), '[2, 3]'],
  ['reshape', () => g.reshape(open, [n, 2, -1]), '[n, 3]', '1.5'],
  ['transpose', () => g.transpose(x, [0, 0]), '[0,0]', '[2, 3]'],
  ['transpose', () => g.transpose(x, [0, 1, 2]), '[2, 3]'],
  ['concat', () => g.concat([x, pictures], 0), '[2, 4, 5, 5]', '[2, 3]'],
  ['concat', () => g.concat([x, whole], 0), 'joined'],
  ['slice', () => g.slice(x, 1, 0, 4), '0…4', '[2, 3]'],
  ['slice', () => g.slice(x, 1, 2, -5, -1), '2…-5'],
  ['slice', () => g.slice(x, 1, 2, 1), 'nothing'],
  ['slice', () => g.slice(x, 1, 0, 3, 0), 'axis 1'],
  ['slice', () => g.slice(open, 0, 0, 1), '[n, 3]'],
  ['pad', () => g.pad(x, [1], [1]), '[2, 3]'],
  ['pad', () => g.pad(x, [0, -1], [0, 0]), 'cut'],
  ['pad', () => g.pad(open, [1, 0], [0, 0]), 'symbolic'],
  ['broadcastLike', () => g.broadcastLike(pictures, x), '[2, 4, 5, 5]', '[2, 3]'],
  ['gather', () => g.gather(x, x), 'float32', 'int64'],
  ['scatterAdd', () => g.scatterAdd(g.input('i', [3], 'int64'), x, 5), '[2, 3]', '[3]'],
  ['scatterAdd', () => g.scatterAdd(whole, whole, 5), 'int64'],
  ['selectTokens', () => g.selectTokens(x, whole), '[2, 3]'],
  ['matmul', () => g.matmul(x, x), '[2, 3]'],
  ['matmul', () => g.matmul(x, vector(3)), '[2, 3] × [3]'],
  ['gemm', () => g.gemm(x, x), '[2, 3] × [2, 3]'],
  ['gemm', () => g.gemm(x, x, vector(3), { transposeB: true }), '[3]', '[2, 2]'],
  ['gemm', () => g.gemm(pictures, x), 'matrices'],
  ['conv', () => g.conv(pictures, kernel, undefined, { groups: 2 }), '2 groups', '[6, 4, 3, 3]'],
  ['conv', () => g.conv(pictures, kernel, vector(4)), 'bias [4]', '6 channels'],
  ['conv', () => g.conv(pictures, kernel, undefined, { dilations: [3, 1] }), '7', '5 pixels'],
  ['conv', () => g.conv(x, kernel), '[2, 3]'],
  ['convTranspose', () => g.convTranspose(pictures, kernel), '[6, 4, 3, 3]', '[2, 4, 5, 5]'],
  ['averagePool', () => g.averagePool(pictures, [2, 2], { padding: [2, 0, 0, 0] }), '[2,0,0,0]', '[2,2]'],
  ['averagePool', () => g.averagePool(pictures, [6, 6]), '6', '5 pixels'],
  ['layerNorm', () => g.layerNorm(x, vector(2), vector(3), 1e-5), '[2, 3]'],
  [
    'batchNormTraining',
    () => g.batchNormTraining(pictures, { gain: vector(5), bias: vector(4) }, 1),
    '[2, 4, 5, 5]',
  ],
  ['batchNormTraining', () => g.batchNormTraining(x, { gain: vector(3), bias: vector(3) }, 1), '[2, 3]'],
];

describe('refuses', () => {
  test.each(misfits)('%s where it does not fit (%#)', (operator, write, ...parts) => {
    let error: unknown;
    try {
      write();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(EidosError);
    const { code, message } = error as EidosError;
    expect(code).toBe('invalid_graph');
    expect(message.startsWith(`${operator}: `), message).toBe(true);
    for (const part of parts) expect(message).toContain(part);
  });
});

describe('infers', () => {
  test('multiples of an open size', () => {
    expect(g.reshape(open, [-1]).shape).toEqual([{ symbol: 'n', factor: 3 }]);
    expect(g.reshape(g.reshape(open, [-1]), [-1, 3]).shape).toEqual([n, 3]);
    expect(g.concat([open, open], 0).shape).toEqual([{ symbol: 'n', factor: 2 }, 3]);
    expect(g.add(open, g.input('one', [1, 3])).shape).toEqual([n, 3]);
  });

  test('a negative axis from the end', () => {
    expect(g.reduceSum(pictures, [-1, -2]).shape).toEqual([2, 4]);
    expect(g.reduceSum(pictures, [-1], true).shape).toEqual([2, 4, 5, 1]);
    expect(g.argMax(pictures, -3)).toMatchObject({ shape: [2, 5, 5], type: 'int64' });
  });
});

describe('verify', () => {
  const message = (results: Value[]): string => {
    try {
      verify(results);
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid_graph' });
      return (error as Error).message;
    }
    return '';
  };

  test('accepts a sound graph, with a value used twice', () => {
    expect(message([g.add(x, x), g.exp(x)])).toBe('');
  });

  test('finds a name that stands for two things', () => {
    expect(message([g.add(x, g.input('x', [2, 3]))])).toContain('"x"');
    expect(message([g.add(x, g.parameter('x', [3], normal(1)))])).toContain('"x"');
  });

  test('finds shapes and types that are not what they say', () => {
    const forged = (change: Partial<Value>): Value => {
      const honest = g.exp(x);
      const node = { ...honest.node, outputs: [] as Value[] };
      const output = { ...honest, ...change, node: node as Value['node'] };
      node.outputs.push(output);
      return output;
    };
    expect(message([forged({ shape: [3, 2] })])).toMatch(/exp.*\[3, 2\].*\[2, 3\]/);
    expect(message([forged({ type: 'int64' })])).toMatch(/exp.*int64.*float32/);
    expect(message([forged({})])).toBe('');
  });

  test('walks a graph that is deeper than the call stack', () => {
    let deep: Value = x;
    for (let i = 0; i < 50_000; i++) deep = g.negate(deep);
    expect(message([deep])).toBe('');
    const w = g.parameter('w', [3], normal(1));
    expect(parametersOf([g.add(deep, w)]).map(({ attributes }) => attributes.name)).toEqual(['w']);
  });
});
