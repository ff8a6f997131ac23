/** Dropout of single numbers: by seed and step alone, its shares and scale, and a head with it against plain loops. */
import { afterAll, expect, test } from 'vitest';
import { createEngine, type RuntimeTensor } from '../../../src/engine/engine.ts';
import { randomNumbers } from '../../../src/graph/initialise.ts';
import type { ClipArchitecture } from '../../../src/models/architecture.ts';
import { imageTowerSchema, lossSchema, regularisationSchema } from '../../../src/train/step/config.ts';
import { declareInputs } from '../../../src/train/step/inputs.ts';
import { type OpenStepOptions, openStep } from '../../../src/train/step/open-step.ts';
import { openProgram, pick, type Tensors } from '../../../src/train/step/program.ts';
import { trainingStep } from '../../../src/train/step/step.ts';
import { noneBeside } from '../../../src/train/step/text-groups.ts';
import { trainedTowers } from '../../../src/train/step/towers.ts';
import { firstState, floats, largestDifference, number, toy, toyBatch, toyEfficientNet } from './toy.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

const [batch, width, hidden] = [6, 12, 40];
const architecture: ClipArchitecture = {
  ...toy,
  image: toyEfficientNet(width, { pool: 'average', projection: { kind: 'perceptron', hidden } }),
  text: {
    kind: 'averaging',
    vocabularySize: 12,
    contextLength: 4,
    endToken: 'highest',
    width: 8,
    ngrams: [],
    hidden: 20,
    layers: 2,
    activation: 'gelu',
    normEpsilon: 1e-5,
    projection: 'linear',
  },
};
const imageTower = imageTowerSchema.parse({ kind: 'features' });
const regularisation = (dropout: object) => regularisationSchema.parse({ dropout });

test('leaves out a share of the numbers, others in every step, and the same for the same seed', () => {
  const { inputs } = trainingStep(architecture, {
    batch: 1000,
    imageTower,
    regularisation: regularisation({ image: 0.3, text: 0.1 }),
  });
  const masks = (seed: number, step: number): Record<string, RuntimeTensor> =>
    pick(inputs({ seed, step, learningRate: 1 }), (name) => name.startsWith('dropout:'));
  const drawn = masks(1, 1);
  const shapes = Object.entries(drawn).map(([name, { shape, type }]) => [name, type, ...shape]);
  expect(shapes).toEqual([
    ['dropout:image.projection.hidden', 'bool', 1000, hidden],
    ['dropout:image.projection', 'bool', 1000, toy.embeddingSize],
    ['dropout:text.blocks.0', 'bool', 1000, 20],
    ['dropout:text.blocks.1', 'bool', 1000, 20],
  ]);
  const share = ({ data }: RuntimeTensor): number =>
    data.length - (data as Uint8Array).reduce((a, b) => a + b, 0);
  for (const [name, mask] of Object.entries(drawn)) {
    // Shares are multiples of 1/256: 77 and 26 of them.
    const expected = (name.includes('image') ? 77 : 26) / 256;
    const deviation = Math.sqrt((expected * (1 - expected)) / mask.data.length);
    expect(Math.abs(share(mask) / mask.data.length - expected)).toBeLessThan(4 * deviation);
    // Neither rows nor columns are alike.
    const columns = mask.shape[1]!;
    for (let column = 0; column < columns; column++) {
      let dropped = 0;
      for (let row = 0; row < 1000; row++) dropped += 1 - Number(mask.data[row * columns + column]);
      expect(Math.abs(dropped / 1000 - expected)).toBeLessThan(
        5 * Math.sqrt((expected * (1 - expected)) / 1000),
      );
    }
  }
  expect(masks(1, 1)).toEqual(drawn);
  for (const other of [masks(1, 2), masks(2, 1)]) {
    for (const [name, { data }] of Object.entries(drawn)) {
      const equal = (data as Uint8Array).filter((kept, at) => kept === Number(other[name]!.data[at])).length;
      expect(equal / data.length).toBeLessThan(0.85);
    }
  }
  const [one, two] = ['dropout:text.blocks.0', 'dropout:text.blocks.1'].map((name) => drawn[name]!.data);
  expect(one).not.toEqual(two);
});

test('a head with dropout is what plain loops say, and nothing of it is left without', async () => {
  const run = async (dropout: object): Promise<{ images: number[]; state: Tensors; masks: Tensors }> => {
    const { images, noise } = trainedTowers(architecture, declareInputs(), {
      batch,
      textLength: 4,
      regularisation: regularisation(dropout),
      imageTower,
      beside: noneBeside,
      keepsStatistics: () => true,
    });
    const step = await openStep(engine, architecture, { batch, imageTower });
    const state = firstState(step);
    const program = await openProgram(engine, { images });
    const masks = noise.draw({ seed: 4, step: 2 });
    const known: Tensors = { ...state, ...masks, image_features: floats(randomNumbers(3), batch, width) };
    const feeds = pick(known, (name) => program.inputs.has(name));
    const outputs = await program.session.run(feeds, { fetches: ['images'] });
    return { images: Array.from(outputs.images!.data as Float32Array), state, masks };
  };
  const share = 0.25;
  const { images, state, masks } = await run({ image: share });
  expect(Object.keys(masks)).toHaveLength(2);
  const rowsOf = ({ data, shape }: RuntimeTensor): number[][] =>
    Array.from({ length: shape[0]! }, (_, row) =>
      Array.from(data.subarray(row * shape[1]!, (row + 1) * shape[1]!), Number),
    );
  const times = (weights: number[][], x: number[]): number[] =>
    weights.map((row) => row.reduce((sum, weight, i) => sum + weight * x[i]!, 0));
  const at = (name: string) => state[`image.projection.${name}`]!;
  const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
  const dropped = (x: number[], mask: number[]): number[] =>
    x.map((value, i) => (value * mask[i]!) / (1 - share));
  rowsOf(floats(randomNumbers(3), batch, width)).forEach((features, row) => {
    const mean = features.reduce((sum, x) => sum + x, 0) / width;
    const variance = features.reduce((sum, x) => sum + (x - mean) ** 2, 0) / width;
    const normed = features.map((x) => (x - mean) / Math.sqrt(variance + 1e-5));
    const up = times(rowsOf(at('up.weight')), normed);
    const inside = dropped(up.map(gelu), rowsOf(masks['dropout:image.projection.hidden']!)[row]!);
    const direct = times(rowsOf(at('direct.weight')), normed);
    const bent = times(rowsOf(at('down.weight')), inside);
    const whole = dropped(
      direct.map((x, i) => x + bent[i]!),
      rowsOf(masks['dropout:image.projection']!)[row]!,
    );
    const length = Math.hypot(...whole);
    whole.forEach((x, i) => {
      expect(images[row * toy.embeddingSize + i]!).toBeCloseTo(x / length, 4);
    });
  });
  const calm = await run({});
  expect(calm.masks).toEqual({});
  expect(calm.images.some((x) => x === 0)).toBe(false);
});

/** By its series, which is exact for the small numbers here. */
function erf(x: number): number {
  let [term, sum] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

test('chunks have the dropout of the whole batch, and resuming draws the same', async () => {
  const loss = lossSchema.parse({ classification: {} });
  const step = async (
    options: Partial<OpenStepOptions>,
    from = 1,
  ): Promise<{ losses: number[]; state: Tensors }> => {
    const opened = await openStep(engine, architecture, {
      batch,
      imageTower,
      loss,
      classes: 3,
      regularisation: regularisation({ image: 0.4, text: 0.4 }),
      ...options,
    });
    await opened.setState(firstState(opened));
    const losses: number[] = [];
    for (let at = from; at <= 2; at++) {
      const inputs = { ...toyBatch(batch, at), image_features: floats(randomNumbers(at), batch, width) };
      losses.push(number(await opened.run(inputs, { step: at, learningRate: 0.01, seed: 3 }), 'loss'));
    }
    return { losses, state: await opened.getState() };
  };
  const whole = await step({});
  const parts = await step({ chunk: 2 });
  whole.losses.forEach((value, at) => {
    expect(parts.losses[at]!).toBeCloseTo(value, 4);
  });
  expect(largestDifference(parts.state, whole.state, Object.keys(whole.state))).toBeLessThan(1e-3);
  const calm = await step({ regularisation: regularisation({}) });
  expect(Math.abs(calm.losses[0]! - whole.losses[0]!)).toBeGreaterThan(1e-3);
  expect(await step({})).toEqual(whole);
});

test('is refused by name for towers that have no place for it', () => {
  const refused = (changes: Partial<ClipArchitecture>, dropout: object, words: string): void => {
    expect(() =>
      trainingStep({ ...architecture, ...changes }, { batch, regularisation: regularisation(dropout) }),
    ).toThrow(expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(words) }));
  };
  refused({ image: toy.image }, { image: 0.1 }, 'regularisation.dropout.image');
  refused({ text: toy.text }, { text: 0.1 }, 'regularisation.dropout.text');
});
