/** Programs take their weights from wherever they lie, in whatever type, and their results keep their names. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/engine/engine.ts';
import { type LoweringOptions, lower } from '../../../src/engine/onnx/lower.ts';
import { normal, randomNumbers } from '../../../src/graph/initialise.ts';
import {
  add,
  argMax,
  batchNormTraining,
  constant,
  exp,
  gemm,
  input,
  layerNorm,
  matmul,
  multiply,
  parameter,
  reshape,
  scatterAdd,
  softmax,
} from '../../../src/graph/operations.ts';
import type { BoundTensor, DataType } from '../../../src/graph/tensor.ts';
import type { Value } from '../../../src/graph/value.ts';
import type { Operand } from '../../graph/cases.ts';
import { type Doubles, evaluate } from '../../graph/reference.ts';
import { expectClose, run, runtime } from '../../graph/run.ts';

const engine = createEngine({ threads: 2 });
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'eidos-lower-'));
});
afterAll(async () => {
  await engine.close();
  rmSync(folder, { recursive: true });
});

const x = input('x', [2, 3]);
const w = parameter('w', [4, 3], normal(1));
const feeds = { x: floats([2, 3], 1) };
const stored = floats([4, 3], 2); // in quarters, which every type holds exactly

function floats(shape: number[], seed: number): Operand {
  const random = randomNumbers(seed);
  const count = shape.reduce((product, length) => product * length, 1);
  return {
    type: 'float32',
    shape,
    data: Float64Array.from({ length: count }, () => Math.floor(random() * 17 - 8) / 4),
  };
}

/** Compares what a program computes with the reference, the weights bound to what lies somewhere. */
async function expectRight(
  results: Value[],
  options: LoweringOptions,
  {
    fed = feeds,
    weights = { w: stored },
    tolerance = 1e-5,
  }: { fed?: Record<string, Operand>; weights?: Record<string, Doubles>; tolerance?: number } = {},
): Promise<void> {
  const computed = await run(engine, results, fed, options);
  evaluate(results, { ...fed, ...weights }).forEach((expected, i) => {
    expect(computed[i]!.type).toBe(results[i]!.type);
    expectClose(computed[i]!, expected, tolerance);
  });
}

describe('results', () => {
  test('have the names that they were given, whatever they are', async () => {
    const value = exp(x);
    const [both, pair] = [constant(Float32Array.of(1, 2)), constant(Float32Array.of(3, 4))];
    const v1 = input('v1', [3]); // names that a program might make up for itself
    const results = { first: value, second: value, v0: add(value, v1), v2: x, weight: w, both, pair };
    const program = lower(results);
    expect(program.outputs.map(({ name }) => name)).toEqual(Object.keys(results));
    expect(program.inputs.map(({ name }) => name).sort()).toEqual(['v1', 'w', 'x']);
    const session = await engine.compile(program);
    const fetches = Object.keys(results);
    const fed = { ...feeds, w: stored, v1: floats([3], 3) };
    const entries = Object.entries(fed).map(([name, operand]) => [name, runtime(operand)] as const);
    const outputs = await session.run(Object.fromEntries(entries), { fetches });
    const truth = evaluate(Object.values(results), fed);
    fetches.forEach((name, i) => {
      expectClose(outputs[name]!, truth[i]!, 1e-5);
    });
  });

  test('cannot be called like an input or a parameter', () => {
    const named = (text: string) =>
      expect.objectContaining({ code: 'invalid_graph', message: expect.stringContaining(text) });
    expect(() => lower({ x: exp(x) })).toThrow(named('"x"'));
    expect(() => lower({ w: exp(w) })).toThrow(named('"w"'));
  });

  test('may share a graph with results that nobody fetches', async () => {
    const session = await engine.compile(lower({ wanted: exp(x), other: matmul(x, reshape(w, [3, 4])) }));
    const { wanted, ...rest } = await session.run(
      { x: runtime(feeds.x), w: runtime(stored) },
      { fetches: ['wanted'] },
    );
    expect(rest).toEqual({});
    expectClose(wanted!, evaluate([exp(x)], feeds)[0]!, 1e-5);
  });
});

describe('weights', () => {
  const product = gemm(x, w, undefined, { transposeB: true });
  const flipped = gemm(reshape(x, [3, 2]), w, undefined, { transposeA: true, transposeB: true });
  const outside = add(w, 1);

  /** The numbers as a file holds them, row by row or column by column. */
  function encoded(type: DataType, turned: boolean): Uint8Array {
    const [rows, columns] = stored.shape as [number, number];
    const numbers = Array.from(stored.data, (value, i) =>
      turned ? stored.data[(i % rows) * columns + Math.floor(i / rows)]! : value,
    );
    if (type === 'float32') return new Uint8Array(Float32Array.from(numbers).buffer);
    const bits = type === 'bfloat16' ? numbers.map(bfloat16Bits) : numbers.map(float16Bits);
    return new Uint8Array(Uint16Array.from(bits).buffer);
  }

  function bound(name: string, type: DataType, turned: boolean, file?: string): BoundTensor {
    const bytes = encoded(type, turned);
    const common = {
      name,
      type,
      shape: turned ? [3, 4] : [4, 3],
      byteLength: bytes.length,
      transposed: turned,
    };
    if (file === undefined) return { ...common, location: { bytes } };
    const path = join(folder, file);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, new Uint8Array([...new Uint8Array(64), ...bytes, ...new Uint8Array(8)]));
    return { ...common, location: { file: path, offset: 64 } };
  }

  for (const type of ['float32', 'float16', 'bfloat16'] as const) {
    for (const turned of [false, true]) {
      for (const file of [undefined, `${type}-${turned}.bin`]) {
        test(`${type}${turned ? ', transposed' : ''}, ${file === undefined ? 'in memory' : 'in a file'}`, async () => {
          const weights = new Map([['w', bound('w', type, turned, file)]]);
          for (const results of [[product], [flipped], [outside], [w], [product, outside, flipped, w]]) {
            const fed = results.includes(product) || results.includes(flipped) ? feeds : {};
            await expectRight(results, { weights }, { fed });
          }
        });
      }
    }
  }

  test('in two folders, named by what both lie in', async () => {
    const v = parameter('v', [4, 3], normal(1));
    const weights = new Map([
      ['w', bound('w', 'float32', false, 'one/deep/w.bin')],
      ['v', bound('v', 'float32', true, 'one-more/v.bin')],
    ]);
    const results = [gemm(x, w, undefined, { transposeB: true }), multiply(v, w)];
    expect(lower({ a: results[1]! }, { weights }).weightFolder).toBe(folder);
    await expectRight(results, { weights }, { weights: { w: stored, v: stored } });
  });

  test('in folders inside each other, in either order', () => {
    const inner = bound('w', 'float32', false, 'outer/..inner/w.bin');
    const outer = bound('v', 'float32', false, 'outer/v.bin');
    const folderOf = (...tensors: BoundTensor[]) =>
      lower({ y: product }, { weights: new Map(tensors.map((tensor) => [tensor.name, tensor])) })
        .weightFolder;
    expect(folderOf(inner, outer)).toBe(join(folder, 'outer'));
    expect(folderOf(outer, inner)).toBe(join(folder, 'outer'));
    expect(folderOf(inner)).toBe(join(folder, 'outer/..inner'));
    expect(folderOf(bound('w', 'float32', false))).toBeUndefined();
  });

  test('that are not bound are fed', () => {
    expect(
      lower({ y: product })
        .inputs.map(({ name }) => name)
        .sort(),
    ).toEqual(['w', 'x']);
    const weights = new Map([['w', bound('w', 'float32', false)]]);
    expect(lower({ y: product }, { weights }).inputs.map(({ name }) => name)).toEqual(['x']);
  });
});

describe('half floats', () => {
  test('compute inside, single floats outside', async () => {
    const hidden = layerNorm(
      gemm(x, w, undefined, { transposeB: true }),
      input('g', [4]),
      input('b', [4]),
      1e-5,
    );
    const results = [softmax(hidden), argMax(hidden, -1), hidden, x, multiply(hidden, 0.5)];
    const fed = { ...feeds, w: stored, g: floats([4], 3), b: floats([4], 4) };
    await expectRight(results, { floatType: 'float16' }, { fed, tolerance: 4e-3 });
    const [single] = await run(engine, [softmax(hidden)], fed);
    const [half] = await run(engine, [softmax(hidden)], fed, { floatType: 'float16' });
    expect(half!.data).not.toEqual(single!.data); // it is not float32 under another name
  });
});

describe('8-bit weights', () => {
  const random = randomNumbers(5);
  const rows = 3;
  const [width, out] = [64, 32];
  const large = parameter('large', [out, width], normal(1));
  const bias = input('bias', [out]);
  const wide = input('wide', [rows, width]);
  const data = Int8Array.from({ length: width * out }, () => Math.floor(random() * 127) - 63);
  const scales = Float32Array.from({ length: out }, () => 0.01 + random() / 100);
  const quantized = new Map([
    ['large', { name: 'large', shape: [width, out] as [number, number], data, scales }],
  ]);
  const exact = Float64Array.from({ length: width * out }, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    return data[column * out + row]! * scales[row]!;
  });
  const fed = { wide: floats([rows, width], 6), bias: floats([out], 7) };
  const weights = { large: { shape: [out, width], data: exact } };

  test('come close to the product in floats, with a bias, scales and two uses', async () => {
    const transposeB = true;
    const results = [
      gemm(wide, large, bias, { transposeB }),
      gemm(wide, large, undefined, { transposeB, scale: 1.702 }),
      gemm(wide, large, bias, { transposeB, scale: -0.5, biasScale: 3 }),
    ];
    await expectRight(results, { quantized }, { fed, weights, tolerance: 0.01 });
  });

  test('are refused where they are more than the weight of a product', () => {
    const named = expect.objectContaining({
      code: 'invalid_graph',
      message: expect.stringContaining('"large"'),
    });
    expect(() => lower({ y: exp(large) }, { quantized })).toThrow(named);
    expect(() => lower({ y: large }, { quantized })).toThrow(named);
  });
});

describe('pitfalls of onnxruntime', () => {
  test('sums over equal indices are whole with several threads', async () => {
    const [count, width, rows] = [4096, 64, 3];
    const indices = input('indices', [count], 'int64');
    const updates = input('updates', [count, width]);
    const random = randomNumbers(9);
    const places = Float64Array.from({ length: count }, () => Math.floor(random() * rows));
    const fed: Record<string, Operand> = {
      indices: { type: 'int64', shape: [count], data: places },
      updates: floats([count, width], 8), // quarters: their sums are exact
    };
    await expectRight([scatterAdd(indices, updates, rows)], {}, { fed, tolerance: 0 });
  });

  test('norms of a batch keep their statistics apart, even with constant gains', async () => {
    const pictures = input('p', [2, 3, 4, 4]);
    const affine = {
      gain: constant(Float32Array.of(1, 1, 1)),
      bias: constant(Float32Array.of(1, 1, 1)),
    };
    const one = batchNormTraining(pictures, affine, 1e-5);
    const two = batchNormTraining(multiply(one.y, one.y), affine, 1e-5);
    const three = batchNormTraining(exp(two.y), { gain: affine.gain, bias: affine.gain }, 1e-5);
    const results = [one, two, three].flatMap(({ y, mean, variance }) => [mean, variance, y]);
    const late = results.map((value) => multiply(value, 2));
    for (let time = 0; time < 3; time++)
      await expectRight([...results, ...late], {}, { fed: { p: floats([2, 3, 4, 4], time) } });
  });

  test('constants of 0 and −0 stay two', async () => {
    const [zero, negative] = [constant(Float32Array.of(0)), constant(Float32Array.of(-0))];
    const [a, b] = await run(engine, [zero, negative], {});
    expect([...a!.data, ...b!.data]).toEqual([0, -0]);
  });
});

function bfloat16Bits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16;
}

/** Of a number that a half float holds exactly and that is no subnormal one. */
function float16Bits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = (Math.abs(value) / 2 ** exponent - 1) * 1024;
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
}
