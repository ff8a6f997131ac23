/** What callers get wrong is told as an EidosError with the code invalid_option, and what can be meant is taken. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clip } from '../../src/clip/clip.ts';
import { loadClip } from '../../src/clip/load.ts';
import { evaluate } from '../../src/evaluate/evaluate.ts';
import { createZeroShotClassifier } from '../../src/tasks/classify/classify.ts';
import { openIndex } from '../../src/tasks/search/open.ts';
import { plainPicture } from '../server/requests.ts';
import { writeTinyModel } from '../tiny-model.ts';

let clip: Clip;
let folder: string;
let file: string;
let bytes: Buffer;
beforeAll(async () => {
  clip = await loadClip(await writeTinyModel());
  folder = await mkdtemp(join(tmpdir(), 'eidos-arguments-'));
  file = join(folder, 'a.png');
  await writeFile(file, plainPicture([200, 100, 50]));
  bytes = await readFile(file);
});
afterAll(async () => {
  await clip.close();
  await rm(folder, { recursive: true });
});

/** Calls with what no type would allow. */
const wrong = (call: () => Promise<unknown>) =>
  expect(call()).rejects.toMatchObject({ name: 'EidosError', code: 'invalid_option' });

describe('pictures', () => {
  test.each([
    ['a list in a list', () => [[file]]],
    ['numbers in a list in a list', () => [[1, 2, 3]]],
    ['numbers', () => [1, 2]],
    ['a number', () => 7],
    ['a Float32Array', () => new Float32Array(8)],
    ['a Float32Array in a list', () => [new Float32Array(8)]],
    ['a Map', () => new Map([['a', file]])],
    ['a FormData', () => new FormData()],
    ['undefined', () => undefined],
    ['null', () => null],
    ['undefined in a list', () => [undefined]],
    ['an object', () => ({ path: file })],
    ['a function', () => () => file],
  ])('%s is refused', async (_, value) => {
    await wrong(() => clip.embedImages(value() as never));
  });

  test.each([
    ['a Set', () => new Set([file])],
    ['a generator', () => [file].values()],
    ['a Uint8ClampedArray of a file', () => new Uint8ClampedArray(bytes)],
    ['the same in a list', () => [new Uint8ClampedArray(bytes)]],
  ])('%s is the picture', async (_, value) => {
    const expected = await clip.embedImages(file);
    expect(await clip.embedImages(value() as never)).toEqual(expected);
  });

  test('the ImageData of a canvas has four channels', async () => {
    const data = new Uint8ClampedArray(8 * 6 * 4).fill(255);
    const ofCanvas = { data, width: 8, height: 6, colorSpace: 'srgb' };
    const raw = { data, width: 8, height: 6, channels: 4 as const };
    expect(await clip.embedImages(ofCanvas as never)).toEqual(await clip.embedImages(raw));
    await expect(clip.embedImages({ data, width: 8, height: 8 } as never)).rejects.toMatchObject({
      code: 'invalid_image',
    });
  });
});

describe('texts', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 1],
    ['numbers', [1]],
    ['a list in a list', [['a dog']]],
    ['undefined in a list', ['a dog', undefined]],
    ['an object', { text: 'a dog' }],
  ])('%s is refused', async (_, value) => {
    await wrong(() => clip.embedTexts(value as never));
  });

  test.each([
    ['a Set', () => new Set(['a dog', 'a cat'])],
    ['values of a Map', () => new Map([[1, 'a dog'] as const, [2, 'a cat'] as const]).values()],
    ['a frozen list', () => Object.freeze(['a dog', 'a cat'])],
  ])('%s is a list', async (_, value) => {
    expect(await clip.embedTexts(value())).toEqual(await clip.embedTexts(['a dog', 'a cat']));
  });
});

test('an option that does not exist is refused by name, with the one that was meant', async () => {
  const index = await openIndex(join(folder, 'index'), { clip, create: true });
  const dataset = { name: 'none', split: 'test', classes: [], excluded: [] };
  for (const [call, option, meant] of [
    [() => loadClip(undefined, { dtyp: 'fp16' } as never), 'dtyp', 'dtype'],
    [() => loadClip({ devise: 'cpu' } as never), 'devise', 'device, dtype'],
    [() => clip.embedImages(file, { batchsize: 2 } as never), 'batchsize', 'batchSize'],
    [() => clip.embedTexts('a dog', { normalise: false } as never), 'normalise', 'normalize, overflow'],
    [
      () => createZeroShotClassifier(clip, ['a dog', 'a cat'], { template: 'a photo of a {}' } as never),
      'template',
      'templates',
    ],
    [() => index.sync([folder], { excludes: ['drafts'] } as never), 'excludes', 'exclude'],
    [() => index.search('a dog', { topk: 3 } as never), 'topk', 'topK'],
    [() => evaluate(clip, dataset as never, { lang: 'de' } as never), 'lang', 'language'],
  ] as const) {
    const error = await Promise.resolve()
      .then(call as () => Promise<unknown>)
      .catch((cause: unknown) => cause);
    expect(error).toMatchObject({ name: 'EidosError', code: 'invalid_option' });
    expect((error as Error).message).toContain(`"${option}"`);
    expect((error as Error).message).toContain(meant);
  }
  await index.close();
});

test('loadClip takes options alone for the bundled model', async () => {
  const bundled = await loadClip({ device: 'cpu' });
  expect(bundled.config.model).toBe('eidos-small');
  await bundled.close();
});
