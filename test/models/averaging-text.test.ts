/** The averaging text tower beside plain loops, its gradients beside finite differences, and what padding must not do. */
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { createEngine, type RuntimeTensor } from '../../src/engine/engine.ts';
import { lower } from '../../src/engine/onnx/lower.ts';
import { differentiate } from '../../src/graph/differentiate.ts';
import { symbolic } from '../../src/graph/dimension.ts';
import { initialValues, randomNumbers } from '../../src/graph/initialise.ts';
import { input, multiply, reduceSum } from '../../src/graph/operations.ts';
import { parametersOf, type Value } from '../../src/graph/value.ts';
import type { Activation, AveragingTextArchitecture } from '../../src/models/architecture.ts';
import type { Watch } from '../../src/models/layers/transformer.ts';
import { averagingText } from '../../src/models/text/averaging.ts';
import { type Doubles, evaluate } from '../graph/reference.ts';

const end = 19;
const base: AveragingTextArchitecture = {
  kind: 'averaging',
  contextLength: 7,
  vocabularySize: 20,
  width: 4,
  ngrams: [
    { size: 2, width: 3 },
    { size: 3, width: 5 },
  ],
  hidden: 6,
  layers: 3,
  endToken: end,
  activation: 'quick_gelu',
  normEpsilon: 1e-5,
  projection: 'linear',
};
const embeddingSize = 5;

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

/** Random weights, moved where they begin as ones and zeros, so that no place can hide. */
function weightsOf(results: readonly Value[]): Record<string, Doubles> {
  const random = randomNumbers(5);
  return Object.fromEntries(
    parametersOf(results).map(({ attributes }) => {
      const data = Float64Array.from(initialValues(attributes, 3), (number) =>
        attributes.shape.length === 1 ? number + random() - 0.5 : number,
      );
      return [attributes.name, { shape: [...attributes.shape], data }];
    }),
  );
}

function idsOf(rows: readonly (readonly number[])[]): Doubles {
  return { shape: [rows.length, rows[0]!.length], data: Float64Array.from(rows.flat()) };
}

/** Embeddings by the reference of the operators, in doubles. */
function embed(rows: readonly (readonly number[])[], architecture = base): number[][] {
  const ids = input('tokens', [rows.length, rows[0]!.length], 'int64');
  const value = averagingText(architecture, embeddingSize, ids);
  const [result] = evaluate([value], { ...weightsOf([value]), tokens: idsOf(rows) });
  return rows.map((_, i) =>
    Array.from(result!.data.subarray(i * embeddingSize, (i + 1) * embeddingSize), Number),
  );
}

function expectNear(actual: readonly number[], wanted: readonly number[], tolerance = 1e-9): void {
  expect(actual.length).toBe(wanted.length);
  for (const [i, number] of actual.entries())
    expect(Math.abs(number - wanted[i]!)).toBeLessThanOrEqual(tolerance);
}

/** The graph carries factors such as 1.702 as single floats, which are right to seven digits. */
const constantsAreFloats = 1e-6;

/** The definition, word by word, of one sentence without padding. */
function slowly(
  words: readonly number[],
  architecture: AveragingTextArchitecture,
  weights: Record<string, Doubles>,
): number[] {
  const { width, ngrams, hidden, layers, normEpsilon } = architecture;
  const activate = curves[architecture.activation];
  const w = (name: string, at: number): number => weights[name]!.data[at]!;
  const linear = (name: string, x: readonly number[], out: number, bias = true): number[] =>
    Array.from({ length: out }, (_, o) =>
      x.reduce(
        (sum, v, i) => sum + v * w(`${name}.weight`, o * x.length + i),
        bias ? w(`${name}.bias`, o) : 0,
      ),
    );
  const average = (vectors: readonly number[][]): number[] =>
    vectors[0]!.map((_, c) => vectors.reduce((sum, v) => sum + v[c]!, 0) / Math.sqrt(words.length));
  const piece = (place: number): number[] =>
    Array.from({ length: width }, (_, c) =>
      words[place] === undefined ? 0 : w('text.token_embedding', words[place] * width + c),
    );
  const pooled = [
    ...average(words.map((_, place) => piece(place))),
    ...ngrams.flatMap(({ size, width: out }) =>
      average(
        words.map((_, place) => {
          const first = place - Math.floor((size - 1) / 2);
          const around = Array.from({ length: size }, (_, i) => piece(first + i)).flat();
          return linear(`text.ngrams.${size}`, around, out).map(activate);
        }),
      ),
    ),
  ];
  const mean = pooled.reduce((sum, v) => sum + v, 0) / pooled.length;
  const variance = pooled.reduce((sum, v) => sum + (v - mean) ** 2, 0) / pooled.length;
  let x = pooled.map(
    (v, c) =>
      ((v - mean) / Math.sqrt(variance + normEpsilon)) * w('text.norm_before.weight', c) +
      w('text.norm_before.bias', c),
  );
  for (let layer = 0; layer < layers; layer++) {
    const next = linear(`text.blocks.${layer}`, x, hidden).map(activate);
    x = layer === 0 ? next : next.map((v, c) => v + x[c]!);
  }
  if (architecture.projection === 'none') return x;
  return linear('text.projection', x, embeddingSize, architecture.projection === 'linear_bias');
}

const curves: { readonly [A in Activation]: (x: number) => number } = {
  quick_gelu: (x) => x / (1 + Math.exp(-1.702 * x)),
  silu: (x) => x / (1 + Math.exp(-x)),
  relu: (x) => Math.max(x, 0),
  // Φ by its power series, which has 15 digits for the small numbers that occur here.
  gelu: (x) => {
    let [term, sum] = [x, x];
    for (let k = 1; k < 60; k++) {
      term *= -(x * x) / (2 * k);
      sum += term / (2 * k + 1);
    }
    return x * (0.5 + sum / Math.sqrt(2 * Math.PI));
  },
  gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
};

const sentences = [[1, 5, 6, 7, 8, 9, end], [1, 5, 6, end], [1, end], [end]];

/** A sentence in a row of the context's length, with words that nobody may see behind its end. */
function filled(words: readonly number[], seed = 1): number[] {
  const random = randomNumbers(seed);
  return Array.from(
    { length: base.contextLength },
    (_, i) => words[i] ?? Math.floor(random() * base.vocabularySize),
  );
}

test.each<[string, Partial<AveragingTextArchitecture>]>([
  ['two sizes of n-grams', {}],
  ['no n-grams', { ngrams: [] }],
  [
    'single pieces and groups of four',
    {
      ngrams: [
        { size: 1, width: 2 },
        { size: 4, width: 3 },
      ],
    },
  ],
  ['GELU', { activation: 'gelu' }],
  ['the tanh form of GELU', { activation: 'gelu_tanh' }],
  ['a bias at its end', { projection: 'linear_bias' }],
  ['one layer and no projection', { projection: 'none', layers: 1, hidden: embeddingSize }],
])('a tower with %s follows the formula', (_, changes) => {
  const architecture = { ...base, ...changes };
  const embedded = embed(
    sentences.map((words) => filled(words)),
    architecture,
  );
  const weights = weightsOf([
    averagingText(architecture, embeddingSize, input('tokens', [1, base.contextLength], 'int64')),
  ]);
  for (const [i, words] of sentences.entries())
    expectNear(embedded[i]!, slowly(words, architecture, weights), constantsAreFloats);
});

test('whatever follows the end of a sentence, and however much, changes nothing', () => {
  const word = fc.integer({ min: 0, max: end - 1 });
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 5 }),
      fc.array(fc.integer({ min: 0, max: end }), { maxLength: 6 }),
      fc.constantFrom(end, 'highest' as const),
      (words, padding, endToken) => {
        const sentence = [...words, end];
        const architecture = { ...base, contextLength: 12, endToken };
        const [alone] = embed([sentence], architecture);
        const [padded] = embed([[...sentence, ...padding]], architecture);
        expectNear(padded!, alone!, 1e-12);
      },
    ),
    { numRuns: 60 },
  );
});

test('the order of words counts through n-grams alone', () => {
  const rows = [
    [1, 5, 6, 7, end],
    [1, 6, 5, 7, end],
  ];
  const [a, b] = embed(rows);
  expect(Math.max(...a!.map((number, i) => Math.abs(number - b![i]!)))).toBeGreaterThan(1e-3);
  const [bagA, bagB] = embed(rows, { ...base, ngrams: [] });
  expectNear(bagA!, bagB!);
});

test('a row without an end token is a sentence as a whole', () => {
  const row = [1, 5, 6, 7];
  const weights = weightsOf([averagingText(base, embeddingSize, input('tokens', [1, 4], 'int64'))]);
  expectNear(embed([row])[0]!, slowly(row, base, weights), constantsAreFloats);
});

test('the engine gives the same, for any number of sentences', async () => {
  const tokens = input('tokens', [symbolic('n'), base.contextLength], 'int64');
  const embeddings = averagingText(base, embeddingSize, tokens);
  const session = await engine.compile(lower({ embeddings }));
  const weights = Object.fromEntries(
    Object.entries(weightsOf([embeddings])).map(([name, { shape, data }]): [string, RuntimeTensor] => [
      name,
      { type: 'float32', data: Float32Array.from(data), shape },
    ]),
  );
  for (const rows of [sentences, sentences.slice(1, 2)].map((all) => all.map((words) => filled(words)))) {
    const data = BigInt64Array.from(rows.flat(), BigInt);
    const { embeddings: result } = await session.run(
      { ...weights, tokens: { type: 'int64', data, shape: [rows.length, base.contextLength] } },
      { fetches: ['embeddings'] },
    );
    expectNear([...(result!.data as Float32Array)], embed(rows).flat(), 2e-5);
  }
  await session.release();
});

test('the gradient of every parameter is what finite differences say', () => {
  const rows = sentences.map((words) => filled(words));
  const ids = input('tokens', [rows.length, base.contextLength], 'int64');
  const embeddings = averagingText(base, embeddingSize, ids);
  const direction = input('direction', [rows.length, embeddingSize]);
  const loss = reduceSum(multiply(embeddings, direction), [0, 1]);
  const nodes = parametersOf([loss]);
  const gradients = differentiate(
    loss,
    nodes.map((node) => node.outputs[0]!),
  );
  const random = randomNumbers(11);
  const feeds: Record<string, Doubles> = {
    ...weightsOf([loss]),
    tokens: idsOf(rows),
    direction: {
      shape: [rows.length, embeddingSize],
      data: Float64Array.from({ length: rows.length * embeddingSize }, () => random() - 0.5),
    },
  };
  const computed = evaluate(gradients, feeds);
  const step = 1e-5;
  nodes.forEach(({ attributes: { name } }, i) => {
    const { shape, data } = feeds[name]!;
    const at = (place: number, moved: number): number => {
      const changed = Float64Array.from(data);
      changed[place]! += moved;
      return evaluate([loss], { ...feeds, [name]: { shape, data: changed } })[0]!.data[0]!;
    };
    expect(computed[i]!.data.length).toBe(data.length);
    for (let place = 0; place < data.length; place++) {
      const slope = (at(place, step) - at(place, -step)) / (2 * step);
      expect(Math.abs(computed[i]!.data[place]! - slope)).toBeLessThan(1e-6);
    }
  });
  // A piece that stands only behind the ends has no influence.
  const seen = new Set(sentences.flat());
  const unseen = Array.from({ length: base.vocabularySize }, (_, id) => id).filter((id) => !seen.has(id));
  const table = computed[nodes.findIndex(({ attributes }) => attributes.name === 'text.token_embedding')]!;
  for (const id of unseen) expectNear([...table.data.subarray(id * 4, id * 4 + 4)], [0, 0, 0, 0], 0);
});

test('hooks see the pooled vector, every layer and every residual branch, and may replace them', () => {
  const ids = input('tokens', [2, 4], 'int64');
  const seen =
    (names: string[]): Watch =>
    (name, value) => {
      names.push(name);
      return value;
    };
  const watched: string[] = [];
  const branches: string[] = [];
  averagingText(base, embeddingSize, ids, {
    watch: seen(watched),
    branch: seen(branches),
  });
  expect(watched).toEqual(['text.pool', 'text.block.0', 'text.block.1', 'text.block.2']);
  expect(branches).toEqual(['text.blocks.1', 'text.blocks.2']);
  const without = averagingText(base, embeddingSize, ids, { branch: (_, value) => multiply(value, 0) });
  const shallow = averagingText({ ...base, layers: 1 }, embeddingSize, ids);
  const feeds = {
    ...weightsOf([without]),
    tokens: idsOf([
      [1, 5, 6, end],
      [1, 7, end, 0],
    ]),
  };
  const [a, b] = evaluate([without, shallow], feeds);
  expectNear([...a!.data], [...b!.data]);
});
