/** A batch in chunks learns exactly what the whole batch does, whatever the loss is made of. */
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/engine/engine.ts';
import type { ClipArchitecture, VitArchitecture } from '../../../src/models/architecture.ts';
import { lossSchema, optimizerSchema, regularisationSchema } from '../../../src/train/step/config.ts';
import type { OpenStepOptions } from '../../../src/train/step/open-step.ts';
import type { Tensors } from '../../../src/train/step/program.ts';
import {
  kindsOfNoise,
  largestDifference,
  number,
  sentenceCount,
  toy,
  trainToy,
  translationCount,
} from './toy.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

/** A block a tower is enough, and programs are made in half the time. */
const small: ClipArchitecture = { ...toy, image: { ...toy.image, layers: 1 } as VitArchitecture };

/**
 * AdamW divides by the gradient's size, so that of a gradient that is all rounding (a key's bias has none) it makes a
 * whole step in a random direction; a larger epsilon lets such gradients be small.
 */
const epsilon = 1e-2;

/** Gradients as the first step shows them: the mean moment is (1 − β₁) of the gradient. */
async function gradients(options: Partial<OpenStepOptions> & { batch: number }, architecture = toy) {
  const optimizer = optimizerSchema.parse({ epsilon });
  const { step, told, state } = await trainToy(engine, { optimizer, ...options }, { architecture });
  return { step, told: told[0]!, state, means: step.trained.map((name) => `mean:${name}`) };
}

/** A gradient below a hundredth of all together is compared with that, not with its own rounding. */
function floorOf(told: Tensors): number {
  return (1 - 0.9) * 0.01 * number(told, 'gradient_norm');
}

async function expectEqual(
  options: Partial<OpenStepOptions> & { batch: number },
  chunk: number,
  architecture = small,
): Promise<void> {
  const whole = await gradients(options, architecture);
  const parts = await gradients({ ...options, chunk }, architecture);
  expect([...parts.step.trained].sort()).toEqual([...whole.step.trained].sort());
  expect([...parts.step.stateNames].sort()).toEqual([...whole.step.stateNames].sort());
  expect(new Map(parts.step.batchInputs)).toEqual(new Map(whole.step.batchInputs));
  const parted = Object.keys(whole.told).filter((name) => name.startsWith('loss') || name === 'temperature');
  expect(largestDifference(whole.told, parts.told, [...parted, 'gradient_norm'])).toBeLessThan(2e-6);
  expect(largestDifference(whole.state, parts.state, whole.means, floorOf(whole.told))).toBeLessThan(2e-5);
  expect(
    largestDifference(
      whole.state,
      parts.state,
      whole.step.parameters.map(({ name }) => name),
    ),
  ).toBeLessThan(1e-5);
}

describe('the gradients of chunks', () => {
  test('are those of the whole batch, for any parts of the loss', { timeout: 60_000 }, async () => {
    const part = (fields: object) =>
      fc.option(fc.record({ weight: fc.constantFrom(0.5, 2), ...fields }), { nil: undefined });
    const configuration = fc.record({
      chunks: fc.constantFrom(2, 3),
      chunk: fc.integer({ min: 1, max: 3 }),
      sigmoid: fc.boolean(),
      targets: fc.boolean(),
      loss: fc.record({
        features: part({}),
        similarities: part({ between: fc.constantFrom('images', 'pairs') }),
        classification: part({ classes: fc.constantFrom('cached', 'learned', 'embedded') }),
        sentences: part({
          batch: fc.constant(sentenceCount),
          relations: fc.option(fc.constant({}), { nil: undefined }),
        }),
        pairs: part({ batch: fc.constant(translationCount) }),
      }),
    });
    await fc.assert(
      fc.asyncProperty(configuration, async ({ chunks, chunk, sigmoid, targets, loss }) => {
        const architecture: ClipArchitecture = sigmoid
          ? { ...small, probability: 'sigmoid', logitBias: true }
          : small;
        const batch = chunks * chunk;
        await expectEqual({ batch, targets, loss: lossSchema.parse(loss) }, chunk, architecture);
      }),
      { numRuns: 4, endOnFailure: true },
    );
  });

  test('leave frozen towers out, and lead nothing back where both are frozen', async () => {
    await expectEqual({ batch: 4, freeze: ['image'] }, 2);
    await expectEqual({ batch: 4, freeze: ['text', 'image.blocks.0.*', 'logit_scale'] }, 2);
    const loss = lossSchema.parse({ features: { weight: 1 } });
    await expectEqual({ batch: 4, freeze: ['text', 'image'], loss }, 2);
  });

  test('have the noise of the whole batch, in pictures, sentences and words of classes', async () => {
    const regularisation = regularisationSchema.parse({
      patchDropout: 0.5,
      stochasticDepth: { image: 0.5, text: 0.5 },
    });
    const loss = lossSchema.parse({
      classification: {},
      sentences: { batch: sentenceCount },
      pairs: { batch: translationCount },
    });
    await expectEqual({ batch: 6, regularisation, loss }, 2);
    // Equal they would be too if neither had any.
    const lossWith = async (noise: object): Promise<number> => {
      const regularisation = regularisationSchema.parse(noise);
      return number((await gradients({ batch: 6, chunk: 2, regularisation, loss }, small)).told, 'loss');
    };
    const calm = await lossWith({});
    for (const [name, noise] of kindsOfNoise) {
      expect(Math.abs((await lossWith(noise)) - calm), name).toBeGreaterThan(1e-3);
    }
  });

  test('read a table of features in place of pictures', async () => {
    await expectEqual({ batch: 4, imageTower: { kind: 'teacher', size: 5 } }, 2);
  });
});

test('several steps with clipping, decay by layers and an average stay together', async () => {
  const optimizer = optimizerSchema.parse({
    epsilon,
    maxGradientNorm: 0.5,
    layerDecay: 0.7,
    averaging: { decay: 0.9 },
  });
  const whole = await trainToy(engine, { batch: 6, optimizer }, { steps: 4 });
  const parts = await trainToy(engine, { batch: 6, optimizer, chunk: 2 }, { steps: 4 });
  for (const [i, told] of whole.told.entries()) {
    expect(number(parts.told[i], 'loss')).toBeCloseTo(number(told, 'loss'), 4);
  }
  const parameters = whole.step.parameters.map(({ name }) => name);
  const averages = whole.step.trained.map((name) => `ema:${name}`);
  expect(largestDifference(whole.state, parts.state, [...parameters, ...averages])).toBeLessThan(1e-5);
});

test('a batch that is no multiple of the chunk, text alone, and batch norms in chunks, are refused', async () => {
  const loss = lossSchema.parse({ contrastive: { weight: 0 }, sentences: { batch: sentenceCount } });
  await expect(trainToy(engine, { batch: 4, chunk: 2, loss })).rejects.toMatchObject({
    code: 'invalid_option',
    message: expect.stringContaining('no part of the loss reads pictures'),
  });
  await expect(trainToy(engine, { batch: 4, chunk: 3 })).rejects.toMatchObject({
    code: 'invalid_option',
    message: expect.stringContaining('chunk is 3'),
  });
  const resnet: ClipArchitecture = {
    ...toy,
    image: { kind: 'resnet', imageSize: 32, width: 4, layers: [1, 1, 1, 1], heads: 2 },
  };
  await expect(trainToy(engine, { batch: 4, chunk: 2 }, { architecture: resnet })).rejects.toMatchObject({
    code: 'invalid_option',
    message: expect.stringContaining('batch norms'),
  });
});
