/** What files, folders and patterns expand to. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expandImagePaths } from '../../src/image/paths.ts';

let folder: string;
const files = [
  'b.jpg',
  'a.PNG',
  'notes.txt',
  'trip/c.JPEG',
  'trip/deep/d.webp',
  'trip/deep/e.xmp',
  'trip/[1] & {x}.avif',
  '.hidden/f.jpg',
  '.g.jpg',
  'words/h.md',
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-paths-'));
  for (const file of files) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), '');
  }
});
afterAll(() => rm(folder, { recursive: true }));

async function expanded(...patterns: string[]) {
  const { paths, missing } = await expandImagePaths(patterns.map((pattern) => join(folder, pattern)));
  return {
    paths: paths.map((path) => path.slice(folder.length + 1)),
    missing: missing.map(({ pattern, error }) => `${pattern.slice(folder.length + 1)}: ${error.code}`),
  };
}

test('a folder gives its pictures, sorted, hidden ones left out', async () => {
  const all = ['a.PNG', 'b.jpg', 'trip/[1] & {x}.avif', 'trip/c.JPEG', 'trip/deep/d.webp'];
  expect(await expanded('')).toEqual({ paths: all, missing: [] });
  expect((await expanded('trip/')).paths).toEqual(all.slice(2));
});

test('files are taken at their word, in the order given, as often as given', async () => {
  const patterns = ['notes.txt', 'b.jpg', '.g.jpg', 'trip/[1] & {x}.avif', 'b.jpg'];
  expect(await expanded(...patterns)).toEqual({ paths: patterns, missing: [] });
  expect((await expanded('.hidden')).paths).toEqual(['.hidden/f.jpg']);
});

test('globs', async () => {
  expect((await expanded('*.jpg')).paths).toEqual(['b.jpg']);
  expect((await expanded('**/*.{jpeg,webp}')).paths).toEqual(['trip/c.JPEG', 'trip/deep/d.webp']);
  expect((await expanded('trip/**')).paths).toEqual([
    'trip/[1] & {x}.avif',
    'trip/c.JPEG',
    'trip/deep/d.webp',
  ]);
  expect((await expanded('*.txt')).paths).toEqual(['notes.txt']);
});

test('what leads to nothing is told pattern by pattern, and the others are found', async () => {
  expect(await expanded('nothing.jpg', 'b.jpg', '*.bmp', 'words')).toEqual({
    paths: ['b.jpg'],
    missing: ['nothing.jpg: not_found', '*.bmp: not_found', 'words: not_found'],
  });
});

test('URLs are handed through', async () => {
  const urls = ['https://example.org/a.jpg?b=*', 'data:,x'];
  expect(await expandImagePaths(urls)).toEqual({ paths: urls, missing: [] });
});
