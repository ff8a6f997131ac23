import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomNumbers } from '../../src/graph/initialise.ts';
import type { FloatTensor } from '../../src/graph/tensor.ts';
import type { ClipArchitecture } from '../../src/models/architecture.ts';
import { type Batch, matchingTargets } from '../../src/train/first-model/data/batches.ts';
import { readSnapshot, writeSnapshot } from '../../src/train/snapshot.ts';
import {
  type LogLine,
  learningRateAt,
  type Progress,
  type Resumption,
  train,
} from '../../src/train/training.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-training-'));
});
afterAll(() => rm(folder, { recursive: true }));

const tower = {
  width: 16,
  layers: 1,
  heads: 2,
  mlpWidth: 32,
  activation: 'quick_gelu',
  normEpsilon: 1e-5,
} as const;
const toy: ClipArchitecture = {
  embeddingSize: 8,
  probability: 'softmax',
  logitBias: false,
  image: {
    ...tower,
    kind: 'vit',
    imageSize: 8,
    patchSize: 4,
    patchBias: false,
    classToken: true,
    normBefore: true,
    normAfter: 'pooled',
    pool: { kind: 'class' },
    projection: 'linear',
  },
  text: {
    ...tower,
    contextLength: 4,
    vocabularySize: 12,
    causal: true,
    positions: 'learned',
    pool: { kind: 'end', endToken: 'highest' },
    projection: 'linear',
  },
};

/** Four colours with a word each. */
function* colourBatches(size: number): Generator<Batch, never, undefined> {
  const random = randomNumbers(2);
  for (;;) {
    const colours = Array.from({ length: size }, () => Math.floor(random() * 4));
    const pixels = new Float32Array(size * 3 * 64);
    const tokens = new BigInt64Array(size * 4).fill(11n);
    for (const [row, colour] of colours.entries()) {
      for (let i = 0; i < 192; i++)
        pixels[row * 192 + i] = (Math.floor(i / 64) === colour ? 1 : 0) + 0.2 * random();
      tokens.set([10n, BigInt(colour)], row * 4);
    }
    const keys = colours.map(String);
    const targets = matchingTargets(
      keys.map((key) => [key]),
      keys.map((key) => ({ text: key, key })),
    );
    // A teacher that sees eight features, two for each colour.
    const features = new Float32Array(size * 8);
    for (const [row, colour] of colours.entries())
      features.fill(Math.SQRT1_2, row * 8 + colour * 2, row * 8 + colour * 2 + 2);
    yield {
      pixels: { type: 'float32', data: pixels, shape: [size, 3, 8, 8] },
      tokens: { type: 'int64', data: tokens, shape: [size, 4] },
      targets: { type: 'float32', data: targets, shape: [size, size] },
      features: { type: 'float32', data: features, shape: [size, 8] },
    };
  }
}

describe('the loop', () => {
  const options = { batch: 16, learningRate: 0.01, warmupSteps: 5, logEvery: 5, threads: 1 };

  test('lowers the loss of a toy problem, tells and keeps where it stands, and goes on from there', async () => {
    const log: LogLine[] = [];
    const kept: { state: Map<string, FloatTensor>; progress: Progress }[] = [];
    const onSnapshot = async (state: Map<string, FloatTensor>, progress: Progress): Promise<void> => {
      kept.push({ state, progress });
    };
    const hooks = { onLog: (line: LogLine) => log.push(line), onSnapshot };
    const end = await train(toy, colourBatches(16), { ...options, until: { steps: 60 } }, hooks);
    expect(end.step).toBe(60);
    // With four colours in a batch of 16, ln 4 = 1.39 is the least: a caption fits some four pictures.
    expect(log[0]!.loss).toBeGreaterThan(2.2);
    expect(log.at(-1)!.loss).toBeLessThan(1.7);
    expect(log.at(-1)!.picturesPerSecond).toBeGreaterThan(0);
    const [last] = kept.slice(-1);
    expect(last!.progress).toEqual(end);

    const path = join(folder, 'state.safetensors');
    await writeSnapshot(path, last!.state, { note: 'x' });
    const state = await readSnapshot(path, [...last!.state.keys()]);
    const name = 'mean:image.patch_embedding.weight';
    expect(state.get(name)).toEqual(last!.state.get(name));
    const resumption: Resumption = { state, progress: end };
    const more: LogLine[] = [];
    const later = await train(
      toy,
      colourBatches(16),
      { ...options, until: { steps: 80 } },
      { onLog: (line) => more.push(line) },
      resumption,
    );
    expect(later.step).toBe(80);
    expect(more[0]!.step).toBeGreaterThan(end.step);
    expect(more[0]!.loss).toBeLessThan(1.7);
  });

  test('lets the tower foretell a teacher beside', async () => {
    const log: LogLine[] = [];
    await train(
      toy,
      colourBatches(16),
      { ...options, until: { steps: 60 }, distillation: { weight: 10, features: 8 } },
      { onLog: (line) => log.push(line) },
    );
    expect(log[0]!.auxiliaryLoss).toBeGreaterThan(4);
    expect(log.at(-1)!.auxiliaryLoss).toBeLessThan(2);
    expect(log.at(-1)!.auxiliaryLoss! + 1).toBeLessThan(log.at(-1)!.loss);
  });

  test('begins with the values that are given', async () => {
    const weight = new Float32Array(16 * 48).fill(0.125);
    const firstValues = new Map([['image.patch_embedding.weight', weight]]);
    let state: Map<string, FloatTensor> | undefined;
    const onSnapshot = async (now: Map<string, FloatTensor>): Promise<void> => {
      state = now;
    };
    await train(
      toy,
      colourBatches(16),
      { ...options, learningRate: 0, until: { steps: 1 }, firstValues },
      { onSnapshot },
    );
    expect(state?.get('image.patch_embedding.weight')?.data).toEqual(weight);
  });

  test('a snapshot without a tensor says which', async () => {
    const path = join(folder, 'one.safetensors');
    await writeSnapshot(path, new Map([['a', { data: Float32Array.of(1, 2), shape: [2] }]]), {});
    await expect(readSnapshot(path, ['a', 'b'])).rejects.toMatchObject({
      code: 'invalid_checkpoint',
      message: expect.stringContaining("'b'"),
    });
  });
});

test('the learning rate rises by steps and falls with time', () => {
  const options = { learningRate: 2, until: { minutes: 10 }, warmupSteps: 4 };
  expect(learningRateAt({ step: 1, minutes: 0 }, options)).toBeCloseTo(0.5);
  expect(learningRateAt({ step: 4, minutes: 0 }, options)).toBeCloseTo(2);
  expect(learningRateAt({ step: 100, minutes: 5 }, options)).toBeCloseTo(1);
  expect(learningRateAt({ step: 100, minutes: 11 }, options)).toBeCloseTo(0);
});
