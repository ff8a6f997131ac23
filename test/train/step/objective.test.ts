/** Every part of the loss, computed by loops from the embeddings that the towers make. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createEngine } from '../../../src/engine/engine.ts';
import { lossSchema, regularisationSchema } from '../../../src/train/step/config.ts';
import { declareInputs } from '../../../src/train/step/inputs.ts';
import { cachedClasses } from '../../../src/train/step/objective.ts';
import { openStep } from '../../../src/train/step/open-step.ts';
import { openProgram, pick, type Tensors } from '../../../src/train/step/program.ts';
import { noneBeside } from '../../../src/train/step/text-groups.ts';
import { trainedTowers } from '../../../src/train/step/towers.ts';
import { firstState, number, sentenceCount, sizes, toy, toyBatch, translationCount } from './toy.ts';

// Seconds each where a processor is free; other work beside it must not make them fail.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

type Rows = number[][];

const n = 6;
const temperature = 0.3;
const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

/** A batch in which the teacher has not seen the third picture, and the fourth has no class. */
const batch: Tensors = toyBatch(n, 5);
(batch.features!.data as Float32Array).fill(0, 2 * sizes.features, 3 * sizes.features);
(batch.class_targets!.data as Float32Array).fill(0, 3 * sizes.classes, 4 * sizes.classes);
/** Nor has the text teacher anything to say of the second sentence. */
(batch.sentence_vectors!.data as Float32Array).fill(0, sizes.sentenceWidth, 2 * sizes.sentenceWidth);
const said = [0, 2, 3, 4];

let state: Tensors = {};
const embedded: Record<'images' | 'texts' | 'classes' | 'sentences' | 'translations', Rows> = {
  images: [],
  texts: [],
  classes: [],
  sentences: [],
  translations: [],
};

const everything = lossSchema.parse({
  features: { weight: 2 },
  similarities: { weight: 3, temperature },
  classification: { weight: 4, temperature },
  sentences: { weight: 5, batch: sentenceCount, relations: { weight: 0.7, temperature } },
  pairs: { weight: 6, batch: translationCount, temperature },
});

beforeAll(async () => {
  const step = await openStep(engine, toy, { batch: n, ...sizes, targets: true, loss: everything });
  state = firstState(step);
  const { images, texts, classes, sentences, translations } = trainedTowers(toy, declareInputs(), {
    batch: n,
    textLength: 4,
    regularisation: regularisationSchema.parse({}),
    imageTower: { kind: 'model', frozenApart: false },
    beside: {
      ...noneBeside,
      classes: sizes.classes,
      names: 0,
      sentences: sentenceCount,
      translations: 2 * translationCount,
    },
    keepsStatistics: () => true,
  });
  const towers = await openProgram(engine, {
    images,
    texts: texts!,
    classes: classes!,
    sentences: sentences!,
    translations: translations!,
  });
  const feeds = pick({ ...state, ...batch }, (name) => towers.inputs.has(name));
  const outputs = await towers.session.run(feeds, { fetches: towers.outputs });
  for (const name of Object.keys(embedded) as (keyof typeof embedded)[])
    embedded[name] = rowsOf(outputs, name);
});

function rowsOf(tensors: Tensors, name: string): Rows {
  const { data, shape } = tensors[name]!;
  const width = shape[1]!;
  return Array.from({ length: shape[0]! }, (_, row) =>
    Array.from((data as Float32Array).subarray(row * width, (row + 1) * width)),
  );
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const products = (a: Rows, b: Rows, scale: number): Rows => a.map((x) => b.map((y) => scale * dot(x, y)));
const turned = (rows: Rows): Rows => rows[0]!.map((_, column) => rows.map((row) => row[column]!));
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const unit = (row: number[]): number[] => row.map((x) => x / Math.hypot(...row));

function softmax(row: readonly number[]): number[] {
  const largest = Math.max(...row);
  const powers = row.map((x) => Math.exp(x - largest));
  return powers.map((power) => power / powers.reduce((sum, x) => sum + x, 0));
}

const entropies = (logits: Rows, targets: Rows): number[] =>
  logits.map((row, i) => -dot(targets[i]!, softmax(row).map(Math.log)));

const divergences = (student: Rows, teacher: Rows): number[] =>
  student.map((row, i) => {
    const s = softmax(row);
    return softmax(teacher[i]!).reduce((sum, t, j) => sum + t * Math.log(t / s[j]!), 0);
  });

/** 1 − the mean cosine of mapped sentences with the vectors that are known. */
function taught(head: Rows): number {
  const wanted = rowsOf(batch, 'sentence_vectors');
  const foretold = products(embedded.sentences, head, 1).map(unit);
  return 1 - mean(said.map((i) => dot(foretold[i]!, wanted[i]!)));
}

/** Each side of the pairs against all of the other, both ways. */
function translated(): number {
  const [ones, others] = [0, 1].map((side) =>
    embedded.translations.slice(side * translationCount, (side + 1) * translationCount),
  ) as [Rows, Rows];
  const logits = products(ones, others, 1 / temperature);
  const targets = rowsOf(batch, 'translation_targets');
  return (mean(entropies(logits, targets)) + mean(entropies(turned(logits), turned(targets)))) / 2;
}

/** What is near what among sentences that are known, each to the others. */
function related(): number {
  const others = (rows: Rows): Rows => {
    const all = products(rows, rows, 1 / temperature);
    return said.map((i) => said.filter((j) => j !== i).map((j) => all[i]![j]!));
  };
  return mean(divergences(others(embedded.sentences), others(rowsOf(batch, 'sentence_vectors'))));
}

/** The parts of the loss for a first step from the same state. */
async function parts(loss: object): Promise<Tensors> {
  const parsed = lossSchema.parse(loss);
  const step = await openStep(engine, toy, { batch: n, ...sizes, targets: true, loss: parsed });
  await step.setState(firstState(step));
  return step.run(batch, { step: 1, learningRate: 0, seed: 0 });
}

test('the parts of one loss, and their weighted sum', async () => {
  const told = await parts(everything);
  const scale = 1 / 0.07;
  const logits = products(embedded.images, embedded.texts, scale);
  const targets = rowsOf(batch, 'targets');
  const contrastive =
    (mean(entropies(logits, targets)) + mean(entropies(turned(logits), turned(targets)))) / 2;
  expect(number(told, 'loss:contrastive')).toBeCloseTo(contrastive, 4);

  const wanted = rowsOf(batch, 'features');
  const head = rowsOf(state, 'distillation.head');
  const foretold = products(embedded.images, head, 1).map(unit);
  const seen = [0, 1, 3, 4, 5];
  expect(number(told, 'loss:features')).toBeCloseTo(
    1 - mean(seen.map((i) => dot(foretold[i]!, wanted[i]!))),
    5,
  );

  // Among the pictures that the teacher has seen, each to the others.
  const others = (rows: Rows): Rows => {
    const all = products(rows, rows, 1 / temperature);
    return seen.map((i) => seen.filter((j) => j !== i).map((j) => all[i]![j]!));
  };
  const similarities = mean(divergences(others(embedded.images), others(wanted)));
  expect(number(told, 'loss:similarities')).toBeCloseTo(similarities, 5);

  const classes = products(embedded.images, embedded.classes, 1 / temperature);
  const labelled = entropies(classes, rowsOf(batch, 'class_targets')).filter((_, i) => i !== 3);
  expect(number(told, 'loss:classification')).toBeCloseTo(mean(labelled), 5);

  expect(number(told, 'loss:sentences')).toBeCloseTo(taught(rowsOf(state, 'sentences.head')), 5);
  expect(number(told, 'loss:sentences.relations')).toBeCloseTo(related(), 5);

  expect(number(told, 'loss:pairs')).toBeCloseTo(translated(), 4);

  const sum =
    number(told, 'loss:contrastive') +
    2 * number(told, 'loss:features') +
    3 * number(told, 'loss:similarities') +
    4 * number(told, 'loss:classification') +
    5 * (number(told, 'loss:sentences') + 0.7 * number(told, 'loss:sentences.relations')) +
    6 * number(told, 'loss:pairs');
  expect(number(told, 'loss')).toBeCloseTo(sum, 4);
});

test('a teacher of pictures and texts is compared in both directions, where it knows them', async () => {
  const told = await parts({ similarities: { between: 'pairs', temperature } });
  const seen = [0, 1, 3, 4, 5];
  const student = products(embedded.images, embedded.texts, 1 / temperature);
  const teacher = products(rowsOf(batch, 'features'), rowsOf(batch, 'text_features'), 1 / temperature);
  const images = (rows: Rows): Rows => seen.map((i) => rows[i]!);
  const toTexts = mean(divergences(images(student), images(teacher)));
  const toImages = mean(divergences(turned(images(student)), turned(images(teacher))));
  expect(number(told, 'loss:similarities')).toBeCloseTo((toTexts + toImages) / 2, 4);
});

describe('classes', () => {
  const labels = rowsOf(batch, 'class_targets');
  const known = (all: number[]): number => mean(all.filter((_, i) => i !== 3));

  test('may be cached, at the temperature of the model: no step moves them, but they can be renewed', async () => {
    const loss = lossSchema.parse({ contrastive: { weight: 0 }, classification: { classes: 'cached' } });
    const step = await openStep(engine, toy, { batch: n, ...sizes, loss });
    const first = firstState(step);
    await step.setState(first);
    const still = { step: 1, learningRate: 0, seed: 0 };
    const expected = (cached: Tensors): number => {
      const logits = products(embedded.images, rowsOf(cached, cachedClasses), 1 / 0.07);
      return known(entropies(logits, labels));
    };
    const told = await step.run(batch, still);
    expect(number(told, 'loss:classification')).toBeCloseTo(expected(first), 4);
    expect(told['loss:contrastive']).toBeUndefined();
    expect(number(told, 'temperature')).toBeCloseTo(0.07, 6);
    expect(step.trained).not.toContain(cachedClasses);

    const renewed = { [cachedClasses]: firstState(step, 2)[cachedClasses]! };
    await step.renew(renewed);
    expect(number(await step.run(batch, still), 'loss:classification')).toBeCloseTo(expected(renewed), 4);
    expect(expected(renewed)).not.toBeCloseTo(expected(first), 2);
    expect(await step.getState([cachedClasses])).toEqual(renewed);
  });

  test('may be learned, and the targets smoothed', async () => {
    const classification = { classes: 'learned', temperature, smoothing: 0.3 };
    const step = await openStep(engine, toy, {
      batch: n,
      ...sizes,
      loss: lossSchema.parse({ contrastive: { weight: 0 }, classification }),
    });
    // Nothing is read that the loss does not ask for.
    expect([...step.batchInputs.keys()].sort()).toEqual(['class_targets', 'pixels']);
    expect(step.trained).not.toContain('text.token_embedding');
    const first = firstState(step);
    await step.setState(first);
    const told = await step.run(batch, { step: 1, learningRate: 0, seed: 0 });
    const rows = rowsOf(first, 'classification.weight').map(unit);
    const smooth = labels.map((row) => row.map((x) => x * 0.7 + 0.3 / 3));
    const logits = products(embedded.images, rows, 1 / temperature);
    expect(number(told, 'loss:classification')).toBeCloseTo(known(entropies(logits, smooth)), 5);
    expect(told.temperature).toBeUndefined();
  });
});

describe('sentences without pictures', () => {
  const alone = (sentences: object) =>
    lossSchema.parse({ contrastive: { weight: 0 }, sentences: { batch: sentenceCount, ...sentences } });

  test('train the text tower alone, and the map where there is one', async () => {
    const step = await openStep(engine, toy, { batch: n, ...sizes, targets: true, loss: alone({}) });
    expect([...step.batchInputs.keys()].sort()).toEqual(['sentence_tokens', 'sentence_vectors']);
    const outside = step.stateNames.filter((name) => !/^((mean|square):)?text\./.test(name));
    expect(outside).toEqual(['sentences.head', 'mean:sentences.head', 'square:sentences.head']);
    await step.setState(firstState(step));
    const told = await step.run(batch, { step: 1, learningRate: 0, seed: 0 });
    expect(number(told, 'loss')).toBeCloseTo(taught(rowsOf(firstState(step), 'sentences.head')), 5);
    expect(Object.keys(told).sort()).toEqual(['gradient_norm', 'gradient_norms', 'loss', 'loss:sentences']);
  });

  test('in two languages train the text tower alone', async () => {
    const loss = lossSchema.parse({
      contrastive: { weight: 0 },
      pairs: { batch: translationCount, temperature },
    });
    const step = await openStep(engine, toy, { batch: n, loss });
    expect([...step.batchInputs.keys()].sort()).toEqual(['translation_targets', 'translation_tokens']);
    expect(step.stateNames.every((name) => /^((mean|square):)?text\./.test(name))).toBe(true);
    await step.setState(firstState(step));
    const told = await step.run(batch, { step: 1, learningRate: 0, seed: 0 });
    expect(number(told, 'loss')).toBeCloseTo(translated(), 4);
  });

  test('of a teacher as wide as the model need no map, and get one where it is wanted', async () => {
    const width = toy.embeddingSize;
    const wide = Float32Array.from({ length: sentenceCount * width }, (_, i) => Math.sin(i + 1));
    const rows = rowsOf({ v: { type: 'float32', data: wide, shape: [sentenceCount, width] } }, 'v').map(unit);
    const sentence_vectors = {
      type: 'float32' as const,
      data: Float32Array.from(rows.flat()),
      shape: [sentenceCount, width],
    };
    for (const map of [undefined, false, true]) {
      const loss = alone(map === undefined ? {} : { map });
      const step = await openStep(engine, toy, { batch: n, sentenceWidth: width, loss });
      const first = firstState(step);
      await step.setState(first);
      expect('sentences.head' in first).toBe(map === true);
      const told = await step.run({ ...batch, sentence_vectors }, { step: 1, learningRate: 0, seed: 0 });
      const foretold = map
        ? products(embedded.sentences, rowsOf(first, 'sentences.head'), 1).map(unit)
        : embedded.sentences;
      expect(number(told, 'loss')).toBeCloseTo(1 - mean(rows.map((row, i) => dot(row, foretold[i]!))), 5);
    }
    await expect(
      openStep(engine, toy, { batch: n, ...sizes, loss: alone({ map: false }) }),
    ).rejects.toMatchObject({ code: 'invalid_option', message: expect.stringContaining('have 6 numbers') });
  });
});

describe('what cannot be minimised is refused', () => {
  test('when every part has the weight 0', async () => {
    await expect(parts({ contrastive: { weight: 0 } })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('weight 0'),
    });
  });

  test('when the data lack what a part is about', async () => {
    for (const part of ['features', 'similarities', 'classification', 'sentences']) {
      await expect(
        openStep(engine, toy, { batch: n, loss: lossSchema.parse({ [part]: {} }) }),
      ).rejects.toMatchObject({ code: 'invalid_option', message: expect.stringContaining(`loss.${part}`) });
    }
  });

  test('when a batch lacks an input', async () => {
    const step = await openStep(engine, toy, { batch: n, targets: true });
    await step.setState(firstState(step));
    const { targets: _, ...rest } = batch;
    await expect(step.run(rest, { step: 1, learningRate: 0, seed: 0 })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining("'targets'"),
    });
  });
});
