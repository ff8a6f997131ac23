/** The image net's own answers as targets, against plain loops, and the names that they are foretold from. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createEngine, type RuntimeTensor } from '../../../src/engine/engine.ts';
import { differentiate } from '../../../src/graph/differentiate.ts';
import { randomNumbers } from '../../../src/graph/initialise.ts';
import { constant, input, parameter } from '../../../src/graph/operations.ts';
import type { ClipArchitecture } from '../../../src/models/architecture.ts';
import { partialCrossEntropy, similarityLogits } from '../../../src/models/losses.ts';
import { createNameBatches, readClassNames } from '../../../src/train/data/class-names.ts';
import { captionsSchema } from '../../../src/train/data/config.ts';
import { imageTowerSchema, lossSchema } from '../../../src/train/step/config.ts';
import { distillationLoss } from '../../../src/train/step/distillation.ts';
import { type OpenStepOptions, openStep } from '../../../src/train/step/open-step.ts';
import { openProgram, type Tensors } from '../../../src/train/step/program.ts';
import { temporaryFolder, tokenizer } from '../data/tiny-data.ts';
import { firstState, floats, number, toy, toyBatch, toyEfficientNet } from './toy.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());
const folder = temporaryFolder();

const [batch, names, width] = [4, 3, 12];
const architecture: ClipArchitecture = {
  ...toy,
  image: toyEfficientNet(width, { pool: 'average_max', projection: { kind: 'linear' } }),
};

/** What a batch brings beside captions: features, of which the first half is the mean of the last map, and names. */
const beside = (): Tensors => ({
  image_features: floats(randomNumbers(4), batch, 2 * width),
  name_tokens: { ...toyBatch(batch, 3).class_tokens! },
});

type Rows = number[][];
function rowsOf({ data, shape }: RuntimeTensor, to = shape[1]!): Rows {
  const all = data as Float32Array;
  return Array.from({ length: shape[0]! }, (_, row) =>
    Array.from(all.subarray(row * shape[1]!, row * shape[1]! + to)),
  );
}
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const unit = (row: number[]): number[] => row.map((x) => x / Math.hypot(...row));
function softmax(row: readonly number[]): number[] {
  const powers = row.map((x) => Math.exp(x));
  return powers.map((power) => power / powers.reduce((sum, x) => sum + x, 0));
}

const locked = imageTowerSchema.parse({ kind: 'features' });
const loss = (changes: object) =>
  lossSchema.parse({ contrastive: { weight: 0 }, distillation: { names: 'names.jsonl', ...changes } });

async function told(options: Partial<OpenStepOptions>) {
  const step = await openStep(engine, architecture, { batch, names, imageTower: locked, ...options });
  const state = { ...firstState(step) };
  const random = floats(randomNumbers(8), names, toy.embeddingSize);
  if (state['distillation.embeddings'] !== undefined) {
    state['distillation.embeddings'] = { ...random, data: Float32Array.from(rowsOf(random).flatMap(unit)) };
  }
  await step.setState(state);
  const outputs = await step.run(
    { ...toyBatch(batch, 2), ...beside() },
    { step: 1, learningRate: 0.01, seed: 0 },
  );
  return { step, state, outputs, after: await step.getState() };
}

test.each(['cached', 'embedded'] as const)(
  'the part is the cross-entropy of %s names, as loops say',
  async (classes) => {
    const temperature = 0.7;
    const { step, state, outputs } = await told({ loss: loss({ temperature, classes }) });
    const features = beside().image_features!;
    const images = rowsOf(features).map((row) =>
      unit(rowsOf(state['image.projection.weight']!).map((weights) => dot(row, weights))),
    );
    const rows =
      classes === 'cached' ? rowsOf(state['distillation.embeddings']!) : await embeddedNames(step, state);
    const bias = Array.from(state['image.classifier.bias']!.data as Float32Array);
    const weight = rowsOf(state['image.classifier.weight']!);
    expect(weight.map((row) => row.length)).toEqual([width, width, width]);
    const entropies = rowsOf(features, width).map((seen, at) => {
      const target = softmax(weight.map((row, one) => (dot(seen, row) + bias[one]!) / temperature));
      return -dot(target, softmax(rows.map((row) => dot(images[at]!, row) / 0.07)).map(Math.log));
    });
    const expected = entropies.reduce((sum, one) => sum + one, 0) / batch;
    expect(number(outputs, 'loss:distillation')).toBeCloseTo(expected, 4);
    expect(number(outputs, 'loss')).toBeCloseTo(expected, 4);
  },
);

/** The names through the text tower alone: a step whose captions are the names. */
async function embeddedNames(step: Awaited<ReturnType<typeof openStep>>, state: Tensors): Promise<Rows> {
  const { textEncoder } = await import('../../../src/models/clip.ts');
  const { normalize } = await import('../../../src/graph/derived.ts');
  const tokens = input('tokens', [names, 4], 'int64');
  const program = await openProgram(engine, { rows: normalize(textEncoder(architecture, tokens)) });
  const texts = Object.fromEntries(Object.entries(state).filter(([name]) => program.inputs.has(name)));
  expect(step.batchInputs.has('name_tokens')).toBe(true);
  const { rows } = await program.session.run(
    { ...texts, tokens: beside().name_tokens! },
    { fetches: ['rows'] },
  );
  return rowsOf(rows!);
}

test('names may be shared with what classes are kinds of, and the whole picture be asked about in place of the view', async () => {
  // Three names for two classes: the second is foretold by its own name and by the third, which is its kind.
  const shares = [
    [1, 0, 0],
    [0, 0.75, 0.25],
  ];
  const whole = floats(randomNumbers(11), batch, 2 * width);
  const step = await openStep(engine, architecture, {
    batch,
    names,
    namedClasses: shares.length,
    imageTower: locked,
    loss: loss({ classes: 'cached', view: 'whole' }),
  });
  const random = floats(randomNumbers(8), names, toy.embeddingSize);
  const state: Tensors = {
    ...firstState(step),
    'distillation.embeddings': { ...random, data: Float32Array.from(rowsOf(random).flatMap(unit)) },
  };
  await step.setState(state);
  const { image_features } = beside();
  const outputs = await step.run(
    {
      image_features: image_features!,
      whole_features: whole,
      name_shares: { type: 'float32', data: Float32Array.from(shares.flat()), shape: [2, names] },
    },
    { step: 1, learningRate: 0.01, seed: 0 },
  );
  const weight = rowsOf(state['image.classifier.weight']!);
  expect(weight).toHaveLength(2);
  const bias = Array.from(state['image.classifier.bias']!.data as Float32Array);
  const rows = rowsOf(state['distillation.embeddings']!);
  const views = rowsOf(image_features!);
  const entropies = rowsOf(whole, width).map((seen, at) => {
    const answers = softmax(weight.map((row, one) => dot(seen, row) + bias[one]!));
    const target = [0, 1, 2].map((name) => answers.reduce((sum, p, one) => sum + p * shares[one]![name]!, 0));
    const image = unit(rowsOf(state['image.projection.weight']!).map((to) => dot(views[at]!, to)));
    return -dot(target, softmax(rows.map((row) => dot(image, row) / 0.07)).map(Math.log));
  });
  expect(number(outputs, 'loss:distillation')).toBeCloseTo(
    entropies.reduce((sum, one) => sum + one, 0) / batch,
    4,
  );
});

test('kinds of ImageNet’s classes stand behind the classes, and one that is a class itself is not said twice', async () => {
  const rows = Array.from({ length: 1000 }, (_, index) => ({
    index,
    wnid: `n${index}`,
    en: `class ${index}`,
  }));
  rows[258]!.en = 'Samoyed';
  // A class with the name of its kind: 339 is a kind of horse.
  rows[339]!.en = 'horse';
  const file = join(folder.path, 'thousand.jsonl');
  await writeFile(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  const { concepts, classes, shares } = await readClassNames(file, ['en'], 0.4);
  expect(classes).toBe(1000);
  const place = (key: string): number => concepts.findIndex((concept) => concept.key === key);
  const row = (index: number): number[] =>
    Array.from(shares!.subarray(index * concepts.length, (index + 1) * concepts.length));
  expect(place('dog')).toBeGreaterThanOrEqual(1000);
  expect(row(258)[258]).toBeCloseTo(0.6, 6);
  expect(row(258)[place('dog')]).toBeCloseTo(0.4, 6);
  expect(concepts.filter(({ key }) => key === 'horse')).toHaveLength(1);
  expect(row(339)[339]).toBeCloseTo(1, 6);
  expect(row(0).reduce((sum, one) => sum + one, 0)).toBeCloseTo(1, 6);
  const small = join(folder.path, 'without-index.jsonl');
  await writeFile(small, JSON.stringify({ label: 'a', en: 'red square' }));
  await expect(readClassNames(small, ['en'], 0.4)).rejects.toThrow('gives no "index"');
});

test('the classifier teaches and does not learn; embedded names teach the text tower, cached ones do not', async () => {
  for (const classes of ['cached', 'embedded'] as const) {
    const { step, state, after } = await told({ loss: loss({ classes }) });
    for (const name of ['image.classifier.weight', 'image.classifier.bias']) {
      expect(step.trained).not.toContain(name);
      expect(after[name]!.data).toEqual(state[name]!.data);
    }
    expect(step.trained).toContain('image.projection.weight');
    expect(step.trained.some((name) => name.startsWith('text.'))).toBe(classes === 'embedded');
    expect(step.batchInputs.has('name_tokens')).toBe(classes === 'embedded');
  }
});

test('no gradient goes through the target where the tower itself learns', async () => {
  const pixels = { pixels: floats(randomNumbers(6), batch, 3, 16, 16) };
  const step = await openStep(engine, architecture, {
    batch,
    names,
    loss: loss({ classes: 'cached' }),
    imageTower: { kind: 'model', frozenApart: false },
  });
  expect([...step.batchInputs.keys()]).toEqual(['pixels']);
  await step.setState({
    ...firstState(step),
    'distillation.embeddings': floats(randomNumbers(8), names, toy.embeddingSize),
  });
  const outputs = await step.run(pixels, { step: 1, learningRate: 0.01, seed: 0 });
  expect(number(outputs, 'gradient_norm')).toBeGreaterThan(0);

  // The same as a target that comes from outside.
  const seen = parameter('seen', [batch, 2 * width], { kind: 'constant', value: 0 });
  const images = parameter('images', [batch, toy.embeddingSize], { kind: 'constant', value: 0 });
  const rows = parameter('rows', [names, toy.embeddingSize], { kind: 'constant', value: 0 });
  const scale = constant(Float32Array.of(5), []);
  const inside = distillationLoss({
    image: architecture.image,
    seen,
    // A picture's embedding hangs on its features as the target does.
    images,
    embedded: rows,
    names,
    scale,
    temperature: 2,
  });
  const outside = partialCrossEntropy(similarityLogits(images, rows, scale), input('wanted', [batch, names]));
  const [toSeen, toImages] = differentiate(inside.loss, [seen, images], [inside.target]);
  const [wantedToImages] = differentiate(outside, [images]);
  const [through] = differentiate(inside.loss, [seen]);
  const known: Tensors = {
    seen: floats(randomNumbers(1), batch, 2 * width),
    images: floats(randomNumbers(2), batch, toy.embeddingSize),
    rows: floats(randomNumbers(3), names, toy.embeddingSize),
    'image.classifier.weight': floats(randomNumbers(4), names, width),
    'image.classifier.bias': floats(randomNumbers(5), names),
  };
  const run = async (results: Parameters<typeof openProgram>[1], more: Tensors = {}): Promise<Tensors> => {
    const { session, inputs, outputs: fetches } = await openProgram(engine, results);
    const feeds = Object.fromEntries(
      Object.entries({ ...known, ...more }).filter(([name]) => inputs.has(name)),
    );
    return session.run(feeds, { fetches });
  };
  const first = await run({ target: inside.target, toImages: toImages!, toSeen: toSeen!, through: through! });
  const second = await run({ wantedToImages: wantedToImages! }, { wanted: first.target! });
  const { data } = first.toImages!;
  second.wantedToImages!.data.forEach((value, at) => {
    expect(Number(data[at])).toBeCloseTo(Number(value), 5);
  });
  expect((first.toSeen!.data as Float32Array).every((value) => value === 0)).toBe(true);
  expect((first.through!.data as Float32Array).some((value) => value !== 0)).toBe(true);
});

test('chunks have the gradients of the whole batch above features, and are refused with the tower', async () => {
  const options = { loss: loss({ classes: 'embedded' }) };
  const whole = await told(options);
  const parts = await told({ ...options, chunk: 2 });
  expect(number(parts.outputs, 'loss')).toBeCloseTo(number(whole.outputs, 'loss'), 4);
  expect(number(parts.outputs, 'gradient_norm')).toBeCloseTo(number(whole.outputs, 'gradient_norm'), 4);
  const freeze = ['image.*.norm.*'];
  const running = openStep(engine, architecture, { batch, names, chunk: 2, freeze, ...options });
  await expect(running).rejects.toThrow('chunk: loss.distillation');
});

test('names stand in the order of the classifier, and are said anew in every step', async () => {
  const file = join(folder.path, 'names.jsonl');
  const rows = [
    { index: 1, wnid: 'b', en: 'blue square', de: 'blaues Quadrat' },
    { index: 0, wnid: 'a', en: 'red square', de: 'rotes Quadrat' },
  ];
  await writeFile(file, rows.map((row) => JSON.stringify(row)).join('\n'));
  const { concepts } = await readClassNames(file, ['en', 'de']);
  expect(concepts.map(({ key }) => key)).toEqual(['red square', 'blue square']);
  const captions = captionsSchema.parse({ templates: { en: ['a {}', 'the {}'], de: ['ein {}'] } });
  const make = createNameBatches(concepts, captions, tokenizer, 1);
  const again = createNameBatches(concepts, captions, tokenizer, 1);
  const said = { red: new Set<string>(), blue: new Set<string>() };
  for (let step = 0; step < 30; step++) {
    const tokens = make(step);
    expect(again(step)).toEqual(tokens);
    const half = tokenizer.contextLength;
    said.red.add(tokens.subarray(0, half).join());
    said.blue.add(tokens.subarray(half).join());
  }
  const rowsFor = (name: string, german: string): Set<string> =>
    new Set(
      [`a ${name}`, `the ${name}`, `ein ${german}`].map((text) => tokenizer.tokenize([text]).data.join()),
    );
  expect(said.red).toEqual(rowsFor('red square', 'rotes Quadrat'));
  expect(said.blue).toEqual(rowsFor('blue square', 'blaues Quadrat'));
  await expect(readClassNames(file, ['fr'])).rejects.toThrow('no name for "a" in fr');
});
