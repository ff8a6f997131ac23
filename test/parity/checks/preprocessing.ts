/** Pictures on their way into the towers: decoded, resized, cropped and normalised as four original codes do it. */
import { readdirSync } from 'node:fs';
import { EidosError } from '../../../src/errors.ts';
import { imageSquare, preprocessImage } from '../../../src/image/preprocess.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../../src/models/preprocessing.ts';
import { type BytesTensor, difference, readByteTensors, toRgbBytes } from '../../image/fixture-pictures.ts';
import { once, type ParityCheck } from '../check.ts';
import { fixture, readFixtureJson } from '../fixture-files.ts';

type Settings = Omit<ImagePreprocessing, 'size'>;

const half: [number, number, number] = [0.5, 0.5, 0.5];
const rgbFirst: Settings = { ...clipPreprocessing, toRgb: 'first' };

/** What the names in the fixtures mean; one row of the table each. */
const transforms: readonly { name: string; title: string; settings: Settings }[] = [
  { name: 'clip', title: "openai/CLIP's transform", settings: clipPreprocessing },
  {
    name: 'squash_bicubic',
    title: 'bicubic squash after conversion to RGB',
    settings: { ...rgbFirst, resize: 'squash' },
  },
  {
    name: 'hf_clip',
    title: "Hugging Face's CLIPImageProcessor",
    settings: { ...rgbFirst, cropRounding: 'down' },
  },
  {
    name: 'hf_siglip',
    title: "Hugging Face's SiglipImageProcessor",
    settings: { ...rgbFirst, resize: 'squash', mean: half, deviation: half },
  },
  ...(['squash', 'longest'] as const).flatMap((resize) =>
    (['bilinear', 'bicubic'] as const).map((interpolation) => ({
      name: `open_clip_${resize}_${interpolation}`,
      title: `open_clip's ${resize}, ${interpolation}`,
      settings: { ...clipPreprocessing, resize, interpolation },
    })),
  ),
];

interface Picture {
  file: string;
  path: string;
  transform: string;
  size: number;
  expected: Uint8Array;
}

/** Results that the original computed by mistaking the height for the channels. */
function isArtefact(file: string, transform: string): boolean {
  return ['row.png', 'pixel.png', 'tiny.png'].includes(file) && transform.startsWith('hf_');
}

const isJpeg = (file: string): boolean => /\.jpe?g$/.test(file);
const isBitmap = (file: string): boolean => file.endsWith('.bmp');

/** All reference pictures of a folder, those that are stored under another's name included. */
async function pictures(folder: string): Promise<Picture[]> {
  const stored = new Map<string, BytesTensor>();
  if (folder === 'preprocess') {
    for (const transform of ['clip', 'squash_bicubic']) {
      for (const [name, tensor] of readByteTensors(fixture(`preprocess/${transform}.safetensors`))) {
        stored.set(`${name.split('/')[0]}/${transform}/${tensor.shape[0]}`, tensor);
      }
    }
  } else {
    for (const [name, tensor] of readByteTensors(fixture(`${folder}/uint8.safetensors`)))
      stored.set(name, tensor);
    const { same_as: copies } = readFixtureJson<{ same_as: Record<string, string> }>(`${folder}/index.json`);
    for (const [name, other] of Object.entries(copies)) stored.set(name, stored.get(other)!);
  }
  return [...stored].map(([name, { data }]) => {
    const [size, transform, file, ...above] = name.split('/').reverse() as [string, string, string];
    const home = above.length > 0 ? 'preprocess' : folder;
    const path = fixture(`${home}/pictures/${file}`);
    return { file, path, transform, size: Number(size), expected: data };
  });
}

const all = {
  preprocess: once(() => pictures('preprocess')),
  'preprocess-more': once(() => pictures('preprocess-more')),
};
type Folder = keyof typeof all;

/** Differences of all pictures of a kind, in steps of a byte. */
async function distances(
  folder: Folder,
  { name, settings }: (typeof transforms)[number],
  wanted: (file: string) => boolean,
): Promise<{ max: number; mean: number }[]> {
  const chosen = (await all[folder]()).filter(
    ({ file, transform }) =>
      transform === name && wanted(file) && !isBitmap(file) && !isArtefact(file, transform),
  );
  const found: { max: number; mean: number }[] = [];
  for (const { path, size, expected } of chosen) {
    const square = await imageSquare(
      path,
      { ...settings, size },
      { orientation: 'ignore', appearance: 'stored', resize: 'exact' },
    );
    found.push(difference(toRgbBytes(square, size), expected));
  }
  if (found.length === 0) throw new Error(`No picture of ${folder} is in ${name}.`);
  return found;
}

function bytesChecks(folder: Folder, names: readonly string[], needs: readonly string[]): ParityCheck[] {
  return transforms
    .filter(({ name }) => names.includes(name))
    .flatMap((transform): ParityCheck[] => [
      {
        folder,
        what: `${transform.title}: all but JPEG`,
        tolerance: 1,
        unit: 'of 255',
        needs,
        difference: async () => {
          const found = await distances(folder, transform, (file) => !isJpeg(file));
          return Math.max(...found.map(({ max }) => max));
        },
      },
      {
        folder,
        what: `${transform.title}: JPEG`,
        tolerance: 1,
        unit: 'of 255 on average',
        needs,
        difference: async () => {
          const found = await distances(folder, transform, isJpeg);
          return Math.max(...found.map(({ mean }) => mean));
        },
      },
    ]);
}

interface Statistics {
  shape: number[];
  mean: number[];
  std: number[];
  min: number;
  max: number;
  first: number[];
}

/** The largest difference of any statistic of the normalised lossless pictures. */
async function statisticsDifference(): Promise<number> {
  const folder = 'preprocess-more';
  const stored = readFixtureJson<Record<string, Record<string, Statistics>>>(
    `${folder}/normalised_stats.json`,
  );
  let largest = 0;
  let compared = 0;
  for (const [name, ofTransform] of Object.entries(stored)) {
    const file = name.split('/').at(-1)!;
    if (name === 'errors' || isJpeg(file) || isBitmap(file)) continue;
    const home = name.startsWith('..') ? 'preprocess' : folder;
    for (const [transform, expected] of Object.entries(ofTransform)) {
      if (isArtefact(file, transform)) continue;
      const { settings } = transforms.find((row) => row.name === transform)!;
      const size = expected.shape[1]!;
      const data = await preprocessImage(
        fixture(`${home}/pictures/${file}`),
        { ...settings, size },
        { orientation: 'ignore', appearance: 'stored' },
      );
      const actual = statistics(data, size);
      for (const key of ['mean', 'std', 'first'] as const) {
        largest = Math.max(largest, difference(actual[key], expected[key].flat()).max);
      }
      largest = Math.max(largest, Math.abs(actual.min - expected.min), Math.abs(actual.max - expected.max));
      compared++;
    }
  }
  if (compared < 50) throw new Error(`Only ${compared} pictures have statistics.`);
  return largest;
}

function statistics(data: Float32Array, size: number): Omit<Statistics, 'shape'> {
  const channels = [0, 1, 2].map((channel) =>
    data.subarray(channel * size * size, (channel + 1) * size * size),
  );
  const mean = channels.map((values) => values.reduce((sum, value) => sum + value, 0) / values.length);
  const std = channels.map((values, channel) =>
    Math.sqrt(values.reduce((sum, value) => sum + (value - mean[channel]!) ** 2, 0) / values.length),
  );
  return {
    mean,
    std,
    min: Math.min(...data),
    max: Math.max(...data),
    first: channels.flatMap((values) => [...values.subarray(0, 4)]),
  };
}

const basic = ['clip', 'squash_bicubic'];

export const preprocessingChecks: readonly ParityCheck[] = [
  ...bytesChecks('preprocess', basic, ['preprocess']),
  {
    folder: 'preprocess',
    what: 'corrupt files that give neither a picture nor an error of eidos',
    tolerance: 0,
    unit: 'cases',
    needs: ['preprocess/corrupt'],
    difference: async () => {
      const folder = fixture('preprocess/corrupt');
      let failures = 0;
      for (const file of readdirSync(folder)) {
        const outcome = await preprocessImage(`${folder}/${file}`, { ...clipPreprocessing, size: 32 }).catch(
          (error: unknown) => error,
        );
        if (!(outcome instanceof Float32Array || outcome instanceof EidosError)) failures++;
      }
      return failures;
    },
  },
  ...bytesChecks(
    'preprocess-more',
    transforms.map(({ name }) => name).filter((name) => name !== 'squash_bicubic'),
    ['preprocess', 'preprocess-more'],
  ),
  {
    folder: 'preprocess-more',
    what: 'normalised values: mean, deviation, smallest, largest, first of lossless pictures',
    tolerance: 0.02,
    needs: ['preprocess', 'preprocess-more'],
    difference: statisticsDifference,
  },
  {
    folder: 'preprocess-more',
    what: 'BMP files that are read',
    tolerance: 0,
    unit: 'cases',
    needs: ['preprocess-more'],
    difference: async () => {
      const folder = fixture('preprocess-more/pictures');
      const files = readdirSync(folder).filter(isBitmap);
      const outcomes = await Promise.all(
        files.map((file) =>
          preprocessImage(`${folder}/${file}`, { ...clipPreprocessing, size: 32 }).then(
            () => 0,
            () => 1,
          ),
        ),
      );
      return outcomes.reduce<number>((sum, failed) => sum + failed, 0);
    },
    unmet: 'sharp’s prebuilt library does not read BMP; the error names the format',
  },
];
