import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EidosError } from '../../src/errors.ts';
import type { Dataset, Sample } from '../../src/evaluate/dataset.ts';
import { readLabelsFile, wordsOfClasses } from '../../src/evaluate/labels.ts';
import { openDataset } from '../../src/evaluate/open.ts';
import { isRawPixels } from '../../src/image/source.ts';
import { jsonLines, sheet, square, tar, writeFiles } from './tiny-sets.ts';

let root: string;
let folder: string;
let count = 0;
let red: Buffer;
let green: Buffer;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'eidos-sets-'));
  [red, green] = await Promise.all([square('red'), square('green')]);
});
beforeEach(() => {
  folder = join(root, `set-${count++}`);
});
afterAll(() => rm(root, { recursive: true }));

async function all(dataset: Dataset): Promise<Sample[]> {
  const samples: Sample[] = [];
  for await (const sample of dataset.samples()) samples.push(sample);
  return samples;
}

/** Names with the set's own name for the class. */
async function named(dataset: Dataset): Promise<[string, string | undefined][]> {
  const samples = await all(dataset);
  return samples.map(({ name, label }) => [
    name,
    label === undefined ? undefined : dataset.classes[label]!.key,
  ]);
}

const refused = (code: string, ...words: string[]) =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(words.map((word) => `(?=[\\s\\S]*${word})`).join('')),
  });

describe('class folders', () => {
  test('give each picture the name of its first folder', async () => {
    await writeFiles(folder, {
      'sea_lion/deep/a.png': red,
      'sea_lion/b.png': red,
      'train/c.png': green,
      'train/notes.txt': 'no picture',
      'stray.png': red,
    });
    const dataset = await openDataset(folder);
    expect(dataset).toMatchObject({ form: 'class_folders', split: 'all', size: 3, captionLanguages: [] });
    expect(dataset.classes).toEqual([
      { key: 'sea_lion', words: 'sea lion' },
      { key: 'train', words: 'train' },
    ]);
    expect(await named(dataset)).toEqual([
      [join('sea_lion', 'b.png'), 'sea_lion'],
      [join('sea_lion', 'deep', 'a.png'), 'sea_lion'],
      [join('train', 'c.png'), 'train'],
    ]);
  });

  test('may lie in parts, of which test is measured without its excluded pictures', async () => {
    await writeFiles(folder, {
      'train/cat/a.png': red,
      'train/dog/a.png': red,
      'test/cat/a.png': red,
      'test/cat/b.png': red,
      'exclude-test.txt': 'cat/b.png\n\ndog/none.png\n',
    });
    const dataset = await openDataset(folder);
    expect(dataset).toMatchObject({
      split: 'test',
      size: 1,
      excluded: [{ file: 'exclude-test.txt', pictures: 1 }],
    });
    expect(dataset.classes.map(({ key }) => key)).toEqual(['cat', 'dog']);
    expect((await openDataset(folder, { split: 'train' })).size).toBe(2);
    expect((await openDataset(folder, { split: 'all' })).size).toBe(3);
    await expect(openDataset(folder, { split: 'val' })).rejects.toEqual(
      refused('not_found', 'train', 'test', '"val"'),
    );
    await expect(openDataset(folder, { where: { domain: 'photo' } })).rejects.toEqual(
      refused('invalid_option', '"domain"'),
    );
  });
});

describe('an index file', () => {
  const rows = [
    { file: 'x/1.png', split: 'train', label: 'a_b', domain: 'photo' },
    { file: 'x/2.png', split: 'test', label: 'a_b', en: 'one', domain: 'photo' },
    { file: 'y/3.png', split: 'test', label: 7, en: ['two', ' ', 'three'], de: ['zwei'], domain: 'sketch' },
  ];

  test('finds pictures in shards and beside it, in the order of the shards', async () => {
    await writeFiles(folder, {
      'index.jsonl': jsonLines(rows),
      'other.tar': await tar({ 'y/3.png': green, 'unknown.png': red }),
      'x/2.png': red,
    });
    const dataset = await openDataset(folder);
    expect(dataset).toMatchObject({
      form: 'index_file',
      split: 'test',
      size: 2,
      captionLanguages: ['en', 'de'],
    });
    expect(dataset.classes).toEqual([
      { key: 'a_b', words: 'a b' },
      { key: '7', words: '7' },
    ]);
    const samples = await all(dataset);
    expect(samples).toMatchObject([
      { name: 'y/3.png', label: 1, captions: { en: ['two', 'three'], de: ['zwei'] } },
      { name: 'x/2.png', label: 0, captions: { en: ['one'], de: [] }, image: join(folder, 'x/2.png') },
    ]);
    expect(samples[0]!.image).toMatchObject({ name: `y/3.png in ${join(folder, 'other.tar')}` });
    expect(Buffer.from(await (samples[0]!.image as File).arrayBuffer()).equals(green)).toBe(true);
    // A second time gives the same.
    expect((await all(dataset)).map(({ name }) => name)).toEqual(['y/3.png', 'x/2.png']);
  });

  test('reads the shard of the part first, and no other that it does not need', async () => {
    await writeFiles(folder, {
      'index.jsonl': jsonLines(rows),
      'broken.tar': Buffer.alloc(2048, 'no archive'),
      'test-000.tar': await tar({ 'x/2.png': red }),
      'test.tar': await tar({ 'y/3.png': green }),
    });
    expect((await named(await openDataset(folder))).map(([name]) => name)).toEqual(['x/2.png', 'y/3.png']);
    // The picture of this part is in none of them.
    const train = await openDataset(folder, { split: 'train' });
    await expect(all(train)).rejects.toEqual(refused('invalid_option', 'broken\\.tar'));
  });

  test('keeps pictures of two parts apart that have one name', async () => {
    await writeFiles(folder, {
      'index.jsonl': jsonLines([
        { file: 'a.png', split: 'train', label: 'red' },
        { file: 'a.png', split: 'test', label: 'green' },
      ]),
      'test.tar': await tar({ 'a.png': green }),
      'train.tar': await tar({ 'a.png': red }),
    });
    const isOf = async (split: string, at: number, label: number, bytes: Buffer): Promise<void> => {
      const sample = (await all(await openDataset(folder, { split })))[at]!;
      expect(sample.label).toBe(label);
      expect(Buffer.from(await (sample.image as File).arrayBuffer()).equals(bytes)).toBe(true);
    };
    await isOf('train', 0, 0, red);
    await isOf('test', 0, 1, green);
    // All of them come in the order of the shards.
    await isOf('all', 0, 1, green);
    await isOf('all', 1, 0, red);
  });

  test('chooses by fields, and leaves out what a list excludes from its part only', async () => {
    await writeFiles(folder, {
      'index.jsonl': jsonLines(rows),
      'exclude-test.txt': 'x/2.png\r\nx/1.png\n',
      'exclude-val.txt': 'y/3.png',
    });
    const photos = await openDataset(folder, { split: 'all', where: { domain: 'photo' } });
    expect(photos).toMatchObject({ size: 1, where: { domain: 'photo' } });
    expect(photos.excluded).toEqual([{ file: 'exclude-test.txt', pictures: 1 }]);
    expect(photos.classes).toHaveLength(2);
    await expect(openDataset(folder, { where: { domain: 'photo' } })).rejects.toEqual(
      refused('invalid_option', 'left'),
    );
    await expect(openDataset(folder, { where: { dmain: 'photo' } })).rejects.toEqual(
      refused('invalid_option', '"dmain"'),
    );
  });

  test('tells which pictures are nowhere', async () => {
    await writeFiles(folder, { 'index.jsonl': jsonLines(rows), 'x/2.png': red });
    const samples = await all(await openDataset(folder));
    expect(samples.map(({ image }) => (image instanceof EidosError ? image.message : 'read'))).toEqual([
      'read',
      expect.stringContaining('y/3.png'),
    ]);
  });

  test('may have a line a caption, and WordNet ids as classes', async () => {
    await writeFiles(folder, {
      'index.jsonl': jsonLines([
        { file: 'a.png', wnid: 'n1', name: 'great_auk', en: 'one' },
        { file: 'a.png', wnid: 'n1', en: 'two' },
      ]),
      'a.png': red,
    });
    const dataset = await openDataset(folder);
    expect(dataset.classes).toEqual([{ key: 'n1', words: 'great auk' }]);
    expect(await all(dataset)).toMatchObject([{ captions: { en: ['one', 'two'], de: [] }, label: 0 }]);
  });

  test.each([
    ['no JSON', '{"file": "a.png"}\n{"file":', 'line 2'],
    ['no file', '{"label": "a"}', '"file"'],
    ['a caption that is a number', '{"file": "a.png", "en": [3]}', 'line 1'],
    ['a path that leaves the folder', '{"file": "../../secret.png"}', '"file"'],
    ['an absolute path', '{"file": "/etc/secret.png"}', '"file"'],
    ['two labels for one picture', '{"file": "a", "label": "x"}\n{"file": "a", "label": "y"}', 'line 2'],
    ['no lines', '\n', 'empty'],
  ])('with %s is refused by its line', async (_, content, words) => {
    await writeFiles(folder, { 'index.jsonl': content });
    await expect(openDataset(folder)).rejects.toEqual(refused('invalid_option', 'index\\.jsonl', words));
  });
});

describe('tile sheets', () => {
  const index = { tile: 4, columns: { test: 2, train: 3 }, test: 3, train: 1 };

  test('are cut into pictures, whichever of the two names they have', async () => {
    await writeFiles(folder, {
      'index.json': JSON.stringify({
        ...index,
        classes: ['sea_lion', { wnid: 'n2', names: ['great auk', 'Pinguinus impennis'] }],
      }),
      'test-sea_lion.png': await sheet(4, 2, ['red', 'green', 'blue']),
      'test/n2.png': await sheet(4, 2, ['green', 'green', 'red']),
      'exclude-test.txt': 'test/n2#0',
    });
    const dataset = await openDataset(folder);
    expect(dataset).toMatchObject({ form: 'tile_sheets', split: 'test', size: 5 });
    expect(dataset.classes).toEqual([
      { key: 'sea_lion', words: 'sea lion' },
      { key: 'n2', words: 'great auk' },
    ]);
    const seen = (await all(dataset)).map(({ name, image, label }) => {
      if (!isRawPixels(image)) throw new Error('no pixels');
      expect(image).toMatchObject({ width: 4, height: 4 });
      const step = image.data.length / 16;
      const corners = [0, 15].map((pixel) =>
        [...image.data.subarray(pixel * step, pixel * step + 3)].indexOf(250),
      );
      expect(corners[0]).toBe(corners[1]);
      return [name, corners[0], label];
    });
    expect(seen).toEqual([
      ['test-sea_lion#0', 0, 0],
      ['test-sea_lion#1', 1, 0],
      ['test-sea_lion#2', 2, 0],
      ['test/n2#1', 1, 1],
      ['test/n2#2', 0, 1],
    ]);
  });

  test('that are missing or too small are the error of each of their tiles', async () => {
    await writeFiles(folder, {
      'index.json': JSON.stringify({ ...index, classes: ['a', 'b'] }),
      'test-a.png': await sheet(4, 2, ['red', 'green']),
    });
    const samples = await all(await openDataset(folder));
    expect(samples.map(({ image }) => (image as EidosError).code)).toEqual([
      ...Array(3).fill('invalid_image'),
      ...Array(3).fill('not_found'),
    ]);
  });

  test.each([
    [{ tile: 0 }, '"tile"'],
    [{ classes: ['../x'] }, '"classes'],
    [{ columns: { '../..': 2 } }, '"columns'],
    [{ columns: { val: 2 } }, '"val"'],
  ])('with the index %j are refused by field', async (changes, words) => {
    await writeFiles(folder, { 'index.json': JSON.stringify({ ...index, classes: ['a', 'b'], ...changes }) });
    await expect(openDataset(folder)).rejects.toEqual(refused('invalid_option', 'index\\.json', words));
  });
});

test('folders that are missing, files, or of no form are refused', async () => {
  await expect(openDataset(join(root, 'nowhere'))).rejects.toEqual(refused('not_found', 'nowhere'));
  await writeFiles(folder, { 'picture.png': red, 'index.json': '{ "anything": 1 }' });
  await expect(openDataset(join(folder, 'picture.png'))).rejects.toEqual(refused('not_found', 'no folder'));
  await expect(openDataset(folder)).rejects.toEqual(
    refused('invalid_option', 'index\\.jsonl', 'index\\.json', 'each class'),
  );
});

describe('a labels file', () => {
  const classes = [
    { key: 'a_b', words: 'a b' },
    { key: 'c', words: 'c' },
  ];

  test('renames classes, with synonyms on one line or several', async () => {
    await writeFiles(folder, {
      'labels.tsv': '\uFEFF# a remark\r\na_b\tfirst | second \r\n\r\na_b\tthird\r\na_b\tfirst\n',
    });
    const labels = await readLabelsFile(join(folder, 'labels.tsv'));
    expect(wordsOfClasses(classes, labels)).toEqual([['first', 'second', 'third'], ['c']]);
    expect(wordsOfClasses(classes)).toEqual([['a b'], ['c']]);
  });

  test.each(['a_b first', 'a_b\t', '\tfirst', 'a_b\tfirst |  | third'])(
    'with the line %j is refused',
    async (line) => {
      await writeFiles(folder, { 'labels.tsv': `c\tsea\n${line}\n` });
      await expect(readLabelsFile(join(folder, 'labels.tsv'))).rejects.toEqual(
        refused('invalid_option', 'line 2'),
      );
    },
  );

  test('that is not there or names none of the classes is refused; single strangers and doubles are told', async () => {
    await expect(readLabelsFile(join(folder, 'none'))).rejects.toEqual(refused('not_found', 'none'));
    expect(() => wordsOfClasses(classes, new Map([['d', ['x']]]))).toThrow(
      refused('invalid_option', '"d"', 'a_b, c'),
    );
    const warnings: string[] = [];
    wordsOfClasses(
      classes,
      new Map([
        ['d', ['x']],
        ['a_b', ['c']],
      ]),
      (message) => warnings.push(message),
    );
    expect(warnings).toEqual([expect.stringContaining('"d"'), expect.stringMatching(/a_b and c .*"c"/)]);
  });
});
