/** What is left out at random: by seed and step alone, with the right shares, and with the right scale. */
import { afterAll, describe, expect, test } from 'vitest';
import { createEngine } from '../../../src/engine/engine.ts';
import { input } from '../../../src/graph/operations.ts';
import type { ClipArchitecture, ImageArchitecture } from '../../../src/models/architecture.ts';
import { regularisationSchema } from '../../../src/train/step/config.ts';
import { declareInputs } from '../../../src/train/step/inputs.ts';
import { type Noise, noise } from '../../../src/train/step/noise.ts';
import { trainingStep } from '../../../src/train/step/step.ts';
import { noneBeside } from '../../../src/train/step/text-groups.ts';
import { trainedTowers } from '../../../src/train/step/towers.ts';
import { smallLite } from '../../efficientnet-lite.ts';
import { number, toy, trainToy } from './toy.ts';

const engine = createEngine({ threads: 1 });
afterAll(() => engine.close());

const branches = ['a', 'b', 'c', 'd'];

function towerNoise(options: object, images = 64): Noise {
  const made = noise(toy, declareInputs(), regularisationSchema.parse(options), { images, texts: 8 });
  for (const name of branches) made.branch.image?.(name, input(name, [images * 5, 16]));
  return made;
}

describe('patches', () => {
  test('are a given number of different ones for each picture, in their order', () => {
    const made = towerNoise({ patchDropout: 0.75 });
    const { data, shape } = made.draw({ seed: 1, step: 1 }).kept_patches!;
    expect(shape).toEqual([64, 4]);
    expect(made.keptPatches?.shape).toEqual([64, 4]);
    const chosen = Array.from({ length: 64 }, (_, row) =>
      Array.from(data.subarray(4 * row, 4 * row + 4), Number),
    );
    for (const row of chosen) {
      expect(new Set(row).size).toBe(4);
      expect([...row].sort((a, b) => a - b)).toEqual(row);
      expect(Math.min(...row)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...row)).toBeLessThan(16);
    }
    // Each patch has its turn: 256 choices of 16 patches.
    const counts = Array.from({ length: 16 }, (_, patch) => chosen.flat().filter((x) => x === patch).length);
    expect(Math.min(...counts)).toBeGreaterThan(4);
    expect(Math.max(...counts)).toBeLessThan(32);
  });

  test('are all there where none is to be dropped', () => {
    const made = towerNoise({});
    expect(made.keptPatches).toBeUndefined();
    expect(made.branch).toEqual({ image: undefined, text: undefined });
    expect(made.draw({ seed: 1, step: 1 })).toEqual({});
  });
});

describe('branches', () => {
  test('are passed by more often the later they are, and weigh more where they are not', () => {
    const made = towerNoise({ stochasticDepth: { image: 0.5 } }, 4000);
    const drawn = made.draw({ seed: 3, step: 9 });
    branches.forEach((name, i) => {
      const dropped = (0.5 * (i + 1)) / 4;
      const mask = drawn[`keep:${name}`]!.data as Float32Array;
      const zeros = mask.filter((x) => x === 0).length / 4000;
      expect(zeros).toBeGreaterThan(dropped - 0.03);
      expect(zeros).toBeLessThan(dropped + 0.03);
      expect(mask.reduce((largest, x) => Math.max(largest, x), 0)).toBeCloseTo(1 / (1 - dropped), 5);
    });
  });

  const basic: ImageArchitecture = {
    kind: 'basic_resnet',
    imageSize: 8,
    patchSize: 2,
    widths: [4, 6],
    blocks: [1, 2],
  };
  const blocks = ['image.stages.0.0', 'image.stages.1.0', 'image.stages.1.1'];
  const towers: [ImageArchitecture, string[]][] = [
    [toy.image, [0, 1].flatMap((i) => [`image.blocks.${i}.attention`, `image.blocks.${i}.mlp`])],
    [basic, blocks],
    [{ ...basic, kind: 'convnext', kernelSize: 3, activation: 'gelu', normEpsilon: 1e-6 }, blocks],
    [
      { ...smallLite, imageSize: 40 },
      ['1.1', '2.1', '3.1', '3.2', '4.1', '4.2', '5.1', '5.2', '5.3'].map((block) => `image.stages.${block}`),
    ],
    [
      { kind: 'resnet', imageSize: 32, width: 4, layers: [1, 2, 1, 1], heads: 2 },
      ['0.0', '1.0', '1.1', '2.0', '3.0'].map((block) => `image.stages.${block}`),
    ],
  ];
  test.each(towers)('of every kind of image tower can be passed by, their mean kept: %o', (image, names) => {
    const { noise } = trainedTowers({ ...toy, image }, declareInputs(), {
      batch: 4,
      textLength: 4,
      regularisation: regularisationSchema.parse({ stochasticDepth: { image: 0.5 } }),
      imageTower: { kind: 'model', frozenApart: false },
      beside: noneBeside,
      keepsStatistics: () => false,
    });
    const drawn = noise.draw({ seed: 5, step: 1 }, { images: 4000, texts: 4 });
    expect(Object.keys(drawn)).toEqual(names.map((name) => `keep:${name}`));
    for (const { data } of Object.values(drawn)) {
      const mean = (data as Float32Array).reduce((sum, weight) => sum + weight, 0) / data.length;
      // Four deviations of such a mean at the last branch, half of whose weights are 2.
      expect(Math.abs(mean - 1)).toBeLessThan(4 / Math.sqrt(4000));
    }
  });

  test('of basic blocks, once they have learned something, change the loss', async () => {
    const architecture = { ...toy, image: basic };
    const regularisation = regularisationSchema.parse({ stochasticDepth: { image: 0.5 } });
    const steps = { architecture, steps: 3 };
    const calm = await trainToy(engine, { batch: 4 }, steps);
    const noisy = await trainToy(engine, { batch: 4, regularisation }, steps);
    const difference = (step: number): number =>
      Math.abs(number(noisy.told[step], 'loss') - number(calm.told[step], 'loss'));
    // A block begins as the identity, so that passing by it is nothing yet.
    expect(difference(0)).toBeLessThan(1e-6);
    expect(difference(2)).toBeGreaterThan(1e-4);
  });
});

test('draws depend on seed and step, and on nothing else', () => {
  const options = { patchDropout: 0.5, stochasticDepth: { image: 0.5 } };
  const made = towerNoise(options);
  const first = made.draw({ seed: 1, step: 2 });
  made.draw({ seed: 9, step: 9 });
  expect(made.draw({ seed: 1, step: 2 })).toEqual(first);
  expect(towerNoise(options, 16).draw({ seed: 1, step: 2 }, { images: 64, texts: 8 })).toEqual(first);
  for (const other of [
    { seed: 2, step: 2 },
    { seed: 1, step: 3 },
  ]) {
    const drawn = made.draw(other);
    expect(drawn.kept_patches!.data).not.toEqual(first.kept_patches!.data);
    expect(drawn['keep:d']!.data).not.toEqual(first['keep:d']!.data);
  }
});

test('a tower without patches cannot leave them out', () => {
  const resnet: ClipArchitecture = {
    ...toy,
    image: { kind: 'resnet', imageSize: 32, width: 4, layers: [1, 1, 1, 1], heads: 2 },
  };
  const regularisation = regularisationSchema.parse({ patchDropout: 0.5 });
  expect(() => trainingStep(resnet, { batch: 4, regularisation })).toThrow(
    expect.objectContaining({
      code: 'invalid_option',
      message: expect.stringContaining('regularisation.patchDropout'),
    }),
  );
});
