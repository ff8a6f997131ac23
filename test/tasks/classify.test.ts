import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findKeywords } from '../../src/classifier/keywords.ts';
import type { Clip } from '../../src/clip/clip.ts';
import { loadClip } from '../../src/clip/load.ts';
import { createZeroShotClassifier } from '../../src/tasks/classify/classify.ts';
import { plainRules } from '../../src/text/rules.ts';
import { writeTinyModel } from '../tiny-model.ts';

let folder: string;
let classCache: string;
let clip: Clip;
let picture: Buffer;

beforeAll(async () => {
  folder = await writeTinyModel();
  classCache = await mkdtemp(join(tmpdir(), 'eidos-classes-'));
  clip = await loadClip(folder);
  picture = await sharp({ create: { width: 50, height: 40, channels: 3, background: 'teal' } })
    .png()
    .toBuffer();
});
afterAll(async () => {
  await clip.close();
  await rm(folder, { recursive: true });
  await rm(classCache, { recursive: true });
});

test('probability is the softmax of the scaled cosines, the likeliest first', async () => {
  const labels = ['a dog', 'a cat', 'the red square'];
  const classifier = await createZeroShotClassifier(clip, labels, { classCache: false });
  const [answer] = await classifier.classify(picture);
  if (answer === undefined || 'error' in answer) throw new Error('the picture was not read');
  const cosines = clip.similarity(await clip.embedImages(picture), await clip.embedTexts(labels)).data;
  const powers = Array.from(cosines, (cosine) => Math.exp(clip.logitScale * cosine));
  const sum = powers.reduce((total, power) => total + power, 0);
  for (const { label, probability, similarity } of answer.results) {
    const at = labels.indexOf(label);
    expect(similarity).toBeCloseTo(cosines[at]!, 5);
    expect(probability).toBeCloseTo(powers[at]! / sum, 4);
  }
  const probabilities = answer.results.map(({ probability }) => probability);
  expect(probabilities).toEqual([...probabilities].sort((a, b) => b - a));
  expect(probabilities.reduce((total, value) => total + value, 0)).toBeCloseTo(1, 6);
});

test('a label stands for the normalised mean of its normalised sentences', async () => {
  const templates = ['a photo of {}', 'the {} square', '{label}'];
  const classifier = await createZeroShotClassifier(clip, ['dog', 'cat'], { templates, classCache: false });
  const { data } = await clip.embedTexts(['a photo of dog', 'the dog square', 'dog']);
  const width = clip.embeddingSize;
  const mean = Array.from({ length: width }, (_, i) => data[i]! + data[width + i]! + data[2 * width + i]!);
  const length = Math.hypot(...mean);
  for (let i = 0; i < width; i++) expect(classifier.classMatrix.data[i]).toBeCloseTo(mean[i]! / length, 5);
});

test('the class matrix is kept by model and prompts, and a damaged copy is made anew', async () => {
  const make = (labels: string[]) => createZeroShotClassifier(clip, labels, { classCache });
  const first = await make(['a dog', 'a cat']);
  const [file] = await readdir(classCache);
  expect(file).toMatch(/\.safetensors$/);
  const path = join(classCache, file!);
  const bytes = await readFile(path);
  expect((await make(['a dog', 'a cat'])).classMatrix).toEqual(first.classMatrix);
  await make(['a dog', 'a cat', 'the red square']);
  expect(await readdir(classCache)).toHaveLength(2);
  await writeFile(path, bytes.subarray(0, 40));
  expect((await make(['a dog', 'a cat'])).classMatrix).toEqual(first.classMatrix);
  expect((await readFile(path)).equals(bytes)).toBe(true);
});

test('a class matrix of sentences that were cleaned otherwise is another one', async () => {
  const own = await mkdtemp(join(tmpdir(), 'eidos-classes-'));
  const plain = await loadClip(folder, { textRules: { ...plainRules, removePunctuation: true } });
  const make = (model: Clip) => createZeroShotClassifier(model, ['a-dog', 'a cat'], { classCache: own });
  try {
    const first = await make(clip);
    const second = await make(plain);
    expect(second.classMatrix).not.toEqual(first.classMatrix);
    expect(await readdir(own)).toHaveLength(2);
  } finally {
    await plain.close();
    await rm(own, { recursive: true });
  }
});

test('one broken picture among others is an answer with an error', async () => {
  const classifier = await createZeroShotClassifier(clip, ['a dog', 'a cat'], { classCache: false });
  const answers = await classifier.classify([picture, Buffer.from([1, 2, 3]), picture], { topK: 1 });
  expect(answers.map((answer) => ('error' in answer ? answer.error.code : answer.results.length))).toEqual([
    1,
    'invalid_image',
    1,
  ]);
});

test('one label alone is told to say nothing', async () => {
  const warnings: string[] = [];
  const options = { classCache: false, onWarning: (message: string) => warnings.push(message) } as const;
  await createZeroShotClassifier(clip, ['drum', 'dog'], options);
  expect(warnings).toEqual([]);
  await createZeroShotClassifier(clip, ['drum'], options);
  expect(warnings).toEqual([expect.stringMatching(/^"drum" alone says nothing/)]);
});

test('words that a model cannot tell apart are one keyword', async () => {
  const image = await clip.embedImages(picture);
  const words = await findKeywords(clip, image, { vocabulary: ['Dog', 'dog', 'cat'] });
  expect(words.map(({ keyword }) => keyword).sort()).toEqual(['Dog', 'cat']);
});

test('labels and templates that cannot be meant are refused', async () => {
  const make = (labels: string[], templates?: string[]) =>
    createZeroShotClassifier(clip, labels, {
      classCache: false,
      ...(templates === undefined ? {} : { templates }),
    });
  await expect(make([])).rejects.toThrow(/no labels/i);
  await expect(make(['a', 'a'])).rejects.toThrow(/"a" is given twice/);
  await expect(make(['a', ' '])).rejects.toThrow(/empty/);
  await expect(make(['a'], ['no place'])).rejects.toMatchObject({ code: 'invalid_option' });
  await expect(make(['a'], [])).rejects.toMatchObject({ code: 'invalid_option' });
  // Equal in tokens: capitals, composed letters, spaces.
  await expect(make(['dog', 'K\u00e4se', 'Ka\u0308se', 'k\u00e4se'])).rejects.toMatchObject({
    code: 'invalid_option',
    message: expect.stringMatching(/"K\u00e4se" and "Ka\u0308se" and "k\u00e4se" are the same/u),
  });
  const classifier = await make(['a']);
  await expect(classifier.classify(picture, { topK: 0 })).rejects.toMatchObject({ code: 'invalid_option' });
});
