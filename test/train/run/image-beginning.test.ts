/** A training whose image tower begins with another file than the rest: `initialise.image`. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openCheckpoint, readParameter } from '../../../src/checkpoint/index.ts';
import { readTrainingConfig, type TrainingConfigInput, train } from '../../../src/train/index.ts';
import { listCheckpoints } from '../../../src/train/run/checkpoints.ts';
import { smallLite, valuesOf, writeSmallLite } from '../../efficientnet-lite.ts';
import { tinyTraining, writeColourFolders } from './tiny-training.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder: string;
let pictures: string;
let eyes: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-image-beginning-'));
  pictures = join(folder, 'colours');
  eyes = join(folder, 'efficientnet-small.safetensors');
  await writeColourFolders(pictures);
  await writeSmallLite(eyes, 'module.');
});
afterAll(() => rm(folder, { recursive: true }));

type Image = NonNullable<TrainingConfigInput['architecture']>['image'];

const lite: Image = {
  ...smallLite,
  imageSize: 40,
  stages: [...smallLite.stages],
  pool: 'average_max',
  projection: { kind: 'perceptron', hidden: 12 },
};

/** Nothing moves by the optimiser, so that what is there is what it began with; batch norms keep their statistics. */
function config(name: string, changes: Partial<TrainingConfigInput> & { image?: Image } = {}) {
  const { image = lite, ...rest } = changes;
  const tiny = tinyTraining(pictures, join(folder, name), {});
  return {
    ...tiny,
    architecture: { ...tiny.architecture!, image },
    regularisation: {},
    until: { steps: 1 },
    freeze: ['image'],
    ...rest,
  } satisfies TrainingConfigInput;
}

async function parameter(model: string, name: string): Promise<number[]> {
  const { parameters } = await openCheckpoint(model);
  return [...(await readParameter(parameters.get(name)!))];
}

const kernel = 'image.stages.3.2.depthwise.conv.weight';
const published = Array.from(Float32Array.from(valuesOf('_blocks.7._depthwise_conv.weight', [60, 1, 3, 3])));

describe('an image tower', () => {
  test('begins with an image net, its projection anew; its pictures are prepared as the net’s', async () => {
    const { model } = await train(config('net', { initialise: { image: { from: eyes } } }));
    expect(await parameter(model, kernel)).toEqual(published);
    expect(await parameter(model, 'image.projection.up.bias')).toEqual(Array(12).fill(0));
    const { architecture, preprocessing } = await openCheckpoint(model);
    expect(architecture.image).toEqual(lite);
    expect(preprocessing).toMatchObject({ size: 40, mean: [127 / 255, 127 / 255, 127 / 255] });
  });

  test('and the rest with a model: its words are kept, its image tower is not', async () => {
    const words = join(folder, 'net');
    const { model } = await train(
      config('both', {
        freeze: ['image', 'text'],
        initialise: { from: words, image: { from: eyes } },
        tokenizer: { from: words },
        image: { ...lite, projection: { kind: 'perceptron', hidden: 8 } },
      }),
    );
    const name = 'text.blocks.0.mlp.up.weight';
    expect(await parameter(model, name)).toEqual(await parameter(words, name));
    expect(await parameter(model, kernel)).toEqual(published);
    expect((await parameter(model, 'image.projection.up.bias')).length).toBe(8);
  });

  test('begins with that of a model or of a training’s checkpoint, which keep their projection where it fits', async () => {
    const before = join(folder, 'net');
    const [checkpoint] = await listCheckpoints(join(before, 'training/checkpoints'));
    for (const from of [before, checkpoint!.path]) {
      const { model } = await train(
        config(`from ${from.slice(-4)}`, { seed: 7, initialise: { image: { from } } }),
      );
      const name = 'image.projection.direct.weight';
      expect(await parameter(model, name)).toEqual(await parameter(before, name));
      expect(await parameter(model, kernel)).toEqual(published);
    }
  });

  test.each<[string, Image, RegExp]>([
    [
      'another stride',
      { ...lite, stages: smallLite.stages.map((stage, i) => (i === 4 ? { ...stage, stride: 2 } : stage)) },
      /"stages" is .*"stride":1.*"architecture.image" says .*"stride":2/,
    ],
    [
      'another kind',
      { kind: 'basic_resnet', imageSize: 40, patchSize: 4, widths: [4], blocks: [1] },
      /"kind"/,
    ],
    ['another epsilon', { ...lite, normEpsilon: 1e-5 }, /"normEpsilon" is 0.001/],
  ])('of %s is refused before pictures are looked at', async (_, image, message) => {
    const data = { sources: [{ path: join(folder, 'no-such-pictures') }] };
    await expect(
      train(config('refused', { image, data, initialise: { image: { from: eyes } } })),
    ).rejects.toMatchObject({ code: 'invalid_option', message: expect.stringMatching(message) });
  });

  test.each<[NonNullable<TrainingConfigInput['initialise']>, RegExp]>([
    [{}, /"initialise": names nothing/],
    [{ only: ['text'], image: { from: 'x' } }, /"initialise.only": is about towers of "from"/],
    [{ from: 'x', only: ['image'], image: { from: 'y' } }, /"initialise.only": has "image"/],
  ])('of a beginning that contradicts itself is refused: %j', async (initialise, message) => {
    await expect(readTrainingConfig(config('contradiction', { initialise }))).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(message),
    });
  });

  test('is found beside the configuration', async () => {
    const { initialise } = await readTrainingConfig(
      config('beside', { initialise: { image: { from: 'efficientnet-small.safetensors' } } }),
      { folder },
    );
    expect(initialise).toEqual({ image: { from: eyes } });
  });
});
