/** The reference pictures: what the original preprocessing code makes of every kind of file. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { EidosError } from '../../src/errors.ts';
import { imageSquare, type PreprocessOptions, preprocessImage } from '../../src/image/preprocess.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../src/models/preprocessing.ts';
import { squareSide } from '../../src/models/sides.ts';
import { sharedFixtures } from '../fixtures.ts';
import { type BytesTensor, difference, readByteTensors, toRgbBytes } from './fixture-pictures.ts';

const half: [number, number, number] = [0.5, 0.5, 0.5];

const variants: { readonly [name: string]: Omit<ImagePreprocessing, 'size'> } = {
  clip: clipPreprocessing,
  hf_clip: { ...clipPreprocessing, toRgb: 'first', cropRounding: 'down' },
  hf_siglip: { ...clipPreprocessing, toRgb: 'first', resize: 'squash', mean: half, deviation: half },
  squash_bicubic: { ...clipPreprocessing, toRgb: 'first', resize: 'squash' },
  open_clip_squash_bilinear: { ...clipPreprocessing, resize: 'squash', interpolation: 'bilinear' },
  open_clip_squash_bicubic: { ...clipPreprocessing, resize: 'squash' },
  open_clip_longest_bilinear: { ...clipPreprocessing, resize: 'longest', interpolation: 'bilinear' },
  open_clip_longest_bicubic: { ...clipPreprocessing, resize: 'longest' },
};

interface Case {
  /** `file/variant/size`. */
  name: string;
  path: string;
  preprocessing: ImagePreprocessing;
  expected: Uint8Array;
}

/** Results that the original computed by mistaking the height for the channels. */
function isArtefact(name: string): boolean {
  return /^(row|pixel|tiny)\.png\/hf_/.test(name);
}

function referenceCases(fixtures: string): Case[] {
  const cases: Case[] = [];
  const add = (folder: string, file: string, variant: string, size: number, tensor: BytesTensor) => {
    const name = `${file}/${variant}/${size}`;
    // BMP is not read: see the test of formats.
    if (isArtefact(name) || file === 'bitmap.bmp') return;
    const preprocessing = { ...variants[variant]!, size };
    cases.push({ name, path: `${fixtures}${folder}/pictures/${file}`, preprocessing, expected: tensor.data });
  };
  for (const variant of ['clip', 'squash_bicubic']) {
    for (const [name, tensor] of readByteTensors(`${fixtures}preprocess/${variant}.safetensors`)) {
      add('preprocess', name.split('/')[0]!, variant, tensor.shape[0]!, tensor);
    }
  }
  const more = readByteTensors(`${fixtures}preprocess-more/uint8.safetensors`);
  const { same_as: copies } = JSON.parse(readFileSync(`${fixtures}preprocess-more/index.json`, 'utf8')) as {
    same_as: Record<string, string>;
  };
  for (const [name, stored] of Object.entries(copies)) more.set(name, more.get(stored)!);
  for (const [name, tensor] of more) {
    const [size, variant, file, ...folder] = name.split('/').reverse();
    add(folder.length > 0 ? 'preprocess' : 'preprocess-more', file!, variant!, Number(size), tensor);
  }
  return cases;
}

async function distance(one: Case, options: PreprocessOptions) {
  const square = await imageSquare(one.path, one.preprocessing, {
    orientation: 'ignore',
    appearance: 'stored',
    ...options,
  });
  return difference(toRgbBytes(square, squareSide(one.preprocessing.size, 'this test')), one.expected);
}

const cases = sharedFixtures === undefined ? [] : referenceCases(sharedFixtures);

describe.skipIf(sharedFixtures === undefined)('reference pictures', () => {
  test('there are hundreds of them', () => {
    expect(cases.length).toBeGreaterThan(300);
  });

  test('exact: not one value differs, JPEG included', async () => {
    const differing: string[] = [];
    for (const one of cases) {
      const { max } = await distance(one, { resize: 'exact' });
      if (max > 0) differing.push(`${one.name}: ${max}`);
    }
    expect(differing).toEqual([]);
  });

  test('fast: large JPEGs within 15, half a value on average; all others exact', async () => {
    const distances = [];
    for (const one of cases) {
      const found = await distance(one, { resize: 'fast' });
      if (found.max > 0) distances.push({ ...found, name: one.name });
    }
    expect(distances.length).toBeGreaterThan(0);
    expect(distances.filter(({ name }) => !/\.jpg\//.test(name))).toEqual([]);
    expect(Math.max(...distances.map(({ max }) => max))).toBeLessThanOrEqual(15);
    expect(distances.reduce((sum, { mean }) => sum + mean, 0) / distances.length).toBeLessThan(0.6);
  });

  test('normalised values', async () => {
    const folder = `${sharedFixtures}preprocess-more/`;
    const statistics = JSON.parse(readFileSync(`${folder}normalised_stats.json`, 'utf8')) as Record<
      string,
      Record<
        string,
        { shape: number[]; mean: number[]; std: number[]; min: number; max: number; first: number[] }
      >
    >;
    let compared = 0;
    for (const [file, ofVariant] of Object.entries(statistics)) {
      if (file === 'errors' || file.endsWith('.bmp')) continue;
      for (const [variant, expected] of Object.entries(ofVariant)) {
        if (isArtefact(`${file.split('/').at(-1)}/${variant}`)) continue;
        const size = expected.shape[1]!;
        const preprocessing = { ...variants[variant]!, size };
        const path = `${folder}${file.startsWith('..') ? '' : 'pictures/'}${file.replace('../preprocess/', '../preprocess/pictures/')}`;
        const data = await preprocessImage(path, preprocessing, {
          orientation: 'ignore',
          appearance: 'stored',
        });
        const first = [0, 1, 2].flatMap((channel) => [
          ...data.subarray(channel * size * size, channel * size * size + 4),
        ]);
        expect(difference(first, expected.first).max, `${file} ${variant}`).toBeLessThan(1e-6);
        expect(Math.abs(Math.min(...data) - expected.min)).toBeLessThan(1e-6);
        expect(Math.abs(Math.max(...data) - expected.max)).toBeLessThan(1e-6);
        for (let channel = 0; channel < 3; channel++) {
          const values = data.subarray(channel * size * size, (channel + 1) * size * size);
          const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
          expect(Math.abs(mean - expected.mean[channel]!)).toBeLessThan(1e-4);
        }
        compared += 1;
      }
    }
    expect(compared).toBeGreaterThan(100);
  });

  test('broken files are errors, whichever way they are read', async () => {
    const folder = `${sharedFixtures}preprocess/corrupt/`;
    const preprocessing = { ...clipPreprocessing, size: 32 };
    const outcomes: Record<string, string> = {};
    for (const file of readdirSync(folder)) {
      for (const resize of ['exact', 'fast'] as const) {
        const outcome = await preprocessImage(folder + file, preprocessing, { resize }).then(
          () => 'read',
          (error: unknown) => {
            expect(error).toBeInstanceOf(EidosError);
            expect((error as EidosError).message).toContain(file);
            return (error as EidosError).code;
          },
        );
        expect(outcomes[file] ?? outcome, `${file} ${resize}`).toBe(outcome);
        outcomes[file] = outcome;
      }
    }
    expect(outcomes).toEqual({
      'bad_crc.png': 'invalid_image',
      'bomb.png': 'image_too_large',
      'empty.jpg': 'invalid_image',
      'external_entity.svg': 'invalid_image',
      'header_only.jpg': 'invalid_image',
      'noise.jpg': 'invalid_image',
      'noise.webp': 'invalid_image',
      'one_byte.png': 'invalid_image',
      'png_named.jpg': 'read',
      'text.jpg': 'invalid_image',
      'truncated.jpg': 'invalid_image',
      'truncated.png': 'invalid_image',
    });
  });

  test('cut off anywhere, a file is an error or a picture, nothing else', async () => {
    const preprocessing = { ...clipPreprocessing, size: 32 };
    const files = ['progressive.jpg', 'cmyk.jpg', 'palette.png', 'animated.gif', 'lossy.webp', 'tiff.tif'];
    for (const file of files) {
      const bytes = readFileSync(`${sharedFixtures}preprocess/pictures/${file}`);
      for (let cut = 1; cut < bytes.length; cut += Math.ceil(bytes.length / 25)) {
        const outcome = await preprocessImage(bytes.subarray(0, cut), preprocessing).catch((error) => error);
        if (outcome instanceof Float32Array) continue;
        expect(outcome, `${file} at ${cut}`).toBeInstanceOf(EidosError);
        expect(outcome.code).toBe('invalid_image');
      }
    }
  });

  test('damaged anywhere, a file is an error or a picture, nothing else', async () => {
    const preprocessing = { ...clipPreprocessing, size: 32 };
    const files = [
      'baseline.jpg',
      'gray16.png',
      'animated.gif',
      'lossless.webp',
      'tiff.tif',
      'gray_alpha.png',
    ];
    for (const file of files) {
      const bytes = readFileSync(`${sharedFixtures}preprocess/pictures/${file}`);
      for (let i = 0; i < 30; i++) {
        const damaged = Buffer.from(bytes);
        for (let j = 0; j < 8; j++)
          damaged[(i * 7919 + j * 104729) % (i < 15 ? 64 : bytes.length)] = i * 31 + j;
        const outcome = await preprocessImage(damaged, preprocessing).catch((error) => error);
        if (!(outcome instanceof Float32Array)) expect(outcome, file).toBeInstanceOf(EidosError);
      }
    }
  });
});
