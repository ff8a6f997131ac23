import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEngine, type Engine, type RuntimeTensor } from '../../src/engine/engine.ts';
import { lower } from '../../src/engine/onnx/lower.ts';
import { initialValues } from '../../src/graph/initialise.ts';
import { input } from '../../src/graph/operations.ts';
import { parametersOf } from '../../src/graph/value.ts';
import type { TransformerTextArchitecture } from '../../src/models/architecture.ts';
import { sinusoidalPositions } from '../../src/models/text/positions.ts';
import { textTransformer } from '../../src/models/text/transformer.ts';

const base: TransformerTextArchitecture = {
  width: 32,
  layers: 2,
  heads: 2,
  mlpWidth: 64,
  activation: 'gelu_tanh',
  normEpsilon: 1e-5,
  contextLength: 12,
  vocabularySize: 50,
  causal: true,
  positions: 'learned',
  pool: { kind: 'end', endToken: 49 },
  projection: 'linear',
};
const embeddingSize = 16;
const pad = 0;

let engine: Engine;
beforeAll(() => {
  engine = createEngine();
});
afterAll(() => engine.close());

/** Embeddings of rows of ids by a tower of random weights, the same for the same architecture. */
async function embed(
  changes: Partial<TransformerTextArchitecture>,
  rows: number[][],
): Promise<Float32Array[]> {
  const architecture = { ...base, ...changes };
  const length = rows[0]!.length;
  const tokens = input('tokens', [rows.length, length], 'int64');
  const embeddings = textTransformer(architecture, embeddingSize, tokens);
  const session = await engine.compile(lower({ embeddings }));
  const feeds: Record<string, RuntimeTensor> = {
    tokens: { type: 'int64', data: BigInt64Array.from(rows.flat(), BigInt), shape: [rows.length, length] },
  };
  for (const node of parametersOf([embeddings])) {
    const { name, shape } = node.attributes;
    feeds[name] = { type: 'float32', data: initialValues(node.attributes, 3), shape };
  }
  const { embeddings: result } = await session.run(feeds, { fetches: ['embeddings'] });
  await session.release();
  const data = result!.data as Float32Array;
  return rows.map((_, i) => data.subarray(i * embeddingSize, (i + 1) * embeddingSize));
}

function difference(a: Float32Array, b: Float32Array): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

test('sinusoidal positions follow the formula', () => {
  const width = 8;
  const table = sinusoidalPositions(5, width);
  for (let p = 0; p < 5; p++) {
    for (let i = 0; i < width / 2; i++) {
      const angle = p / 10000 ** ((2 * i) / width);
      expect(table[p * width + 2 * i]).toBeCloseTo(Math.sin(angle), 6);
      expect(table[p * width + 2 * i + 1]).toBeCloseTo(Math.cos(angle), 6);
    }
  }
});

test('a causal tower that pools at the end token does not see what follows it', async () => {
  const [a, b] = await embed({}, [
    [1, 5, 6, 49, 7, 8],
    [1, 5, 6, 49, 3, 2],
  ]);
  expect(difference(a!, b!)).toBeLessThan(1e-6);
});

test('one that looks both ways does', async () => {
  const [a, b] = await embed({ causal: false }, [
    [1, 5, 6, 49, 7, 8],
    [1, 5, 6, 49, 3, 2],
  ]);
  expect(difference(a!, b!)).toBeGreaterThan(1e-4);
});

test.each(['learned', 'sinusoidal'] as const)(
  'with %s positions the order of words counts',
  async (positions) => {
    const [a, b] = await embed({ positions, causal: false, pool: { kind: 'last' } }, [
      [1, 5, 6, 7],
      [1, 6, 5, 7],
    ]);
    expect(difference(a!, b!)).toBeGreaterThan(1e-5);
  },
);

test('the end token is the first of its id, or the highest id', async () => {
  const rows = [[1, 5, 49, 6, 49, 7]];
  const [byId] = await embed({}, rows);
  const [highest] = await embed({ pool: { kind: 'end', endToken: 'highest' } }, rows);
  const [cut] = await embed({}, [[1, 5, 49, 0, 0, 0]]);
  expect(difference(byId!, highest!)).toBeLessThan(1e-6);
  expect(difference(byId!, cut!)).toBeLessThan(1e-6);
});

test('pooling by attention gives the same however much padding follows', async () => {
  const changes = { causal: false, pool: { kind: 'attention', heads: 2, padToken: pad } } as const;
  const [short] = await embed(changes, [[1, 5, 6, 49]]);
  const [long] = await embed(changes, [[1, 5, 6, 49, pad, pad, pad, pad]]);
  const [other] = await embed(changes, [[1, 5, 7, 49]]);
  expect(difference(short!, long!)).toBeLessThan(1e-6);
  expect(difference(short!, other!)).toBeGreaterThan(1e-4);
});

test('a batch gives what each sentence gives alone', async () => {
  const rows = [
    [1, 5, 6, 49],
    [1, 9, 49, pad],
    [1, 49, pad, pad],
  ];
  const together = await embed({}, rows);
  for (const [i, row] of rows.entries()) {
    const [alone] = await embed({}, [row]);
    expect(difference(alone!, together[i]!)).toBeLessThan(1e-5);
  }
});
