/** Training above features of a locked tower against training with the tower itself, and what frozen norms keep. */
import { afterAll, describe, expect, test } from 'vitest';
import { toFloat16, toFloat32 } from '../../../src/checkpoint/numbers.ts';
import { createEngine, type RuntimeTensor } from '../../../src/engine/engine.ts';
import { initialValues, randomNumbers } from '../../../src/graph/initialise.ts';
import { elementCount, type FloatTensor } from '../../../src/graph/tensor.ts';
import { nodesOf } from '../../../src/graph/value.ts';
import type { ClipArchitecture } from '../../../src/models/architecture.ts';
import { imageFeatureWidth } from '../../../src/models/image/encoder.ts';
import { parametersOfClip } from '../../../src/models/parameters.ts';
import { clipPreprocessing } from '../../../src/models/preprocessing.ts';
import { squareSide } from '../../../src/models/sides.ts';
import { openLockedTower } from '../../../src/train/run/locked-tower.ts';
import { imageTowerSchema, optimizerSchema, regularisationSchema } from '../../../src/train/step/config.ts';
import { type OpenStepOptions, openStep } from '../../../src/train/step/open-step.ts';
import type { Tensors } from '../../../src/train/step/program.ts';
import { trainingStep } from '../../../src/train/step/step.ts';
import { firstState, largestDifference, number, toy, toyBatch } from './toy.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

const stage = { kernelSize: 3, stride: 2, expansion: 2, width: 8, blocks: 2 };
const efficientnet: ClipArchitecture['image'] = {
  kind: 'efficientnet',
  imageSize: 16,
  stemWidth: 8,
  stages: [{ ...stage, stride: 1, expansion: 1 }, stage],
  headWidth: 12,
  activation: 'relu6',
  normEpsilon: 1e-3,
  pool: 'average_max',
  projection: { kind: 'perceptron', hidden: 10 },
};
const towers: ClipArchitecture['image'][] = [
  efficientnet,
  { kind: 'basic_resnet', imageSize: 16, patchSize: 4, widths: [8, 12], blocks: [1, 1] },
  {
    kind: 'convnext',
    imageSize: 16,
    patchSize: 4,
    widths: [8, 12],
    blocks: [1, 1],
    kernelSize: 3,
    activation: 'gelu',
    normEpsilon: 1e-6,
  },
  toy.image,
];

/** Weights as a tower might have learned them: running statistics are none of the first ones. */
function weights(architecture: ClipArchitecture): Map<string, FloatTensor> {
  const random = randomNumbers(5);
  return new Map(
    parametersOfClip(architecture).map((parameter) => {
      const { name, shape } = parameter;
      const isStatistic = name.includes('running');
      const data = isStatistic
        ? Float32Array.from({ length: elementCount(shape) }, () => 0.5 + random())
        : initialValues(parameter, 3).map((value) => value + 0.05 * (random() - 0.5));
      return [name, { data, shape: [...shape] }];
    }),
  );
}

const batch = 4;

function pixels(side: number, seed: number): RuntimeTensor {
  const random = randomNumbers(seed);
  const shape = [batch, 3, side, side];
  return {
    type: 'float32',
    data: Float32Array.from({ length: elementCount(shape) }, () => 4 * random() - 2),
    shape,
  };
}

/** Losses and final state of a few steps from the given weights. */
async function trained(
  architecture: ClipArchitecture,
  options: Partial<OpenStepOptions>,
  inputs: (step: number) => Promise<Tensors>,
  steps = 4,
): Promise<{ losses: number[]; state: Tensors }> {
  const step = await openStep(engine, architecture, { batch, ...options });
  const values = weights(architecture);
  const state = firstState(step);
  for (const [name, { data, shape }] of values) {
    if (state[name] !== undefined) state[name] = { type: 'float32', data, shape };
  }
  await step.setState(state);
  const losses: number[] = [];
  for (let at = 1; at <= steps; at++) {
    const moment = { step: at, learningRate: 0.01, seed: 1 };
    losses.push(number(await step.run({ ...toyBatch(batch, at), ...(await inputs(at)) }, moment), 'loss'));
  }
  return { losses, state: await step.getState() };
}

const optimizer = optimizerSchema.parse({ maxGradientNorm: 1 });

describe.each(towers)('above the features of a locked $kind', (image) => {
  const architecture: ClipArchitecture = { ...toy, image };
  const below = parametersOfClip(architecture)
    .map(({ name }) => name)
    .filter((name) => name.startsWith('image.') && !name.startsWith('image.projection'));

  test('a step is that of the frozen tower over the same pictures', async () => {
    const side = squareSide(image.imageSize, 'this test');
    const values = weights(architecture);
    const tower = await openLockedTower(architecture, { ...clipPreprocessing, size: side }, values, 1);
    expect(tower.width).toBe(imageFeatureWidth(image));
    const seen = async (at: number): Promise<Float32Array> =>
      tower.see(pixels(side, at).data.slice() as Float32Array, batch);
    const shape = [batch, tower.width];
    const asFeatures = (data: Float32Array): Tensors => ({
      image_features: { type: 'float32', data, shape },
    });

    const running = await trained(architecture, { freeze: below, optimizer }, async (at) => ({
      pixels: pixels(side, at),
    }));
    const locked = { imageTower: imageTowerSchema.parse({ kind: 'features' }), optimizer };
    const exact = await trained(architecture, locked, async (at) => asFeatures(await seen(at)));
    const halves = await trained(architecture, locked, async (at) =>
      asFeatures(toFloat32(new Uint8Array(toFloat16(await seen(at)).buffer), 'float16')),
    );
    await tower.close();
    for (const [at, loss] of running.losses.entries()) {
      expect(Math.abs(exact.losses[at]! - loss)).toBeLessThan(1e-4);
      // A half float is off by 2^-11 of itself at most; cosines are multiplied by 1 / 0.07.
      expect(Math.abs(halves.losses[at]! - loss)).toBeLessThan(1e-4 + 2 ** -11 / 0.07);
    }
    const moved = Object.keys(exact.state);
    expect(moved.filter((name) => below.includes(name))).toEqual([]);
    expect(moved.filter((name) => name.startsWith('image.'))).not.toEqual([]);
    expect(largestDifference(exact.state, running.state, moved)).toBeLessThan(1e-3);
    // What is frozen stays bit for bit, running statistics among it.
    for (const name of below) expect(running.state[name]!.data, name).toEqual(values.get(name)!.data);
  });

  test('chunks have the gradients of the whole batch', async () => {
    const random = randomNumbers(9);
    const width = imageFeatureWidth(image);
    const data = Float32Array.from({ length: batch * width }, () => random());
    const inputs = async (): Promise<Tensors> => ({
      image_features: { type: 'float32', data: data.slice(), shape: [batch, width] },
    });
    const locked = { imageTower: imageTowerSchema.parse({ kind: 'features' }), optimizer };
    const whole = await trained(architecture, locked, inputs);
    const parts = await trained(architecture, { ...locked, chunk: 2 }, inputs);
    for (const [at, loss] of whole.losses.entries()) expect(parts.losses[at]!).toBeCloseTo(loss, 4);
    expect(largestDifference(parts.state, whole.state, Object.keys(whole.state))).toBeLessThan(1e-3);
  });
});

describe('unlocking the end of a convolutional tower', () => {
  const architecture: ClipArchitecture = { ...toy, image: efficientnet };
  const freeze = ['image.stem.*', 'image.stages.0.*'];
  const everything = { batch, optimizer: optimizerSchema.parse({ layerDecay: 0.5 }) };

  test('keeps the statistics of frozen norms and lets those of the others run', async () => {
    const values = weights(architecture);
    const { state } = await trained(architecture, { ...everything, freeze }, async (at) => ({
      pixels: pixels(16, at),
    }));
    for (const [name, { data }] of values) {
      const isFrozen = /^image\.(stem|stages\.0)\./.test(name);
      if (isFrozen) expect(state[name]!.data, name).toEqual(data);
      else if (name.startsWith('image.')) expect(state[name]!.data, name).not.toEqual(data);
    }
  });

  test('computes no gradient below the lowest trained block', () => {
    const some = trainingStep(architecture, { ...everything, freeze });
    const all = trainingStep(architecture, everything);
    const nodes = (step: typeof all) => nodesOf(Object.values(step.results));
    const convolutions = (step: typeof all): number =>
      nodes(step).filter(({ operator }) => operator === 'conv').length;
    // Forward alone: one convolution for the stem, two a block of the first stage.
    expect(nodes(some).length).toBeLessThan(nodes(all).length);
    const trainings = nodes(some).filter(({ operator }) => operator === 'batchNormTraining').length;
    const running = nodes(some).filter(({ operator }) => operator === 'batchNorm').length;
    expect([running, trainings]).toEqual([5, 7]);
    expect(convolutions(some)).toBeLessThan(convolutions(all));
    expect(some.trained.filter((name) => /^image\.(stem|stages\.0)\./.test(name))).toEqual([]);
  });

  test('may freeze norms alone, everywhere', async () => {
    const norms = ['image.*.norm.weight', 'image.*.norm.bias'];
    const { results } = trainingStep(architecture, { ...everything, freeze: norms });
    expect(Object.keys(results).filter((name) => name.includes('running'))).toEqual([]);
    // Half of a norm's parameters are no frozen norm.
    const half = trainingStep(architecture, { ...everything, freeze: ['image.*.norm.weight'] });
    expect(Object.keys(half.results)).toContain('next:image.stem.norm.running_mean');
  });

  test('has the same losses with the frozen part apart, in chunks as well, and less to compute', async () => {
    const norms = 'image.*.norm.*';
    const inputs = async (at: number): Promise<Tensors> => ({ pixels: pixels(16, at) });
    const apart = imageTowerSchema.parse({ kind: 'model', frozenApart: true });
    for (const changes of [
      { freeze },
      { freeze: [...freeze, norms] },
      { freeze: [...freeze, norms], chunk: 2 },
    ]) {
      const together = await trained(architecture, { ...everything, ...changes }, inputs);
      const parted = await trained(architecture, { ...everything, ...changes, imageTower: apart }, inputs);
      for (const [at, loss] of together.losses.entries()) {
        expect(Math.abs(parted.losses[at]! - loss)).toBeLessThan(1e-4);
      }
      expect(Object.keys(parted.state).sort()).toEqual(Object.keys(together.state).sort());
      // Gradients of a first step, as their means have them: AdamW makes much of what is next to nothing.
      const one = await trained(architecture, { ...everything, ...changes }, inputs, 1);
      const other = await trained(architecture, { ...everything, ...changes, imageTower: apart }, inputs, 1);
      const means = Object.keys(one.state).filter((name) => name.startsWith('mean:'));
      expect(largestDifference(other.state, one.state, means, 1e-4)).toBeLessThan(1e-3);
      for (const [name, { data }] of weights(architecture)) {
        if (/^image\.(stem|stages\.0)\./.test(name)) expect(parted.state[name]!.data, name).toEqual(data);
      }
    }
    const whole = trainingStep(architecture, { ...everything, freeze });
    const above = trainingStep(architecture, { ...everything, freeze, imageTower: apart });
    const names = ({ parameters }: typeof whole): string[] => parameters.map(({ name }) => name);
    expect(names(whole).filter((name) => !names(above).includes(name)).length).toBeGreaterThan(0);
    expect(names(above).filter((name) => /^image\.(stem|stages\.0)\./.test(name))).toEqual([]);
    expect(above.trained).toEqual(whole.trained);
  });

  test('needs something at the beginning that is frozen, to run it apart', () => {
    const imageTower = imageTowerSchema.parse({ kind: 'model', frozenApart: true });
    const step = (frozen: string[]) => trainingStep(architecture, { batch, imageTower, freeze: frozen });
    expect(() => step([])).toThrow('imageTower.frozenApart');
    expect(() => step(['image.stages.0.*'])).toThrow('such as image.stem.*');
    expect(() => step(['image.stem.*'])).not.toThrow();
  });

  test('allows chunks where every norm is frozen', async () => {
    const options = { batch, chunk: 2, regularisation: regularisationSchema.parse({}) };
    await expect(openStep(engine, architecture, options)).rejects.toThrow('batch norms');
    const frozen = { ...options, freeze: ['image.*.norm.*'] };
    await expect(openStep(engine, architecture, frozen)).resolves.toBeDefined();
  });
});
