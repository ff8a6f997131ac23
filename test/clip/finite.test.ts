import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/index.ts';
import { findUnsoundNumber } from '../../src/checkpoint/unsound.ts';
import { firstUnsoundRow, requireFiniteVectors } from '../../src/clip/finite.ts';
import { bundledFolder, type LoadOptions, loadClip } from '../../src/clip/load.ts';
import { EidosError } from '../../src/errors.ts';
import { classMatrix } from '../../src/tasks/classify/class-matrix.ts';
import { printedLines, runEidos } from '../command.ts';
import { damagedModel } from '../damaged-model.ts';
import { writeTinyModel } from '../tiny-model.ts';

const folders: string[] = [];
const kept = async (folder: Promise<string>): Promise<string> => {
  folders.push(await folder);
  return folder;
};
let tiny: string;
let picture: Buffer;

beforeAll(async () => {
  tiny = await kept(writeTinyModel());
  picture = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#b03060' } })
    .png()
    .toBuffer();
});
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

async function failures(
  folder: string,
  options: LoadOptions,
): Promise<{ image?: EidosError; text?: EidosError }> {
  const clip = await loadClip(folder, options);
  const failureOf = async (work: Promise<{ data: Float32Array }>): Promise<EidosError | undefined> => {
    try {
      const { data } = await work;
      expect(data.every(Number.isFinite)).toBe(true);
      return undefined;
    } catch (error) {
      expect(error).toBeInstanceOf(EidosError);
      return error as EidosError;
    }
  };
  const image = await failureOf(clip.embedImages(picture));
  const text = await failureOf(clip.embedTexts('a photo of a dog'));
  await clip.close();
  return { ...(image === undefined ? {} : { image }), ...(text === undefined ? {} : { text }) };
}

const ways: LoadOptions[] = [{ load: 'fast-start' }, { load: 'fast-run' }, { dtype: 'int8' }];
const imageWeights = [
  'vision_model.embeddings.patch_embedding.weight',
  'vision_model.pre_layrnorm.weight',
  'vision_model.encoder.layers.0.self_attn.k_proj.bias',
  'vision_model.encoder.layers.1.mlp.fc1.weight',
  'visual_projection.weight',
];
const textWeights = [
  'text_model.encoder.layers.0.layer_norm2.weight',
  'text_model.encoder.layers.1.self_attn.v_proj.weight',
  'text_model.encoder.layers.1.mlp.fc2.weight',
];

describe.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'one weight of %d',
  (value) => {
    test.each(imageWeights)('%s: pictures are refused, sentences are not', async (name) => {
      const damaged = await kept(damagedModel(tiny, name, value));
      for (const way of ways) {
        const { image, text } = await failures(damaged, way);
        expect(image).toMatchObject({ code: 'not_finite' });
        expect(image!.message).toContain(`The image tower of ${damaged}`);
        expect(image!.message).toContain(`'${name}'`);
        expect(text).toBeUndefined();
      }
    });

    test.each(textWeights)('%s: sentences are refused, pictures are not', async (name) => {
      const damaged = await kept(damagedModel(tiny, name, value));
      for (const way of ways) {
        const { image, text } = await failures(damaged, way);
        expect(text).toMatchObject({ code: 'not_finite' });
        expect(text!.message).toContain(`The text tower of ${damaged}`);
        expect(text!.message).toContain(`'${name}'`);
        expect(image).toBeUndefined();
      }
    });

    // Rectifiers and variances that are infinite hide what does not hide in a Transformer.
    test.each(['running_mean', 'running_variance'])('%s of a convolutional net', async (statistic) => {
      const name = `image.stages.0.0.depthwise.norm.${statistic}`;
      const damaged = await kept(damagedModel(bundledFolder(), name, value));
      for (const way of ways) {
        expect((await failures(damaged, way)).image).toMatchObject({ code: 'not_finite' });
      }
    });

    test('as the temperature: the model is refused', async () => {
      const damaged = await kept(damagedModel(tiny, 'logit_scale', value));
      await expect(loadClip(damaged)).rejects.toMatchObject({ code: 'not_finite' });
      await expect(loadClip(damaged)).rejects.toThrow(damaged);
    });
  },
);

test.each([800, -800])(
  'a temperature of e^%d is refused: no cosine can be multiplied with its factor',
  async (value) => {
    const damaged = await kept(damagedModel(tiny, 'logit_scale', value));
    await expect(loadClip(damaged)).rejects.toThrow(/logit_scale is -?800/);
  },
);

test('finite weights whose sums are not are told apart', async () => {
  const huge = await kept(damagedModel(tiny, 'visual_projection.weight', 3e38, { everyNumber: true }));
  const { image } = await failures(huge, {});
  expect(image).toMatchObject({ code: 'not_finite' });
  expect(image!.message).toContain('Each of its weights is a number, but their sums are too large.');
});

test('in half floats what is over 65,504 is named, and how to open the model', async () => {
  const large = await kept(damagedModel(tiny, 'vision_model.encoder.layers.0.mlp.fc1.bias', -70_000));
  const { parameters } = await openCheckpoint(large);
  const tower = { model: 'm', tower: 'image', weights: [...parameters.values()] } as const;
  await expect(requireFiniteVectors({ ...tower, dtype: 'fp16' })).rejects.toThrow(
    /fc1\.bias.*holds -70000, more than fp16.*dtype fp32/,
  );
  await requireFiniteVectors({ ...tower, dtype: 'fp32' });
});

test('pixels that are no numbers are the caller’s mistake', async () => {
  const clip = await loadClip(tiny);
  const data = new Float32Array(2 * 3 * 32 * 32);
  data[3 * 32 * 32 + 5] = Number.NaN;
  await expect(clip.embedPixels({ data, shape: [2, 3, 32, 32] })).rejects.toMatchObject({
    code: 'invalid_option',
    message: expect.stringContaining('picture 1'),
  });
  await clip.close();
});

test('every row is looked at', () => {
  const data = new Float32Array(12).fill(1e38);
  expect(firstUnsoundRow(data, 4)).toBeUndefined();
  for (const [i, value] of [Number.NaN, Infinity, -Infinity].entries()) {
    const one = data.slice();
    one[4 * i + 3] = value;
    expect(firstUnsoundRow(one, 4)).toBe(i);
  }
  expect(firstUnsoundRow(new Float32Array(0), 4)).toBeUndefined();
});

test('a number is found behind sixteen megabytes, in halves and doubles, too', async () => {
  const stored = (type: 'float32' | 'float16' | 'float64', bytes: Uint8Array, count: number) => ({
    name: type,
    type,
    shape: [count],
    location: { bytes },
    byteLength: bytes.length,
  });
  const count = 4 * 1024 * 1024 + 10;
  const singles = new Float32Array(count);
  const sound = stored('float32', new Uint8Array(singles.buffer), count);
  expect(await findUnsoundNumber([sound, sound], Number.MAX_VALUE)).toBeUndefined();
  singles[count - 1] = Number.NaN;
  expect((await findUnsoundNumber([sound], Number.MAX_VALUE))?.value).toBeNaN();
  const halves = stored('float16', new Uint8Array(Uint16Array.of(0x3c00, 0xfc00).buffer), 2);
  expect((await findUnsoundNumber([halves], Number.MAX_VALUE))?.value).toBe(-Infinity);
  const doubles = stored('float64', new Uint8Array(Float64Array.of(1, 1e300).buffer), 2);
  expect((await findUnsoundNumber([doubles], Number.MAX_VALUE))?.tensor).toBe(doubles);
});

describe('commands', () => {
  test.each([
    ['classify', 'a.png', '--labels', 'a dog,a cat'],
    ['classify', 'a.png', '--labels', 'a dog,a cat', '--json'],
    ['embed', 'a.png'],
    ['keywords', 'a.png'],
    ['evaluate', '--dataset', 'set'],
  ])('%s ends with status 2 and prints no number that is none', async (...args) => {
    const damaged = await kept(damagedModel(tiny, 'vision_model.post_layernorm.weight', Number.NaN));
    await writeFile(join(damaged, 'a.png'), picture);
    for (const name of ['dog', 'cat']) {
      await mkdir(join(damaged, 'set', name), { recursive: true });
      await writeFile(join(damaged, 'set', name, 'a.png'), picture);
    }
    const { status, stdout, stderr } = runEidos(damaged, [...args, '--model', damaged]);
    expect(status).toBe(2);
    expect(stdout).not.toMatch(/NaN %|null|[:,[] *-?(nan|infinity)/i);
    if (args.includes('--json'))
      expect(printedLines(stdout)).toMatchObject([{ error: { code: 'not_finite' } }]);
    else expect(stderr).toMatch(/^eidos: The image tower of .*damaged/);
  });
});

test('a class matrix that an earlier version kept with numbers that are none is made anew', async () => {
  const clip = await loadClip(tiny);
  const cache = await kept(mkdtemp(join(tmpdir(), 'eidos-classes-')));
  const sound = await classMatrix(clip, [['a dog'], ['a cat']], { classCache: cache });
  const [name] = await readdir(cache);
  const bytes = await readFile(join(cache, name!));
  bytes.writeFloatLE(Number.NaN, bytes.length - 4);
  await writeFile(join(cache, name!), bytes);
  expect((await classMatrix(clip, [['a dog'], ['a cat']], { classCache: cache })).data).toEqual(sound.data);
  await clip.close();
});
