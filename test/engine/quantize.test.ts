import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileGraph } from '../../src/engine/compile.ts';
import { parseFlags } from '../../src/engine/cpu.ts';
import { createEngine, type Engine } from '../../src/engine/engine.ts';
import { quantizeWeights } from '../../src/engine/quantize.ts';
import { symbolic } from '../../src/graph/dimension.ts';
import { normal, ones, zeros } from '../../src/graph/initialise.ts';
import { gemm, input, layerNorm, parameter } from '../../src/graph/operations.ts';
import type { BoundTensor } from '../../src/graph/tensor.ts';
import { network, rowCosines, samples, temporaryFolder, width, writeWeights } from './network.ts';

let engine: Engine;
beforeAll(() => {
  engine = createEngine({ threads: 1 });
});
afterAll(() => engine.close());

const results = network(3);

/** Six channels twelve times as large as the others, as trained transformers have them. */
function withOutliers(name: string, values: Float32Array): void {
  if (name.endsWith('norm.weight')) for (const channel of [3, 20, 41, 60, 77, 90]) values[channel]! *= 12;
}

async function compare(
  weights: Map<string, BoundTensor>,
  int8Range: 'full' | 'reduced',
): Promise<{ mean: number; least: number }> {
  const x = samples(64);
  const exact = await compileGraph(engine, results, weights);
  const rounded = await compileGraph(engine, results, weights, { dtype: 'int8', int8Range });
  const [a, b] = [await exact.run({ x }, { fetches: ['y'] }), await rounded.run({ x }, { fetches: ['y'] })];
  const cosines = rowCosines(a.y!.data as Float32Array, b.y!.data as Float32Array);
  await exact.release();
  await rounded.release();
  return {
    mean: cosines.reduce((sum, cosine) => sum + cosine) / cosines.length,
    least: Math.min(...cosines),
  };
}

describe.each(['full', 'reduced'] as const)('8 bits, %s range', (range) => {
  test('stay close to single floats', async () => {
    const weights = writeWeights(results, `${temporaryFolder()}/weights`);
    const { mean, least } = await compare(weights, range);
    expect(mean).toBeGreaterThan(range === 'full' ? 0.9998 : 0.9995);
    expect(least).toBeGreaterThan(0.999);
  });

  test('stay close with outlier channels', async () => {
    const weights = writeWeights(results, `${temporaryFolder()}/weights`, withOutliers);
    const { mean, least } = await compare(weights, range);
    expect(mean).toBeGreaterThan(0.999);
    expect(least).toBeGreaterThan(0.998);
  });
});

test('a row does not depend on the other rows', async () => {
  const weights = writeWeights(results, `${temporaryFolder()}/weights`);
  const session = await compileGraph(engine, results, weights, { dtype: 'int8' });
  const alone = samples(1);
  const together = samples(9);
  together.data.set(alone.data, 4 * width);
  together.data.fill(1000, 0, width);
  const [one, nine] = [alone, together].map((x) => session.run({ x }, { fetches: ['y'] }));
  const [a, b] = [(await one!).y!.data, (await nine!).y!.data];
  expect(b.slice(4 * width, 5 * width)).toEqual(a);
  await session.release();
});

test('rows of zeros give zeros', async () => {
  const x = input('x', [8, 64]);
  const product = { y: gemm(x, parameter('w', [64, 64], normal(1)), undefined, { transposeB: true }) };
  const weights = writeWeights(product, `${temporaryFolder()}/weights`);
  const session = await compileGraph(engine, product, weights, { dtype: 'int8' });
  const zero = { type: 'float32', data: new Float32Array(8 * 64), shape: [8, 64] } as const;
  const { y } = await session.run({ x: zero }, { fetches: ['y'] });
  expect(y!.data).toEqual(new Float32Array(8 * 64));
  await session.release();
});

describe('the numbers', () => {
  const product = (out: number, inner: number) => ({
    y: gemm(input('x', [8, inner]), parameter('w', [out, inner], normal(1)), undefined, { transposeB: true }),
  });

  /** value = scale · number, to half a step. */
  function expectNumbers(
    quantized: { data: unknown; scales: Float32Array },
    values: Float32Array,
    [out, inner]: [number, number],
    limit: number,
  ): void {
    const data = quantized.data as Int8Array;
    let worst = 0;
    for (let row = 0; row < out; row++) {
      const scale = quantized.scales[row]!;
      let largest = 0;
      for (let column = 0; column < inner; column++) {
        const number = data[column * out + row]!;
        largest = Math.max(largest, Math.abs(number));
        worst = Math.max(worst, Math.abs(values[row * inner + column]! / scale - number));
      }
      expect(largest).toBe(limit);
    }
    expect(worst).toBeLessThan(0.501);
  }

  test.each([
    [64, 64],
    [130, 67],
    [65, 200],
  ])('of [%i, %i] are the nearest, whatever the file holds', async (out, inner) => {
    const graph = product(out, inner);
    const file = `${temporaryFolder()}/weights`;
    let values = new Float32Array(0);
    // Multiples of 1/8 below 16 are exact in each of the three types.
    const weights = writeWeights(graph, file, (_, initial) => {
      for (let i = 0; i < initial.length; i++)
        initial[i] = Math.max(-15, Math.min(15, Math.round(initial[i]! * 8) / 8));
      values = initial.slice();
    });
    const stored = weights.get('w')!;
    const turned = new Float32Array(values.length);
    for (let row = 0; row < out; row++) {
      for (let column = 0; column < inner; column++)
        turned[column * out + row] = values[row * inner + column]!;
    }
    const upper = (data: Float32Array): Uint8Array => {
      const bits = new Uint32Array(data.buffer);
      return new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer);
    };
    const half = (data: Float32Array): Uint8Array => new Uint8Array(Uint16Array.from(data, halfBits).buffer);
    const memory = (bytes: Uint8Array): Pick<BoundTensor, 'location' | 'byteLength'> => ({
      location: { bytes },
      byteLength: bytes.length,
    });
    const variants: BoundTensor[] = [
      stored,
      { ...stored, type: 'bfloat16', ...memory(upper(values)) },
      { ...stored, type: 'float16', ...memory(half(values)) },
      { ...stored, transposed: true, shape: [inner, out], ...memory(new Uint8Array(turned.buffer)) },
      { ...stored, type: 'float16', transposed: true, shape: [inner, out], ...memory(half(turned)) },
    ];
    for (const variant of variants) {
      for (const [int8Range, limit] of [
        ['full', 127],
        ['reduced', 63],
      ] as const) {
        const { quantized } = await quantizeWeights(graph, new Map([['w', variant]]), { int8Range });
        expectNumbers(quantized.get('w')!, values, [out, inner], limit);
      }
    }
  });

  test.each([Number.NaN, Infinity, -Infinity])(
    'with %d among them, in either orientation, are an error',
    async (value) => {
      const graph = product(64, 65);
      const weights = writeWeights(graph, `${temporaryFolder()}/weights`, (_, values) => {
        values[70] = value;
      });
      const stored = weights.get('w')!;
      for (const variant of [stored, { ...stored, transposed: true, shape: [65, 64] }]) {
        await expect(quantizeWeights(graph, new Map([['w', variant]]))).rejects.toMatchObject({
          code: 'not_finite',
          message: expect.stringContaining("'w'"),
        });
      }
    },
  );

  test('of a file that is cut off are an error', async () => {
    const graph = product(64, 64);
    const weights = writeWeights(graph, `${temporaryFolder()}/weights`);
    const stored = weights.get('w')!;
    const beyond = {
      ...stored,
      location: { file: (stored.location as { file: string }).file, offset: 1000 },
    };
    const quantizing = quantizeWeights(graph, new Map([['w', beyond]]));
    await expect(quantizing).rejects.toMatchObject({ code: 'invalid_checkpoint' });
  });
});

test('weights of small, few-row and other products, and shared ones, stay as they are', async () => {
  const x = input('x', [8, 64]);
  const named = (name: string, shape: number[]) => parameter(name, shape, normal(1));
  const turned = named('turned', [64, 64]);
  const twice = named('twice', [64, 64]);
  const small = named('small', [32, 64]);
  const plain = named('plain', [64, 64]);
  const graph = {
    a: gemm(x, turned),
    b: gemm(gemm(x, twice, undefined, { transposeB: true }), twice),
    c: gemm(x, small, undefined, { transposeB: true }),
    d: gemm(x, plain, undefined, { transposeB: true }),
    e: gemm(input('pooled', [symbolic('n'), 64]), named('projection', [64, 64]), undefined, {
      transposeB: true,
    }),
  };
  const weights = writeWeights(graph, `${temporaryFolder()}/weights`);
  const { quantized } = await quantizeWeights(graph, weights);
  expect([...quantized.keys()]).toEqual(['plain']);
});

test('gains move into weights only where nothing else reads the norm', async () => {
  const x = input('x', [8, 64]);
  const norm = layerNorm(x, parameter('gain', [64], ones), parameter('bias', [64], zeros), 1e-5);
  const y = gemm(norm, parameter('w', [64, 64], normal(1)), undefined, { transposeB: true });
  const file = `${temporaryFolder()}/weights`;
  const weights = writeWeights({ y }, file, (name, values) => {
    if (name === 'gain') values[5] = 16;
  });
  const moved = await quantizeWeights({ y }, weights);
  const { location } = moved.weights.get('gain')!;
  const gains = new Float32Array((location as { bytes: Uint8Array }).bytes.slice().buffer);
  expect([gains[4], gains[5]]).toEqual([1, 4]);
  const kept = await quantizeWeights({ y, norm }, weights);
  expect(kept.weights.get('gain')).toBe(weights.get('gain'));
});

test('flags of the processor as Linux writes them', () => {
  const flags = parseFlags('model name\t: X\nflags\t\t: fpu avx2 avx512_vnni\nbugs\t: none\n');
  expect([...flags]).toEqual(['fpu', 'avx2', 'avx512_vnni']);
  expect(parseFlags('').size).toBe(0);
});

/** The half float of a multiple of 1/8 between −16 and 16. */
function halfBits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = Math.abs(value) / 2 ** exponent - 1;
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | (fraction * 1024);
}
