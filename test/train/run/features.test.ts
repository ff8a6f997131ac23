/** Trainings with a locked image tower: what they measure, what they write, and how they go on. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openCheckpoint, readParameter } from '../../../src/checkpoint/index.ts';
import { loadClip } from '../../../src/clip/load.ts';
import {
  measureFeatures,
  readMetricsLog,
  type TrainingConfigInput,
  type TrainingEvent,
  train,
} from '../../../src/train/index.ts';
import { smallResnet, tinyTraining, trainUntil, writeColourFolders } from './tiny-training.ts';

// Seconds each where a processor is free; other work beside it must not make them fail.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder: string;
let pictures: string;
/** A model of batch norms that have run. */
let first: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-locked-'));
  pictures = join(folder, 'colours');
  await writeColourFolders(pictures);
  const { architecture } = tinyTraining(pictures, folder);
  const wanted = tinyTraining(pictures, join(folder, 'first'), {
    architecture: { ...architecture!, image: smallResnet },
    regularisation: {},
    until: { steps: 4 },
  });
  first = (await train(wanted)).model;
});
afterAll(() => rm(folder, { recursive: true }));

function locked(name: string, changes: Partial<TrainingConfigInput> = {}): TrainingConfigInput {
  const { architecture: _, tokenizer: __, ...rest } = tinyTraining(pictures, join(folder, name));
  return {
    ...rest,
    initialise: { from: first },
    imageTower: { kind: 'features', views: 3, cache: join(folder, 'features') },
    regularisation: {},
    ...changes,
  };
}

async function weightsOf(model: string): Promise<Map<string, Float32Array>> {
  const { parameters } = await openCheckpoint(model);
  const read = [...parameters].map(async ([name, stored]) => [name, await readParameter(stored)] as const);
  return new Map(await Promise.all(read));
}

const lossesOf = async (name: string): Promise<number[]> =>
  (await readMetricsLog(join(folder, name, 'training/metrics.jsonl'))).flatMap((line) =>
    line.kind === 'step' ? [line.loss] : [],
  );

test('a training above a locked tower moves its projection and the text tower, and gives a model of all three', async () => {
  const events: TrainingEvent[] = [];
  const { model } = await train(locked('whole', { until: { steps: 30 } }), {
    onEvent: (event) => events.push(event),
  });
  const told = events.filter((event) => event.kind === 'preparing');
  expect(told.at(-1)).toMatchObject({ what: 'Measuring features of colours', done: 24, total: 24 });
  const losses = await lossesOf('whole');
  expect(losses.at(-1)!).toBeLessThan(losses[0]!);
  const [before, after] = await Promise.all([weightsOf(first), weightsOf(model)]);
  for (const [name, values] of after) {
    const stays = name.startsWith('image.') && !name.startsWith('image.projection');
    if (stays) expect(values, name).toEqual(before.get(name));
    else if (name !== 'logit_scale') expect(values, name).not.toEqual(before.get(name));
  }
  const clip = await loadClip(model);
  const { data } = await clip.embedImages([join(pictures, 'red/0.png')]);
  expect(data.every(Number.isFinite)).toBe(true);
  await clip.close();
});

test('features are measured alone, and a training finds them', async () => {
  const cache = join(folder, 'alone');
  const tower = { kind: 'features' as const, views: 2, cache };
  const words = { architecture: tinyTraining(pictures, '').architecture!, tokenizer: { from: 'nowhere' } };
  const wanted = locked('measured', { imageTower: tower });
  expect(
    await measureFeatures({
      ...wanted,
      ...words,
      architecture: { ...words.architecture, image: smallResnet },
    }),
  ).toEqual({ pictures: 24, views: 2, width: 16, folder: cache, broken: { count: 0, examples: [] } });
  const rows = (await readdir(cache)).filter((name) => name.endsWith('.f16'));
  expect(rows).toHaveLength(2);
  for (const name of rows) expect((await stat(join(cache, name))).size).toBe(24 * 16 * 2);
  expect(await readdir(folder)).not.toContain('measured');
  const events: TrainingEvent[] = [];
  await train(wanted, { onEvent: (event) => events.push(event) });
  expect(events.filter((event) => event.kind === 'preparing')).toEqual([]);
});

test('with --resume a training above a locked tower gets the losses that it would have got', async () => {
  await train(locked('in one', { until: { steps: 8 } }));
  const wanted = locked('in two', { until: { steps: 8 } });
  await trainUntil(wanted, 3);
  await train(wanted, { resume: true });
  expect(await lossesOf('in two')).toEqual(await lossesOf('in one'));
  expect(await lossesOf('in two')).toHaveLength(8);
});

test('what no locked tower can do is refused by name', async () => {
  const refused = async (changes: Partial<TrainingConfigInput>, words: string): Promise<void> => {
    await expect(train(locked('refused', changes))).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining(words),
    });
  };
  const { architecture } = tinyTraining(pictures, '');
  await refused(
    { architecture: { ...architecture!, image: smallResnet }, initialise: { from: first, only: ['text'] } },
    'imageTower: of kind "features" it is locked',
  );
  const resnet = {
    kind: 'resnet' as const,
    imageSize: 32,
    width: 4,
    layers: [1, 1, 1, 1] as never,
    heads: 2,
  };
  await refused(
    { architecture: { ...architecture!, image: resnet }, initialise: undefined },
    'kind "resnet" has no features',
  );
  await refused(
    { regularisation: { stochasticDepth: { image: 0.1 } } },
    '"regularisation.stochasticDepth.image"',
  );
  await refused(
    { data: { sources: [{ path: pictures }], teacher: { model: first, crops: 2 } } },
    '"data.teacher.crops"',
  );
  await refused(
    { data: { sources: [{ path: pictures, features: 'elsewhere.u8' }] } },
    '"data.sources.0.features": is about a teacher',
  );
  await expect(measureFeatures(locked('refused', { imageTower: { kind: 'model' } }))).rejects.toThrow(
    'There is nothing to measure',
  );
});
