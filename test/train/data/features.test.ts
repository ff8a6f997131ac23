import { appendFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { preprocessImage } from '../../../src/image/preprocess.ts';
import { writeRandomView } from '../../../src/train/data/augment.ts';
import { randomAt } from '../../../src/train/data/chance.ts';
import { augmentationSchema } from '../../../src/train/data/config.ts';
import { type LockedTower, viewSeed } from '../../../src/train/data/features/ask-tower.ts';
import {
  type MeasureFeaturesOptions,
  measureImageFeatures,
} from '../../../src/train/data/features/measure.ts';
import { drawnView, openFeatureRows } from '../../../src/train/data/features/rows.ts';
import { pictureKey } from '../../../src/train/data/features/store.ts';
import { createSquareReader } from '../../../src/train/data/pixels.ts';
import { batches, open, preprocessing, temporaryFolder } from './tiny-data.ts';

const folder = temporaryFolder();
const side = 10;
const augmentation = augmentationSchema.parse({ area: [0.3, 0.8], flip: 0.5, drawing: 0.3, shrink: 0.3 });
const length = 3 * preprocessing.size ** 2;
const width = 5;

/** Some sums over the pixels of each picture; nothing of them is known to anybody else. */
const features = (pixels: Float32Array): number[] =>
  Array.from({ length: width }, (_, which) =>
    pixels.reduce((sum, value, at) => sum + value * Math.cos(at * (which + 1)), 0),
  );

/** Remembers how many pictures it was shown. */
function fakeTower(fingerprint = 'tower of this test'): LockedTower & { seen: number } {
  const tower = {
    fingerprint,
    width,
    seen: 0,
    async see(pixels: Float32Array, count: number) {
      tower.seen += count;
      const rows = Array.from({ length: count }, (_, row) =>
        features(pixels.subarray(row * length, (row + 1) * length)),
      );
      return Float32Array.from(rows.flat());
    },
  };
  return tower;
}

const options = (changes: Partial<MeasureFeaturesOptions> = {}): MeasureFeaturesOptions => ({
  folder: join(folder.path, 'kept'),
  views: 3,
  seed: 7,
  batch: 4,
  preprocessing,
  augmentation,
  side,
  threads: 0,
  ...changes,
});

const source = async (name = 'classes') => ({
  ...(await open({ sources: [{ path: join(folder.path, name) }] })).sources[0]!,
});

async function writePictures(name: string, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    const path = join(folder.path, name, `class ${at % 2}`);
    await mkdir(path, { recursive: true });
    const raw = Buffer.from(Array.from({ length: 17 * 13 * 3 }, (_, i) => (i * (at + 3) + at * 40) % 256));
    await sharp(raw, { raw: { width: 17, height: 13, channels: 3 } })
      .png()
      .toFile(join(path, `${at}.png`));
  }
}

beforeAll(async () => {
  await writePictures('classes', 6);
});

/** Rows of all views of one source, as they are read. */
async function rowsOf({ features: found, sources }: Awaited<ReturnType<typeof measureImageFeatures>>) {
  return await Promise.all(
    sources[0]!.pictures.map(async (_, picture) =>
      Promise.all(
        found.sources[0]!.map(async ({ path, rows }) => {
          const bytes = await readFile(path);
          const start = rows[picture]! * width;
          return Array.from({ length: width }, (_, i) => half(bytes.readUInt16LE(2 * (start + i))));
        }),
      ),
    ),
  );
}

function half(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits >> 15 ? -size : size;
}

describe('features of a locked tower', () => {
  test('are what the tower says of the whole picture and of the views that the augmentation draws', async () => {
    const own = await source();
    const tower = fakeTower();
    const measured = await measureImageFeatures([own], tower, options());
    expect(tower.seen).toBe(18);
    const rows = await rowsOf(measured);
    const reader = createSquareReader();
    for (const [at, picture] of own.pictures.entries()) {
      if (picture.place.kind !== 'file') throw new Error('a file is expected');
      const views = [await preprocessImage(picture.place.path, preprocessing)];
      const square = await reader.read(picture.place, picture.name, side);
      for (const view of [1, 2]) {
        const pixels = new Float32Array(length);
        const random = randomAt(viewSeed(7, pictureKey(picture), view));
        writeRandomView(square, { preprocessing, augmentation }, random, pixels, 0);
        views.push(pixels);
      }
      for (const [view, pixels] of views.entries()) {
        for (const [i, wanted] of features(pixels).entries()) {
          // Half floats have eleven binary digits.
          expect(Math.abs(rows[at]![view]![i]! - wanted)).toBeLessThanOrEqual(
            2 ** -11 * Math.abs(wanted) + 1e-5,
          );
        }
      }
    }
    await reader.close();
  });

  test('are asked for once, and again only for what is new', async () => {
    const kept = { folder: join(folder.path, 'once') };
    await writePictures('growing', 4);
    const seen = async (
      changes: Partial<MeasureFeaturesOptions> = {},
      name = 'growing',
      tower = fakeTower(),
    ) => {
      await measureImageFeatures([await source(name)], tower, options({ ...kept, ...changes }));
      return tower.seen;
    };
    expect(await seen({ views: 2 })).toBe(8);
    expect(await seen({ views: 2 })).toBe(0);
    // Another view of each.
    expect(await seen()).toBe(4);
    // Two more pictures, three views of each; another one gone; the rest elsewhere.
    await writePictures('growing', 6);
    expect(await seen()).toBe(6);
    await rm(join(folder.path, 'growing/class 0/0.png'));
    await rename(join(folder.path, 'growing'), join(folder.path, 'moved'));
    const moved = await source('moved');
    const tower = fakeTower();
    const measured = await measureImageFeatures([{ ...moved, name: 'growing' }], tower, options(kept));
    expect(tower.seen).toBe(0);
    expect(measured.sources[0]!.pictures).toHaveLength(5);
    const afresh = await measureImageFeatures(
      [moved],
      fakeTower(),
      options({ folder: join(folder.path, 'afresh') }),
    );
    expect(await rowsOf(measured)).toEqual(await rowsOf(afresh));
    // A field that is not at work changes nothing, and no augmentation changes the whole picture.
    const idle = { ...augmentation, coarseSide: [2, 3] as [number, number], coarse: 0 };
    await seen({ augmentation: { ...augmentation, coarse: 0 } }, 'moved');
    expect(await seen({ augmentation: idle }, 'moved')).toBe(0);
    expect(await seen({ augmentation: { ...idle, drawing: 0 } }, 'moved')).toBe(10);
    expect(await seen({ seed: 8 }, 'moved')).toBe(10);
    expect(await seen({}, 'moved', fakeTower('another'))).toBe(15);
  });

  test('go on where they were interrupted, within a row as well', async () => {
    const kept = { folder: join(folder.path, 'interrupted'), batch: 3 };
    const own = await source();
    const controller = new AbortController();
    const stopped = fakeTower();
    const onProgress = ({ done }: { done: number }): void => {
      if (done >= 2) controller.abort();
    };
    const stopping = options({ ...kept, signal: controller.signal, onProgress });
    await expect(measureImageFeatures([own], stopped, stopping)).rejects.toMatchObject({ code: 'aborted' });
    const files = (await readdir(kept.folder)).filter((name) => name.endsWith('.f16'));
    expect(files).toHaveLength(3);
    // As a process that is killed leaves them: half a row, and a row whose key is not there yet.
    await appendFile(join(kept.folder, files[0]!), Buffer.alloc(3, 1));
    await appendFile(join(kept.folder, files[1]!), Buffer.alloc(2 * width, 1));
    await appendFile(join(kept.folder, `${files[2]}.keys`), Buffer.alloc(9, 1));
    const going = fakeTower();
    const measured = await measureImageFeatures([own], going, options(kept));
    expect(going.seen).toBeGreaterThan(0);
    expect(going.seen).toBeLessThan(18);
    const whole = await measureImageFeatures(
      [own],
      fakeTower(),
      options({ folder: join(folder.path, 'whole') }),
    );
    expect(await rowsOf(measured)).toEqual(await rowsOf(whole));
  });

  test('of another tower are refused by name', async () => {
    const kept = { folder: join(folder.path, 'refused'), views: 1 };
    const own = await source();
    await measureImageFeatures([own], fakeTower(), options(kept));
    const [notes] = (await readdir(kept.folder)).filter((name) => name.endsWith('.json'));
    const path = join(kept.folder, notes!);
    const right = JSON.parse(await readFile(path, 'utf8'));
    for (const [changes, words] of [
      [{ tower: 'of others' }, 'of the tower of others'],
      [{ width: 1280 }, '1280 features a picture'],
    ] as const) {
      await writeFile(path, JSON.stringify({ ...right, ...changes }));
      const measuring = measureImageFeatures([own], fakeTower(), options(kept));
      await expect(measuring).rejects.toMatchObject({
        code: 'config_mismatch',
        message: expect.stringContaining(words),
      });
      await expect(measuring).rejects.toThrow('imageTower.cache');
    }
    // Measured elsewhere: nobody knows by what.
    await rm(path);
    await expect(measureImageFeatures([own], fakeTower(), options(kept))).rejects.toThrow('(none is named)');
  });

  test('leave out pictures that cannot be read, once and for all', async () => {
    await writePictures('broken', 4);
    await writeFile(join(folder.path, 'broken/class 1/1.png'), 'no picture');
    const own = await source('broken');
    const kept = options({ folder: join(folder.path, 'kept broken') });
    for (const asked of [12, 0]) {
      const tower = fakeTower();
      const { sources, features: found } = await measureImageFeatures([own], tower, kept);
      expect(tower.seen).toBe(asked);
      expect(sources[0]!.pictures.map(({ name }) => name.slice(0, 5))).not.toContain('1.png');
      expect(sources[0]!.pictures).toHaveLength(3);
      expect(sources[0]!.broken).toEqual([
        { name: own.pictures.find(({ name }) => name.includes('1.png'))!.name, reason: expect.any(String) },
      ]);
      expect(found.sources[0]!.map(({ rows }) => rows.length)).toEqual([3, 3, 3]);
    }
  });

  test('tell how fast they are measured and how long it will take', async () => {
    const told: { done: number; total: number; picturesPerSecond: number; minutesLeft: number }[] = [];
    const own = await source();
    const kept = options({
      folder: join(folder.path, 'told'),
      onProgress: (progress) => told.push(progress),
    });
    await measureImageFeatures([own], fakeTower(), kept);
    expect(told.map(({ done }) => done)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(told.at(-1)).toMatchObject({ source: 'classes', total: 6, minutesLeft: 0 });
    expect(told[2]!.picturesPerSecond).toBeGreaterThan(0);
    expect(told[2]!.minutesLeft).toBeCloseTo(3 / told[2]!.picturesPerSecond / 60, 9);
  });
});

test('batches have the features of the views that are drawn, the same every time', async () => {
  const data = await open({ sources: [{ path: join(folder.path, 'classes') }] });
  const measured = await measureImageFeatures(data.sources, fakeTower(), options());
  const rows = await rowsOf(measured);
  const withFeatures = { ...data, sources: measured.sources, imageFeatures: measured.features };
  const loader = await batches(withFeatures, { pixels: false, batch: 5, seed: 3, firstStep: 2 });
  const again = await batches(withFeatures, {
    pixels: false,
    batch: 5,
    seed: 3,
    firstStep: 2,
    wholeFeatures: true,
  });
  const views = new Set<number>();
  const names = data.sources[0]!.pictures.map(({ name }) => name);
  for (let step = 2; step < 8; step++) {
    const batch = await loader.next();
    expect(batch.pixels).toBeUndefined();
    expect(batch.image_features!.shape).toEqual([5, width]);
    for (const [row, name] of loader.namesOf(step).entries()) {
      const view = drawnView(3, step * 5 + row, 3);
      views.add(view);
      const wanted = rows[names.indexOf(name)]![view]!;
      expect([...batch.image_features!.data.subarray(row * width, (row + 1) * width)]).toEqual(wanted);
    }
    expect(batch.whole_features).toBeUndefined();
    const both = await again.next();
    expect(both.image_features).toEqual(batch.image_features);
    const whole = loader.namesOf(step).flatMap((name) => rows[names.indexOf(name)]![0]!);
    expect([...both.whole_features!.data]).toEqual(whole);
  }
  expect([...views].sort()).toEqual([0, 1, 2]);
  await loader.close();
  await again.close();
});

test('features that have gone since are told', async () => {
  const { features: found } = await measureImageFeatures(
    [await source()],
    fakeTower(),
    options({ folder: join(folder.path, 'gone'), views: 1 }),
  );
  await writeFile(found.sources[0]![0]!.path, 'short');
  const rows = openFeatureRows(found, 1);
  const draw = { at: { source: 0, picture: 3 }, number: 0 };
  expect(() => rows.read([draw])).toThrow(expect.objectContaining({ code: 'not_found' }));
  rows.close();
});
