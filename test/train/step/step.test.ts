/** What the optimiser does beside the trace of the original: what stays, what is averaged, what moves less. */
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/engine/engine.ts';
import { inputsOf, nodesOf } from '../../../src/graph/value.ts';
import type { ClipArchitecture } from '../../../src/models/architecture.ts';
import { optimizerSchema, regularisationSchema } from '../../../src/train/step/config.ts';
import { layerFactors } from '../../../src/train/step/layer-decay.ts';
import { openStep } from '../../../src/train/step/open-step.ts';
import { trainingStep } from '../../../src/train/step/step.ts';
import {
  firstState,
  kindsOfNoise,
  largestDifference,
  number,
  sizes,
  toy,
  toyBatch,
  trainToy,
} from './toy.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

describe('what is frozen', () => {
  test('stays bit for bit, and the rest moves', async () => {
    const { step, state } = await trainToy(engine, { batch: 4, freeze: ['image', '*.bias'] }, { steps: 2 });
    const first = firstState(step);
    for (const { name, trained } of step.parameters) {
      expect(trained, name).toBe(!name.startsWith('image.') && !name.endsWith('.bias'));
      if (trained) expect(state[name]!.data, name).not.toEqual(first[name]!.data);
      else expect(state[name]!.data, name).toEqual(first[name]!.data);
    }
  });

  test('has neither moments nor gradients, so that the step is cheaper', () => {
    const all = trainingStep(toy, { batch: 4 });
    const some = trainingStep(toy, { batch: 4, freeze: ['image'] });
    const inputs = inputsOf(Object.values(some.results)).map(({ attributes }) => attributes.name);
    expect(inputs.filter((name) => /^(mean|square):image\./.test(name))).toEqual([]);
    expect(some.trained.filter((name) => name.startsWith('image.'))).toEqual([]);
    const count = (step: typeof all): number => nodesOf(Object.values(step.results)).length;
    expect(count(some)).toBeLessThan(0.75 * count(all));
  });

  test('is named by patterns that must fit something, and must leave something', () => {
    expect(() => trainingStep(toy, { batch: 4, freeze: ['image.block.*'] })).toThrow(
      expect.objectContaining({
        code: 'invalid_option',
        message: expect.stringContaining('"image.block.*"'),
      }),
    );
    // A dot is a dot.
    expect(() => trainingStep(toy, { batch: 4, freeze: ['logit.scale'] })).toThrow('"logit.scale"');
    expect(() => trainingStep(toy, { batch: 4, freeze: ['*'] })).toThrow('every parameter is frozen');
  });

  test('keeps the statistics of batch norms', async () => {
    const resnet: ClipArchitecture = {
      ...toy,
      image: { kind: 'resnet', imageSize: 32, width: 4, layers: [1, 1, 1, 1], heads: 2 },
    };
    expect(trainingStep(resnet, { batch: 4 }).results['next:image.stem.norm_1.running_mean']).toBeDefined();
    const frozen = trainingStep(resnet, { batch: 4, freeze: ['image'] });
    expect(Object.keys(frozen.results).filter((name) => name.includes('running'))).toEqual([]);
  });
});

test('every gradient’s norm is told by name, and together they are the whole', async () => {
  const { step, told } = await trainToy(engine, { batch: 4 });
  const norms = Array.from(told[0]!.gradient_norms!.data as Float32Array);
  expect(norms).toHaveLength(step.trained.length);
  expect(Math.hypot(...norms) / number(told[0], 'gradient_norm')).toBeCloseTo(1, 5);
  expect(norms[step.trained.indexOf('image.projection.weight')]).toBeGreaterThan(0);
});

test('a loss that is not finite names the gradients that are not', async () => {
  const step = await openStep(engine, toy, { batch: 4 });
  await step.setState(firstState(step));
  const batch = toyBatch(4, 1);
  (batch.pixels!.data as Float32Array)[7] = Number.NaN;
  const told = await step.run(batch, { step: 1, learningRate: 0.01, seed: 0 });
  expect(number(told, 'loss')).toBeNaN();
  const norm = (name: string): number => Number(told.gradient_norms!.data[step.trained.indexOf(name)]);
  expect(norm('image.patch_embedding.weight')).toBeNaN();
});

test('the average follows the parameters by its decay, quickly at first', async () => {
  const optimizer = optimizerSchema.parse({ averaging: { decay: 0.2 } });
  const step = await openStep(engine, toy, { batch: 4, optimizer });
  await step.setState(firstState(step));
  expect(step.stateNames).toContain('ema:logit_scale');
  const name = 'image.projection.weight';
  let expected = Array.from(firstState(step)[name]!.data, Number);
  for (const [i, decay] of [2 / 11, 0.2, 0.2].entries()) {
    await step.run(toyBatch(4, i), { step: i + 1, learningRate: 0.01, seed: 0 });
    const state = await step.getState([name, `ema:${name}`]);
    expected = expected.map((value, at) => decay * value + (1 - decay) * Number(state[name]!.data[at]));
    expected.forEach((value, at) => {
      expect(Number(state[`ema:${name}`]!.data[at])).toBeCloseTo(value, 5);
    });
  }
});

describe('decay by layers', () => {
  const names = [
    'image.patch_embedding.weight',
    'image.position_embedding',
    'image.blocks.0.mlp.up.weight',
    'image.blocks.1.mlp.up.weight',
    'image.norm_after.weight',
    'image.projection.weight',
    'text.token_embedding',
    'text.blocks.0.attention.query.weight',
    'text.projection.weight',
    'logit_scale',
    'distillation.head',
  ];

  test('counts from the end of each tower', () => {
    const factors = layerFactors(names, 0.5);
    expect([...factors.values()]).toEqual([1 / 8, 1 / 8, 1 / 4, 1 / 2, 1, 1, 1 / 4, 1 / 2, 1, 1, 1]);
  });

  test('knows the stages of convolutional towers', () => {
    const stages = [
      'image.stem.weight',
      'image.stages.0.0.scale',
      'image.stages.1.downsample.weight',
      'image.stages.1.0.scale',
      'image.pool.attention.query.weight',
    ];
    expect([...layerFactors(stages, 0.5).values()]).toEqual([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1]);
  });

  test('shortens the way of a first step by the factor', async () => {
    const without = await trainToy(engine, {
      batch: 4,
      optimizer: optimizerSchema.parse({ weightDecay: 0 }),
    });
    const optimizer = optimizerSchema.parse({ weightDecay: 0, layerDecay: 0.5 });
    const { step, state } = await trainToy(engine, { batch: 4, optimizer });
    const first = firstState(step);
    const way = (name: string, end: typeof state): number =>
      Math.hypot(...(end[name]!.data as Float32Array).map((x, i) => x - Number(first[name]!.data[i])));
    for (const [name, factor] of layerFactors(names.slice(0, 9), 0.5)) {
      expect(way(name, state) / way(name, without.state), name).toBeCloseTo(factor, 3);
    }
  });
});

test('the logit scale stays between 1 and its largest', async () => {
  const optimizer = optimizerSchema.parse({ maxLogitScale: 14 });
  const { told } = await trainToy(engine, { batch: 4, optimizer }, { steps: 2, learningRate: 5 });
  for (const one of told) {
    // Steps of this length end at either limit.
    const temperature = number(one, 'temperature');
    expect(Math.min(Math.abs(temperature - 1), Math.abs(temperature - 1 / 14))).toBeLessThan(1e-6);
  }
});

test('a table of features in place of pictures trains the text tower against it', async () => {
  const { step, told } = await trainToy(
    engine,
    { batch: 4, imageTower: { kind: 'teacher', size: sizes.features } },
    { steps: 2 },
  );
  expect([...step.batchInputs.keys()].sort()).toEqual(['features', 'tokens']);
  expect(step.trained).toContain('features.projection.weight');
  expect(step.parameters.filter(({ name }) => name.startsWith('image.'))).toEqual([]);
  expect(number(told[1], 'loss')).toBeGreaterThan(0);
});

test('the same seed, step and batch give the same state bit for bit', async () => {
  const regularisation = regularisationSchema.parse({
    patchDropout: 0.5,
    stochasticDepth: { image: 0.4, text: 0.4 },
  });
  const one = await trainToy(engine, { batch: 4, regularisation }, { steps: 2 });
  const other = await trainToy(engine, { batch: 4, regularisation }, { steps: 2 });
  expect(largestDifference(one.state, other.state, one.step.stateNames)).toBe(0);
});

test.each(kindsOfNoise)('noise in %s changes the loss', async (_, noise) => {
  const regularisation = regularisationSchema.parse(noise);
  const noisy = await trainToy(engine, { batch: 4, regularisation });
  const calm = await trainToy(engine, { batch: 4 });
  expect(Math.abs(number(noisy.told[0], 'loss') - number(calm.told[0], 'loss'))).toBeGreaterThan(1e-3);
});
