/** What files, folders and patterns expand to. */
import type { Dirent } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openDataset } from '../../src/evaluate/open.ts';
import { expandImagePaths, picturesOfSet, unreadBelow } from '../../src/image/paths.ts';
import { readSource } from '../../src/image/source.ts';
import { describeUnread } from '../../src/image/unread.ts';
import { captionFiles } from '../../src/train/data/forms/caption-files.ts';

// Who may do everything, as in many containers, can read every folder; so it is the system's answer that is replaced.
const refused = vi.hoisted(() => new Map<string, string>());
vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:fs')>();
  type Callback = (error: Error | null, entries: Dirent[]) => void;
  const readdir = (path: string, options: { withFileTypes: true }, callback: Callback): void => {
    const code = refused.get(path.replace(/[/\\]$/, ''));
    if (code === undefined) original.readdir(path, options, callback);
    else callback(Object.assign(new Error(code), { code }), []);
  };
  return { ...original, readdir };
});

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
  expect(await expandImagePaths(urls)).toEqual({ paths: urls, missing: [], unread: {} });
});

test('folders inside that cannot be looked into are named, and the others are searched', async () => {
  refused.set(join(folder, 'trip/deep'), 'EACCES');
  refused.set(join(folder, 'words'), 'ENOENT'); // gone in the meantime
  refused.set(join(folder, '.hidden'), 'EACCES'); // is not searched
  try {
    const all = ['a.PNG', 'b.jpg', 'trip/[1] & {x}.avif', 'trip/c.JPEG'];
    expect(await expanded('')).toEqual({ paths: all, missing: ['trip/deep: not_found'] });
    expect(await expanded('trip/**')).toEqual({ paths: all.slice(2), missing: ['trip/deep: not_found'] });
    expect(await expanded('*.jpg')).toEqual({ paths: ['b.jpg'], missing: [] });
    // Nobody knows that there is nothing in it.
    expect(await expanded('trip/deep')).toEqual({ paths: [], missing: ['trip/deep: not_found'] });
    const { missing } = await expandImagePaths([relative('.', folder)]);
    expect(missing).toMatchObject([{ pattern: relative('.', join(folder, 'trip/deep')) }]);
    expect(missing[0]!.error.message).toContain('cannot be looked into (EACCES)');
  } finally {
    refused.clear();
  }
});

test('a set is wanted whole: a folder inside that cannot be looked into is an error', async () => {
  expect(await picturesOfSet(join(folder, 'words'))).toEqual([]);
  expect((await picturesOfSet(join(folder, 'trip'))).length).toBe(3);
  refused.set(join(folder, 'trip/deep'), 'EACCES');
  try {
    const error = {
      code: 'not_found',
      message: expect.stringMatching(/trip\/deep cannot be looked into \(EACCES\), .* not the whole set/),
    };
    await expect(picturesOfSet(join(folder, 'trip'))).rejects.toMatchObject(error);
    await expect(openDataset(folder)).rejects.toMatchObject(error);
    await writeFile(join(folder, 'trip/c.txt'), 'a tent');
    expect(await captionFiles.recognise(join(folder, 'trip'))).toBe(true);
    const asked = { paths: [join(folder, 'trip')], split: undefined, languages: ['en'] };
    await expect(captionFiles.find(asked)).rejects.toMatchObject(error);
  } finally {
    await rm(join(folder, 'trip/c.txt'), { force: true });
    refused.clear();
  }
});

test('names with the signs of patterns, of URLs and of no encoding are found by folder, pattern and name', async () => {
  const own = await mkdtemp(join(tmpdir(), 'eidos-names-'));
  const before = process.cwd();
  try {
    const folders = ['Summer (Italy)', '{draft}', 'album [2019]', 'a (b) {c} [d]', '!not'];
    const names = ['IMG(1).jpg', 'x (1).jpg', 'data:x.jpg', 'http:y.jpg', '-dash.jpg'];
    process.chdir(own);
    for (const place of folders) {
      await mkdir(place);
      for (const name of names) await writeFile(join(place, name), name);
      await writeFile(
        Buffer.concat([Buffer.from(`${place}/caf`), Buffer.from([0xe9]), Buffer.from('.jpg')]),
        'é',
      );
      const all = [...names, 'caf\\xE9.jpg'].map((name) => join(place, name)).sort();
      for (const pattern of [
        place,
        `${place}/*.jpg`,
        `${place}/*.{jpg,png}`,
        `./${place}/*`,
        join(own, place),
      ]) {
        const { paths, missing } = await expandImagePaths([pattern]);
        expect(missing).toEqual([]);
        expect(paths.map((path) => relative(own, resolve(path)))).toEqual(all);
        for (const path of paths) expect((await readSource(path)) as Uint8Array).not.toHaveLength(0);
      }
      expect((await expandImagePaths([`${place}/IMG(1)*.jpg`])).paths).toEqual([join(place, 'IMG(1).jpg')]);
      expect((await expandImagePaths([`${place}/caf\uFFFD.jpg`])).paths).toEqual([
        join(place, 'caf\\xE9.jpg'),
      ]);
    }
    process.chdir('Summer (Italy)');
    for (const pattern of ['.', '*', '*.jpg', 'data:x.jpg', 'http:y.jpg']) {
      const { paths } = await expandImagePaths([pattern]);
      expect(paths).not.toEqual([]);
      for (const path of paths) expect((await readSource(path)) as Uint8Array).not.toHaveLength(0);
    }
  } finally {
    process.chdir(before);
    await rm(own, { recursive: true });
  }
});

test('files of formats that are not read are counted, and a folder of them alone does not hold none', async () => {
  const mixed = join(folder, 'phone');
  const others = ['b.HEIC', 'deep/c.heic', 'd.mp4', 'e.jp2', 'f.CR2', '.hidden.heic', 'notes.txt'];
  for (const file of others) {
    await mkdir(dirname(join(mixed, file)), { recursive: true });
    await writeFile(join(mixed, file), '');
  }
  const counts = { HEIC: 2, MP4: 1, JP2: 1, CR2: 1 };
  const alone = await expandImagePaths([mixed]);
  expect(alone.unread).toEqual(counts);
  expect(alone.paths).toEqual([]);
  expect(alone.missing[0]!.error.message).toContain(
    'phone holds 5 files of formats that are not read (2 HEIC, ',
  );
  await writeFile(join(mixed, 'a.jpg'), '');
  const { paths, missing, unread } = await expandImagePaths([mixed]);
  expect({ paths, missing, unread }).toEqual({ paths: [join(mixed, 'a.jpg')], missing: [], unread: counts });
  expect(await unreadBelow([mixed, join(mixed, 'a.jpg'), join(mixed, 'nowhere')])).toEqual(counts);
  expect(describeUnread({ HEIC: 400, MP4: 12 })).toBe(
    '412 files of formats that are not read (400 HEIC, 12 MP4)',
  );
  expect(describeUnread({ CR2: 1 })).toBe('1 file of a format that is not read (1 CR2)');
  expect(describeUnread({})).toBeUndefined();
  await rm(mixed, { recursive: true });
});
