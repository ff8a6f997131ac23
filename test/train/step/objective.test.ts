/** Every part of the loss, computed by loops from the embeddings that the towers make. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/engine/engine.ts';
import { lossSchema, regularisationSchema } from '../../../src/train/step/config.ts';
import { declareInputs } from '../../../src/train/step/inputs.ts';
import { cachedClasses } from '../../../src/train/step/objective.ts';
import { openStep } from '../../../src/train/step/open-step.ts';
import { openProgram, pick, type Tensors } from '../../../src/train/step/program.ts';
import { noneBeside } from '../../../src/train/step/text-groups.ts';
import { trainedTowers } from '../../../src/train/step/towers.ts';
import { firstState, number, sizes, toy, toyBatch } from './toy.ts';

type Rows = number[][];

const n = 6;
const temperature = 0.3;
const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

/** A batch in which the teacher has not seen the third picture, and the fourth has no class. */
const batch: Tensors = toyBatch(n, 5);
(batch.features!.data as Float32Array).fill(0, 2 * sizes.features, 3 * sizes.features);
(batch.class_targets!.data as Float32Array).fill(0, 3 * sizes.classes, 4 * sizes.classes);

let state: Tensors = {};
const embedded: { images: Rows; texts: Rows; classes: Rows } = { images: [], texts: [], classes: [] };

const everything = lossSchema.parse({
  features: { weight: 2 },
  similarities: { weight: 3, temperature },
  classification: { weight: 4, temperature },
});

beforeAll(async () => {
  const step = await openStep(engine, toy, { batch: n, ...sizes, targets: true, loss: everything });
  state = firstState(step);
  const { images, texts, classes } = trainedTowers(toy, declareInputs(), {
    batch: n,
    textLength: 4,
    regularisation: regularisationSchema.parse({}),
    imageTower: { kind: 'model' },
    beside: { ...noneBeside, classes: sizes.classes },
    keepsStatistics: () => true,
  });
  const towers = await openProgram(engine, { images, texts: texts!, classes: classes! });
  const feeds = pick({ ...state, ...batch }, (name) => towers.inputs.has(name));
  const outputs = await towers.session.run(feeds, { fetches: towers.outputs });
  for (const name of ['images', 'texts', 'classes'] as const) embedded[name] = rowsOf(outputs, name);
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

  const sum =
    number(told, 'loss:contrastive') +
    2 * number(told, 'loss:features') +
    3 * number(told, 'loss:similarities') +
    4 * number(told, 'loss:classification');
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

describe('what cannot be minimised is refused', () => {
  test('when every part has the weight 0', async () => {
    await expect(parts({ contrastive: { weight: 0 } })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('weight 0'),
    });
  });

  test('when the data lack what a part is about', async () => {
    for (const part of ['features', 'similarities', 'classification']) {
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
