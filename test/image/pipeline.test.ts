/** Many pictures: order, errors, back-pressure, giving up, handing buffers back. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { EidosError } from '../../src/errors.ts';
import { type PipelineOptions, type PixelBatch, preprocessImages } from '../../src/image/pipeline.ts';
import { preprocessImage } from '../../src/image/preprocess.ts';
import type { ImageSource, ImageSources, RawPixels } from '../../src/image/source.ts';
import { clipPreprocessing } from '../../src/models/preprocessing.ts';

// Has to stand before the first decoding in this file.
const loaded = vi.hoisted(() => ({ sharp: false }));
vi.mock('sharp', async (original) => {
  loaded.sharp = true;
  return await original();
});

const preprocessing = { ...clipPreprocessing, size: 8 };
const floats = 3 * 8 * 8;

test('sharp is not loaded before the first picture is decoded', async () => {
  for await (const batch of preprocessImages(grey(1), preprocessing)) expect(batch.shape[0]).toBe(1);
  expect(loaded.sharp).toBe(false);
  const { default: sharp } = await import('sharp');
  expect(loaded.sharp).toBe(true);
  const png = await sharp({ create: { width: 9, height: 9, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  expect((await preprocessImage(png, preprocessing)).length).toBe(floats);
});

/** A picture of one colour, by which it can be told apart. */
function grey(value: number): RawPixels {
  return { data: new Uint8Array(100).fill(value), width: 10, height: 10, channels: 1 };
}

async function collect(sources: ImageSources, options: PipelineOptions = {}): Promise<PixelBatch[]> {
  const batches: PixelBatch[] = [];
  for await (const batch of preprocessImages(sources, preprocessing, options)) batches.push(batch);
  return batches;
}

/** What the model would see: the first value of each row. */
function firsts(batch: PixelBatch): number[] {
  return Array.from({ length: batch.shape[0] }, (_, row) => batch.data[row * floats]!);
}

const seen = (value: number) =>
  Math.fround((value / 255 - preprocessing.mean[0]) / preprocessing.deviation[0]);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-pipeline-'));
  await writeFile(join(folder, 'broken.jpg'), 'no picture');
});
afterAll(() => rm(folder, { recursive: true }));

describe('batches', () => {
  test.each([
    [0, []],
    [1, [1]],
    [4, [4]],
    [9, [4, 4, 1]],
  ])('of %d pictures', async (count, sizes) => {
    const values = Array.from({ length: count }, (_, i) => i * 5);
    const batches = await collect(values.map(grey), { batchSize: 4 });
    expect(batches.map(({ shape }) => shape)).toEqual(sizes.map((size) => [size, 3, 8, 8]));
    expect(batches.map(({ data }) => data.length)).toEqual(sizes.map((size) => size * floats));
    const found = batches.flatMap(firsts);
    for (const [i, value] of values.entries()) expect(found[i]).toBeCloseTo(seen(value), 5);
    expect(batches.flatMap(({ items }) => items.map(({ index }) => index))).toEqual([...values.keys()]);
  });

  test('the order is kept whatever takes longer', async () => {
    async function* slow(value: number, milliseconds: number) {
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      yield new Uint8Array([value]);
    }
    const { Readable } = await import('node:stream');
    const sources = [30, 0, 15, 1, 20, 0].map((wait, i) =>
      Readable.from(slow(i, wait), { objectMode: false }),
    );
    const batches = await collect([...sources, grey(9)], { batchSize: 3, concurrency: 4 });
    const items = batches.flatMap(({ items }) => items);
    expect(items.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(items.map((item) => 'error' in item)).toEqual([true, true, true, true, true, true, false]);
  });

  test('one picture is one batch', async () => {
    const [batch, ...others] = await collect(grey(3));
    expect(others).toEqual([]);
    expect(batch!.items).toEqual([{ index: 0, label: 'picture 0', row: 0 }]);
    expect(batch!.data.buffer.byteLength).toBe(floats * 4);
  });
});

describe('pictures that cannot be read', () => {
  test('are entries, and the others close ranks', async () => {
    const broken = join(folder, 'broken.jpg');
    const missing = join(folder, 'missing.jpg');
    const sources = [
      broken,
      grey(10),
      null as never,
      grey(20),
      grey(30),
      missing,
      missing,
      missing,
      grey(40),
    ];
    const batches = await collect(sources, { batchSize: 4 });
    expect(batches.map(({ shape }) => shape[0])).toEqual([2, 1, 1]);
    const items = batches.flatMap((batch) => batch.items);
    expect(items.map((item) => ('error' in item ? item.error.code : item.row))).toEqual([
      'invalid_image',
      0,
      'invalid_option',
      1,
      0,
      'not_found',
      'not_found',
      'not_found',
      0,
    ]);
    expect(items[0]!.label).toBe(broken);
    expect('error' in items[0]! && items[0]!.error.message).toContain('broken.jpg');
    const found = batches.flatMap(firsts);
    for (const [i, value] of [10, 20, 30, 40].entries()) expect(found[i]).toBeCloseTo(seen(value), 5);
  });

  test('end the iteration where that is wanted', async () => {
    const sources = [grey(1), join(folder, 'missing.jpg'), grey(2)];
    await expect(collect(sources, { onError: 'throw' })).rejects.toMatchObject({ code: 'not_found' });
  });

  test('an error of the sources themselves is thrown, after what came before it', async () => {
    async function* sources() {
      yield grey(10);
      yield grey(20);
      yield grey(30);
      throw new Error('the list ended in the middle');
    }
    const batches = preprocessImages(sources(), preprocessing, { batchSize: 2 });
    for (const size of [2, 1]) expect((await batches.next()).value?.shape[0]).toBe(size);
    await expect(batches.next()).rejects.toThrow('the list ended in the middle');
    expect((await batches.next()).done).toBe(true);
  });

  test.each([{ batchSize: 0 }, { batchSize: 1.5 }, { concurrency: 0 }, { concurrency: Number.NaN }])(
    'options %o are refused at once',
    (options) => {
      expect(() => preprocessImages([], preprocessing, options)).toThrow(EidosError);
    },
  );
});

describe('the consumer leads', () => {
  function counting(limit = Number.POSITIVE_INFINITY) {
    const state = { pulled: 0, closed: false };
    async function* sources(): AsyncGenerator<ImageSource> {
      try {
        while (state.pulled < limit) yield grey(state.pulled++ % 256);
      } finally {
        state.closed = true;
      }
    }
    return { state, sources: sources() };
  }
  const settle = () => new Promise((resolve) => setTimeout(resolve, 50));

  test('an endless source is pulled a few batches ahead and closed when nobody wants more', async () => {
    const { state, sources } = counting();
    const batches = preprocessImages(sources, preprocessing, { batchSize: 5, concurrency: 3 });
    await settle();
    expect(state.pulled).toBe(0);
    await batches.next();
    await settle();
    expect(state.pulled).toBeGreaterThan(5);
    expect(state.pulled).toBeLessThanOrEqual(5 * 4);
    const before = state.pulled;
    await settle();
    expect(state.pulled).toBe(before);
    await batches.return(undefined);
    await settle();
    expect(state.closed).toBe(true);
  });

  test('a signal ends it, even while the source stalls', async () => {
    const controller = new AbortController();
    async function* stalled(): AsyncGenerator<ImageSource> {
      yield grey(1);
      await new Promise(() => {});
    }
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(collect(stalled(), { signal: controller.signal })).rejects.toMatchObject({
      code: 'aborted',
    });
    await expect(collect(grey(1), { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
  });

  test('buffers that are handed back are used again, those transferred are not missed', async () => {
    const buffers = new Set<ArrayBufferLike>();
    let transferred = 0;
    let index = 0;
    for await (const batch of preprocessImages(counting(100).sources, preprocessing, { batchSize: 5 })) {
      expect(firsts(batch)[4]).toBeCloseTo(seen(index * 5 + 4), 5);
      buffers.add(batch.data.buffer);
      if (index++ % 4 === 0) {
        structuredClone(batch.data, { transfer: [batch.data.buffer as ArrayBuffer] });
        transferred += 1;
      }
      batch.release();
      batch.release();
    }
    expect(index).toBe(20);
    expect(buffers.size).toBeLessThanOrEqual(transferred + 4);
  });
});
