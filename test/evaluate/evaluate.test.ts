import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { loadClip } from '../../src/clip/load.ts';
import type { Measurement } from '../../src/evaluate/evaluate.ts';
import { evaluate } from '../../src/evaluate/evaluate.ts';
import { openDataset } from '../../src/evaluate/open.ts';
import { evaluateLinearProbe } from '../../src/evaluate/probe.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { type Colour, colourModel, jsonLines, sheet, square, tar, writeFiles } from './tiny-sets.ts';

let root: string;
let folder: string;
let count = 0;
const pictures = {} as Record<Colour, Buffer>;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'eidos-evaluate-'));
  for (const colour of ['red', 'green', 'blue'] as const) pictures[colour] = await square(colour);
});
beforeEach(() => {
  folder = join(root, `set-${count++}`);
});
afterAll(() => rm(root, { recursive: true }));

const figures = (measurements: readonly Measurement[]) =>
  Object.fromEntries(
    measurements.map(({ metric, template, value, n }) => [`${metric}${template ?? ''}`, [value, n]]),
  );

describe('accuracy', () => {
  test('counts pictures whose class is called by what they show', async () => {
    await writeFiles(folder, {
      'red/1.png': pictures.red,
      'red/2.png': pictures.red,
      'green/3.png': pictures.green,
      'blue/4.png': pictures.red,
    });
    const model = colourModel();
    const evaluation = await evaluate(model, await openDataset(folder));
    expect(model.sentences).toEqual(['a photo of a blue.', 'a photo of a green.', 'a photo of a red.']);
    expect(evaluation).toMatchObject({ pictures: 4, unreadable: [] });
    // Three classes: accuracy@5 could not fail.
    expect(evaluation.measurements).toEqual([
      {
        dataset: folder.split(/[/\\]/).at(-1),
        split: 'all',
        metric: 'accuracy@1',
        language: 'en',
        value: 0.75,
        interval: [expect.closeTo(0.3006, 3), expect.closeTo(0.9544, 3)],
        n: 4,
      },
    ]);
  });

  test('reads tiles, and gives the second metric where there are more than five classes', async () => {
    const classes = ['red', 'green', 'blue', 'red and green', 'red and blue', 'green and blue'];
    const tiles: Record<string, Buffer> = {};
    for (const name of classes) tiles[`test-${name}.png`] = await sheet(6, 2, ['red', 'green', 'red']);
    await writeFiles(folder, {
      'index.json': JSON.stringify({ tile: 6, columns: { test: 2 }, test: 3, classes }),
      ...tiles,
    });
    const { measurements } = await evaluate(colourModel(), await openDataset(folder), { batchSize: 4 });
    // Of red tiles red is the first, green and blue tie with green-and-blue for the last places in their order.
    expect(figures(measurements)).toEqual({
      'accuracy@1': [3 / 18, 18],
      'accuracy@5': [1 - 3 / 18, 18],
    });
  });

  test('at as many places as there are classes is left out', async () => {
    for (const name of ['red', 'green', 'blue', 'red and green', 'red and blue']) {
      await writeFiles(folder, { [`${name}/1.png`]: pictures.red });
    }
    const { measurements } = await evaluate(colourModel(), await openDataset(folder));
    expect(figures(measurements)).toEqual({ 'accuracy@1': [0.2, 5] });
  });

  test('goes by labels, synonyms, templates, and by each template alone', async () => {
    await writeFiles(folder, { 'r/1.png': pictures.red, 'g/2.png': pictures.green });
    const dataset = await openDataset(folder);
    const model = colourModel();
    const { measurements } = await evaluate(model, dataset, {
      labels: new Map([
        ['r', ['red', 'red and blue']],
        ['g', ['green']],
      ]),
      templates: ['the {}', 'red green green {}'],
      eachTemplate: true,
    });
    expect(model.sentences).toContain('red green green red and blue');
    expect(measurements.map(({ template, value }) => [template, value])).toEqual([
      [undefined, 1],
      ['the {}', 1],
      ['red green green {}', 1],
    ]);
    const swapped = await evaluate(colourModel(), dataset, {
      labels: new Map([
        ['r', ['green']],
        ['g', ['red']],
      ]),
      templates: ['{}', 'not {}'],
      eachTemplate: true,
    });
    expect(swapped.measurements.map(({ value }) => value)).toEqual([0, 0, 0]);
  });

  test('in German takes German sentences, and says that labels would fit better', async () => {
    await writeFiles(folder, { 'red/1.png': pictures.red, 'green/2.png': pictures.green });
    const model = colourModel();
    const warnings: string[] = [];
    const options = { language: 'de', onWarning: (message: string) => warnings.push(message) } as const;
    const { measurements } = await evaluate(model, await openDataset(folder), options);
    expect(measurements[0]).toMatchObject({ language: 'de', value: 1 });
    expect(model.sentences[0]).toBe('ein Foto von: green.');
    expect(warnings).toEqual([expect.stringContaining('labels')]);
  });
});

describe('recall', () => {
  const index = [
    { file: '1.png', en: ['all red', 'so red'], de: 'red' },
    { file: '2.png', en: ['green', 'it is blue'] },
    { file: '3.png', en: 'blue', de: ['red', 'blue'] },
  ];
  const files = async () => ({
    'index.jsonl': jsonLines(index),
    'all.tar': await tar({ '3.png': pictures.blue, '1.png': pictures.red, '2.png': pictures.green }),
  });

  test('counts captions that find their picture, and pictures that find one of their captions', async () => {
    await writeFiles(folder, await files());
    const warnings: string[] = [];
    const { measurements } = await evaluate(colourModel(), await openDataset(folder), {
      labels: new Map([['red', ['blue']]]),
      onWarning: (message) => warnings.push(message),
    });
    expect(warnings).toEqual([expect.stringContaining('no classes')]);
    // "it is blue" finds the blue picture; each picture finds a caption, and three pictures are too few for @5.
    expect(figures(measurements)).toEqual({
      'text_to_image_recall@1': [0.8, 5],
      'image_to_text_recall@1': [1, 3],
    });
  });

  test('in a language searches among the pictures with captions in it', async () => {
    await writeFiles(folder, await files());
    const { measurements, pictures: read } = await evaluate(colourModel(), await openDataset(folder), {
      language: 'de',
    });
    expect(read).toBe(3);
    // The blue picture comes first in the archive and is called red once: "red" of the red one is the second of equals.
    expect(figures(measurements)).toEqual({
      'text_to_image_recall@1': [2 / 3, 3],
      'image_to_text_recall@1': [0.5, 2],
    });
  });

  test('stands beside accuracy where a set has both', async () => {
    const rows = index.map((row, at) => ({ ...row, label: ['red', 'green', 'blue'][at] }));
    await writeFiles(folder, { ...(await files()), 'index.jsonl': jsonLines(rows) });
    const { measurements } = await evaluate(colourModel(), await openDataset(folder));
    expect(figures(measurements)).toEqual({
      'accuracy@1': [1, 3],
      'text_to_image_recall@1': [0.8, 5],
      'image_to_text_recall@1': [1, 3],
    });
  });
});

describe('unreadable pictures', () => {
  test('are named and left out, captions included', async () => {
    await writeFiles(folder, {
      'index.jsonl': jsonLines([
        { file: '1.png', label: 'red', en: 'red' },
        { file: '2.png', label: 'green', en: 'blue' },
        { file: '3.png', label: 'blue', en: 'blue' },
      ]),
      'all.tar': await tar({
        '1.png': pictures.red,
        '2.png': Buffer.from('no picture'),
        '3.png': pictures.blue,
      }),
    });
    const met: string[] = [];
    const {
      measurements,
      unreadable,
      pictures: read,
    } = await evaluate(colourModel(), await openDataset(folder), {
      onUnreadable: ({ image }) => met.push(image),
    });
    expect(read).toBe(2);
    expect(unreadable).toMatchObject([{ image: '2.png', error: { code: 'invalid_image' } }]);
    expect(unreadable[0]!.error.message).toMatch(/2\.png in .*all\.tar/);
    expect(met).toEqual(['2.png']);
    expect(figures(measurements)).toEqual({
      'accuracy@1': [1, 2],
      'text_to_image_recall@1': [1, 2],
      'image_to_text_recall@1': [1, 2],
    });
  });

  test('are an error when they are too many', async () => {
    await writeFiles(folder, {
      'index.jsonl': jsonLines(
        [1, 2, 3, 4].map((n) => ({ file: `${n}.png`, label: n % 2 ? 'red' : 'blue' })),
      ),
      '1.png': pictures.red,
      '3.png': 'no picture',
    });
    const dataset = await openDataset(folder);
    await expect(evaluate(colourModel(), dataset)).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringMatching(/at most 1 of 4/),
    });
    const tolerant = await evaluate(colourModel(), dataset, { maxUnreadableShare: 0.75 });
    expect(tolerant.unreadable).toHaveLength(3);
    expect(figures(tolerant.measurements)).toEqual({ 'accuracy@1': [1, 1] });
    await writeFiles(folder, { '1.png': 'no picture' });
    await expect(evaluate(colourModel(), dataset, { maxUnreadableShare: 1 })).rejects.toMatchObject({
      code: 'invalid_image',
    });
  });
});

describe('nothing is measured', () => {
  test('of one class, nor of captions in another language', async () => {
    await writeFiles(folder, { 'only/1.png': pictures.red });
    const one = await openDataset(folder);
    await expect(evaluate(colourModel(), one)).rejects.toMatchObject({ code: 'invalid_option' });
    await writeFiles(folder, { 'index.jsonl': jsonLines([{ file: 'only/1.png', en: 'red' }]) });
    const english = await openDataset(folder);
    await expect(evaluate(colourModel(), english, { language: 'de' })).rejects.toThrow(
      /captions in en .*not in de/,
    );
  });

  test('after the caller has given up', async () => {
    await writeFiles(folder, { 'red/1.png': pictures.red, 'green/2.png': pictures.green });
    const dataset = await openDataset(folder);
    await expect(evaluate(colourModel(), dataset, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
    const giveUp = new AbortController();
    const onProgress = ({ stage }: { stage: string }) => {
      if (stage === 'prompts') giveUp.abort();
    };
    await expect(
      evaluate(colourModel(), dataset, { signal: giveUp.signal, onProgress }),
    ).rejects.toMatchObject({
      code: 'aborted',
    });
  });
});

test('a real model is measured by the cosines of its embeddings', async () => {
  const words = ['dog', 'cat', 'red square', 'green square', 'blue square', 'photo'];
  const order: Colour[] = ['red', 'green', 'blue', 'red', 'blue', 'green'];
  const captions = [
    'the red square',
    'the green square',
    'the blue square',
    'a dog',
    'a cat',
    'a dog and a cat',
  ];
  await writeFiles(folder, {
    'index.jsonl': jsonLines(
      order.map((_, at) => ({
        file: `${at}.png`,
        label: words[at],
        en: [captions[at], `a photo of ${captions[at]}`],
      })),
    ),
    ...Object.fromEntries(order.map((colour, at) => [`${at}.png`, pictures[colour]])),
  });
  const path = await writeTinyModel();
  const clip = await loadClip(path);
  try {
    const progress: string[] = [];
    const { measurements } = await evaluate(clip, await openDataset(folder), {
      templates: ['a photo of a {}', 'the {}'],
      batchSize: 4,
      onProgress: ({ stage, done, total }) => progress.push(`${stage} ${done}/${total}`),
    });
    expect(progress).toEqual(['prompts 12/12', 'pictures 4/6', 'pictures 6/6', 'captions 12/12']);

    const images = await clip.embedImages(order.map((colour) => pictures[colour]));
    const prompts = await clip.embedTexts(words.flatMap((word) => [`a photo of a ${word}`, `the ${word}`]));
    const byPrompt = clip.similarity(images, prompts).data;
    const width = clip.embeddingSize;
    // cosine with the normalised mean of two unit vectors: their mean cosine over the length of the mean
    const lengths = words.map((_, label) =>
      Math.hypot(
        ...Array.from(
          { length: width },
          (_, k) => (prompts.data[2 * label * width + k]! + prompts.data[(2 * label + 1) * width + k]!) / 2,
        ),
      ),
    );
    const places = order.map((_, picture) => {
      const scores = words.map(
        (_, label) =>
          (byPrompt[picture * 12 + 2 * label]! + byPrompt[picture * 12 + 2 * label + 1]!) /
          2 /
          lengths[label]!,
      );
      return scores.filter((score) => score > scores[picture]! + 1e-7).length;
    });
    const found = figures(measurements);
    expect(found['accuracy@1']).toEqual([places.filter((place) => place < 1).length / 6, 6]);
    expect(found['accuracy@5']).toEqual([places.filter((place) => place < 5).length / 6, 6]);

    const texts = await clip.embedTexts(captions.flatMap((caption) => [caption, `a photo of ${caption}`]));
    const scores = clip.similarity(images, texts).data;
    // Equal pictures stand in their order.
    const placesOfPictures = Array.from({ length: 12 }, (_, text) => {
      const own = Math.floor(text / 2);
      return order.filter((_, picture) => {
        const gap = scores[picture * 12 + text]! - scores[own * 12 + text]!;
        return order[picture] === order[own] ? picture < own : gap > 0;
      }).length;
    });
    expect(found['text_to_image_recall@1']).toEqual([
      placesOfPictures.filter((place) => place < 1).length / 12,
      12,
    ]);
    expect(found['text_to_image_recall@5']).toEqual([
      placesOfPictures.filter((place) => place < 5).length / 12,
      12,
    ]);
    expect(found['image_to_text_recall@10']).toBeDefined();
  } finally {
    await clip.close();
    await rm(path, { recursive: true });
  }
});

describe('a linear probe', () => {
  test('learns from one part what it is measured by on the other', async () => {
    await writeFiles(folder, {
      'train/red/1.png': pictures.red,
      'train/green/2.png': pictures.green,
      'train/blue/3.png': pictures.blue,
      'test/red/4.png': pictures.red,
      'test/green/5.png': pictures.blue,
      'test/blue/6.png': pictures.blue,
    });
    const train = await openDataset(folder, { split: 'train' });
    const evaluation = await evaluateLinearProbe(colourModel(), train, await openDataset(folder));
    expect(figures(evaluation.measurements)).toEqual({ 'linear_probe_accuracy@1': [2 / 3, 3] });
    for (const split of ['train', 'all']) {
      const same = evaluateLinearProbe(colourModel(), train, await openDataset(folder, { split }));
      await expect(same).rejects.toThrow(/the same pictures/);
    }
  });

  test('refuses parts of different classes', async () => {
    await writeFiles(folder, { 'red/1.png': pictures.red, 'green/2.png': pictures.green });
    const other = `${folder}-other`;
    await writeFiles(other, { 'red/1.png': pictures.red, 'blue/2.png': pictures.blue });
    const run = evaluateLinearProbe(colourModel(), await openDataset(other), await openDataset(folder));
    await expect(run).rejects.toThrow(/same classes/);
  });
});
