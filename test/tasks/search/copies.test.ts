import { existsSync } from 'node:fs';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import sharp, { type Sharp } from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clip } from '../../../src/clip/clip.ts';
import { loadClip } from '../../../src/clip/load.ts';
import { decodeImage } from '../../../src/image/decode.ts';
import {
  hashedPicture,
  isSamePicture,
  perceptualHash,
  perceptualHashLength,
} from '../../../src/image/perceptual-hash.ts';
import { clipPreprocessing } from '../../../src/models/preprocessing.ts';
import { groupCopies } from '../../../src/tasks/search/duplicates/groups.ts';
import { openIndex, type SearchIndex } from '../../../src/tasks/search/index.ts';
import { loadLance } from '../../../src/tasks/search/store/lance.ts';
import { writeTinyModel } from '../../tiny-model.ts';
import { temporaryFolder } from './pictures.ts';

const field = fileURLToPath(new URL('../../../../shared/field/', import.meta.url));
const photographs = fileURLToPath(new URL('../../../examples/photographs/', import.meta.url));

let folder: string;
let model: string;
let clip: Clip;
beforeAll(async () => {
  folder = await temporaryFolder();
  model = await writeTinyModel();
  clip = await loadClip(model);
});
afterAll(async () => {
  await clip.close();
  await rm(folder, { recursive: true });
  await rm(model, { recursive: true });
});

/** Patches of colours of their own, which all look alike to a model of random weights. */
function patchwork(seed: number, side = 240): Sharp {
  let state = seed;
  const data = Uint8Array.from({ length: 8 * 8 * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 60 + (state >>> 25);
  });
  return sharp(data, { raw: { width: 8, height: 8, channels: 3 } }).resize(side, side, { kernel: 'nearest' });
}

const namesOf = (pictures: readonly { image: string }[]): string[] =>
  pictures.map(({ image }) => basename(image)).sort();

describe('a perceptual hash', () => {
  const look = async (picture: Sharp) => {
    const decoded = await decodeImage(await picture.toBuffer());
    const hash = perceptualHash(decoded, { ...clipPreprocessing, size: 224 });
    return hashedPicture(hash, decoded.width, decoded.height);
  };
  let small: Buffer;
  beforeAll(async () => {
    small = await sharp(join(photographs, 'two-dogs.jpg')).resize(360).png().toBuffer();
  });
  const photograph = () => sharp(small);

  test('knows a picture again in another size, compression and format', async () => {
    const own = await look(photograph());
    const { width } = await photograph().metadata();
    for (const copy of [
      photograph().jpeg({ quality: 25 }),
      photograph().resize(Math.round(width / 2)),
      photograph().resize(width * 2 + 1),
      photograph().gif({ colours: 64 }),
      photograph().webp({ quality: 30 }),
      photograph().avif({ quality: 50, effort: 0 }),
      photograph().png({ palette: true, colours: 64 }),
      photograph().tiff(),
    ]) {
      expect(isSamePicture(own, await look(copy))).toBe(true);
    }
  });

  test('is another one for what is changed, cut, turned or only like it', async () => {
    const own = await look(photograph());
    const { width, height } = await photograph().metadata();
    const spot = { create: { width: 60, height: 60, channels: 3 as const, background: 'red' } };
    for (const other of [
      photograph().flop(),
      photograph().flip(),
      photograph().rotate(90),
      photograph().greyscale(),
      photograph().linear(1.2),
      photograph().extract({ left: 0, top: 0, width: Math.round(width * 0.9), height }),
      photograph().resize(width, Math.round(height * 0.8), { fit: 'fill' }),
      photograph().composite([
        {
          input: await sharp(spot).png().toBuffer(),
          top: 0,
          left: 0,
        },
      ]),
      sharp(join(photographs, 'dandelions.jpg')).resize(width, height, { fit: 'fill' }),
    ]) {
      expect(isSamePicture(own, await look(other))).toBe(false);
    }
  });

  test('tells pages of text apart, which are all alike from afar', async () => {
    const page = (seed: number) => {
      let state = seed;
      const [width, height] = [600, 800];
      const data = new Uint8Array(width * height).fill(255);
      for (let line = 40; line < height - 40; line += 18) {
        for (let x = 50; x < width - 50; ) {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          const word = 10 + (state >>> 27) * 2;
          for (let stroke = x; stroke < Math.min(x + word, width - 50); stroke += 3) {
            for (let y = line; y < line + 9; y++) data[y * width + stroke] = 0;
          }
          x += word + 6;
        }
      }
      return sharp(data, { raw: { width, height, channels: 1 } }).png();
    };
    const pages = await Promise.all([1, 2, 3, 4].map(async (seed) => look(page(seed))));
    for (const [i, one] of pages.entries()) {
      for (const other of pages.slice(i + 1)) expect(isSamePicture(one, other)).toBe(false);
    }
    expect(isSamePicture(pages[0]!, await look(page(1).jpeg({ quality: 40 })))).toBe(true);
    expect(isSamePicture(pages[0]!, await look(page(1).resize(300)))).toBe(true);
  });

  test('tells plain pictures by their colour', async () => {
    const plain = (background: string) =>
      sharp({ create: { width: 40, height: 40, channels: 3, background } }).png();
    const red = await look(plain('#c01010'));
    expect(isSamePicture(red, await look(plain('#c01010').jpeg({ quality: 50 })))).toBe(true);
    for (const other of ['#c81010', '#b80c0c', '#1010c0', '#000000', '#ffffff']) {
      expect(isSamePicture(red, await look(plain(other))), other).toBe(false);
    }
  });
});

describe('groups of copies', () => {
  /** Plain pictures whose brightness goes up step by step, each close to the next. */
  const grey = (luma: number) =>
    hashedPicture(new Uint8Array(perceptualHashLength).fill(128).fill(luma, 0, 1024), 40, 40);

  test('do not chain', async () => {
    const candidates = Array.from({ length: 20 }, (_, row) => ({
      row,
      file: `${row}`,
      picture: grey(100 + row),
    }));
    const groups = await groupCopies(candidates, () => 1);
    for (const { rows } of groups) expect(Math.max(...rows) - Math.min(...rows)).toBeLessThanOrEqual(1);
  });

  test('have no two members that are less alike than their figure, none in two groups, and all files of the same bytes', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ file: fc.nat(8), luma: fc.integer({ min: 90, max: 100 }) }), { maxLength: 14 }),
        fc.infiniteStream(fc.double({ min: 0.9, max: 1, noNaN: true })),
        async (pictures, cosines) => {
          const lumas = new Map(pictures.map(({ file, luma }) => [file, luma]));
          const candidates = pictures.map(({ file }, row) => ({
            row,
            file: `${file}`,
            picture: file === 0 ? undefined : grey(lumas.get(file)!),
          }));
          const known = new Map<string, number>();
          const cosine = (a: number, b: number): number => {
            const [one, other] = [candidates[a]!.file, candidates[b]!.file].sort();
            if (one === other) return 1;
            const key = `${one} ${other}`;
            if (!known.has(key)) known.set(key, cosines.next().value);
            return known.get(key)!;
          };
          const groups = await groupCopies(candidates, cosine, 0.97);
          const grouped = groups.flatMap(({ rows }) => rows);
          expect(new Set(grouped).size).toBe(grouped.length);
          for (const { rows, similarity } of groups) {
            const pairs = rows.flatMap((a, i) => rows.slice(i + 1).map((b) => cosine(a, b)));
            expect(Math.min(...pairs)).toBe(similarity);
            expect(similarity).toBeGreaterThanOrEqual(0.97);
          }
          const groupOf = (row: number) => groups.find(({ rows }) => rows.includes(row));
          candidates.forEach(({ file }, row) => {
            candidates.slice(row + 1).forEach((other, i) => {
              if (other.file !== file) return;
              expect(groupOf(row)).toBeDefined();
              expect(groupOf(row + 1 + i)).toBe(groupOf(row));
            });
          });
        },
      ),
      { numRuns: 200, endOnFailure: true },
    ));
});

describe('an index of copies', () => {
  let index: SearchIndex;
  let root: string;
  let path: string;
  const copies = ['a-again.jpg', 'a-small.png', 'a.png', 'deep/a.png'];
  const others = ['b.png', 'c.png', 'd.png'];
  beforeAll(async () => {
    root = join(folder, 'twins');
    path = join(folder, 'twins.index');
    await mkdir(join(root, 'deep'), { recursive: true });
    await patchwork(1).toFile(join(root, 'a.png'));
    await copyFile(join(root, 'a.png'), join(root, 'deep/a.png'));
    await patchwork(1).jpeg({ quality: 80 }).toFile(join(root, 'a-again.jpg'));
    await patchwork(1, 120).toFile(join(root, 'a-small.png'));
    for (const [i, name] of others.entries()) await patchwork(i + 2).toFile(join(root, name));
    index = await openIndex(path, { clip, create: true });
    await index.sync([root]);
  });
  afterAll(() => index.close());

  const relative = (pictures: readonly { image: string }[]): string[] =>
    pictures.map(({ image }) => image.slice(root.length + 1)).sort();

  test('a file finds itself and its copies, however little is known of the model', async () => {
    for (const name of copies) {
      const { hits, nothingFits } = await index.search({ image: join(root, name) });
      expect(nothingFits, name).toBe(false);
      expect(relative(hits.filter(({ probability }) => probability === 1)), name).toEqual(copies);
      expect(relative(hits.slice(0, copies.length)), name).toEqual(copies);
    }
    for (const name of others) {
      const { hits } = await index.search({ image: join(root, name) }, { cutOff: 1 });
      expect(relative(hits), name).toEqual([name]);
    }
  });

  test('so does what was never a file of it: other bytes, raw pixels, a picture by its id', async () => {
    const bytes = await patchwork(3, 300).webp({ lossless: true }).toBuffer();
    expect(relative((await index.search({ image: bytes }, { cutOff: 1 })).hits)).toEqual(['c.png']);
    const { data, info } = await patchwork(3).raw().toBuffer({ resolveWithObject: true });
    const raw = { data: new Uint8Array(data), width: info.width, height: info.height, channels: 3 as const };
    const { hits } = await index.search({ image: raw }, { cutOff: 1 });
    expect(relative(hits)).toEqual(['c.png']);
    const again = await index.search({ parts: [{ id: hits[0]!.id }] }, { cutOff: 1 });
    expect(relative(again.hits)).toEqual(['c.png']);
    const stream = new Blob([new Uint8Array(bytes)]).stream();
    expect(relative((await index.search({ image: stream }, { cutOff: 1 })).hits)).toEqual(['c.png']);
    const strange = await patchwork(99).png().toBuffer();
    expect(await index.search({ image: strange }, { cutOff: 1 })).toMatchObject({
      hits: [],
      nothingFits: true,
    });
  });

  test('copies of a picture fit it, filters choose among them, and pages hold each once', async () => {
    const own = (await index.pictures()).pictures.find(({ image }) => image === join(root, 'a.png'))!;
    const alike = await index.similar(own.id, { cutOff: 1 });
    expect(relative(alike.hits)).toEqual(copies.filter((name) => name !== 'a.png'));
    const image = join(root, 'a.png');
    const inside = await index.search({ image }, { cutOff: 1, filters: { path: 'deep' } });
    expect(relative(inside.hits)).toEqual(['deep/a.png']);
    const pages = [0, 3, 6].map((offset) => index.search({ image }, { cutOff: false, topK: 3, offset }));
    const hits = (await Promise.all(pages)).flatMap((page) => page.hits);
    expect(relative(hits)).toEqual([...copies, ...others].sort());
  });

  test('groups hold copies of one picture, and what only looks alike is in none', async () => {
    const groups = await index.duplicates();
    expect(groups.map(({ pictures }) => relative(pictures))).toEqual([copies]);
    const vectors = await clip.embedImages(groups[0]!.pictures.map(({ image }) => image));
    expect(groups[0]!.similarity).toBeCloseTo(Math.min(...clip.similarity(vectors, vectors).data), 5);
    const alone = await index.duplicates({ similarity: 1, filters: { path: '*.png' } });
    expect(alone.map(({ pictures }) => relative(pictures))).toEqual([['a.png', 'deep/a.png']]);
    const filtered = await index.duplicates({ filters: { path: 'deep' } });
    expect(filtered).toEqual([]);
  });

  test('answers collapse copies alone, and count what they show', async () => {
    const all = await index.search('a dog', { cutOff: false });
    expect(all.total).toBe(7);
    expect(all.hits.every((hit) => hit.copies === undefined)).toBe(true);
    const { hits, total } = await index.search('a dog', { cutOff: false, collapse: true });
    expect(total).toBe(4);
    expect(hits).toHaveLength(4);
    const together = hits.find((hit) => hit.copies !== undefined)!;
    expect(relative([together, ...together.copies!])).toEqual(copies);
    const best = all.hits.find(({ image }) => copies.includes(image.slice(root.length + 1)))!;
    expect(together).toMatchObject({ image: best.image, similarity: best.similarity });
    const own = await index.search({ image: join(root, 'a.png') }, { collapse: true, cutOff: 1 });
    expect(own).toMatchObject({ total: 1, hits: [{ probability: 1 }] });
    const named = await index.search('deep', { hybrid: true, cutOff: 1, collapse: true });
    expect(named.hits.flatMap((hit) => relative([hit, ...(hit.copies ?? [])])).sort()).toEqual(copies);
  });

  test('an index of a former version answers by bytes, and learns how its pictures look at the next sync', async () => {
    await index.close();
    const { lance } = loadLance();
    const connection = await lance.connect(path);
    const [name] = (await connection.tableNames()).filter((table) => table.startsWith('pictures_'));
    const table = await connection.openTable(name!);
    await table.dropColumns(['pixels']);
    table.close();
    connection.close();
    await rm(join(path, 'copies'), { recursive: true });

    const counted = { ...clip, embedPixels: () => Promise.reject(new Error('Nothing is embedded again.')) };
    index = await openIndex(path, { clip: counted });
    const byBytes = await index.search({ image: join(root, 'a.png') }, { cutOff: 1 });
    expect(relative(byBytes.hits)).toEqual(['a.png', 'deep/a.png']);
    expect((await index.duplicates()).map(({ pictures }) => relative(pictures))).toEqual([
      ['a.png', 'deep/a.png'],
    ]);
    expect(await index.sync()).toMatchObject({ added: 0, changed: 0, moved: 0, removed: 0, unchanged: 7 });
    expect((await index.duplicates()).map(({ pictures }) => relative(pictures))).toEqual([copies]);
    const { version } = await index.info();
    await index.sync();
    expect((await index.info()).version).toBe(version);
  });

  test('what is copied keeps the hash of what it is copied from', async () => {
    await writeFile(join(root, 'moved.png'), await patchwork(2).png().toBuffer());
    await index.sync();
    expect(relative((await index.search({ image: join(root, 'b.png') }, { cutOff: 1 })).hits)).toEqual([
      'b.png',
      'moved.png',
    ]);
    await rm(join(root, 'moved.png'));
    await index.sync();
  });
});

/** The bundled model has `b.png` nearer to `a.png` than its copy `a-small.png` is. */
test.skipIf(!existsSync(join(field, 'near-twins'))).each([
  ['without a calibration', 'tiny-clip'],
  ['the bundled one', undefined],
])('near twins by a model %s: three are one picture', async (_, name) => {
  const index = await openIndex(join(folder, `near-twins-${name}.index`), {
    model: name && join(field, name),
    create: true,
  });
  const root = join(field, 'near-twins');
  await index.sync([root]);
  const groups = await index.duplicates();
  expect(groups.map(({ pictures }) => namesOf(pictures))).toEqual([['a-again.jpg', 'a-small.png', 'a.png']]);
  for (const name of ['a-again.jpg', 'a-small.png', 'a.png', 'b.png', 'c.png']) {
    const { hits } = await index.search({ image: join(root, name) });
    expect(namesOf(hits), name).toContain(name);
  }
  await index.close();
});

test('each photograph finds itself with the bundled model', async () => {
  const index = await openIndex(join(folder, 'photographs.index'), { create: true });
  await index.sync([photographs]);
  const { pictures } = await index.pictures();
  expect(pictures).toHaveLength(9);
  for (const { image } of pictures) {
    const [first] = (await index.search({ image })).hits;
    expect(first).toMatchObject({ image, probability: 1 });
  }
  expect(await index.duplicates()).toEqual([]);
  await index.close();
});
