import { rm } from 'node:fs/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clip } from '../../src/clip/clip.ts';
import { loadClip } from '../../src/clip/load.ts';
import { writeTinyModel } from '../tiny-model.ts';

let folder: string;
let clip: Clip;
const pictures: Buffer[] = [];

beforeAll(async () => {
  folder = await writeTinyModel();
  clip = await loadClip(folder);
  for (let i = 0; i < 5; i++) {
    const background = { r: 50 * i, g: 255 - 50 * i, b: (i * 97) % 256 };
    pictures.push(
      await sharp({ create: { width: 40 + i, height: 33, channels: 3, background } })
        .png()
        .toBuffer(),
    );
  }
});
afterAll(async () => {
  await clip.close();
  await rm(folder, { recursive: true });
});

/** Largest difference of two rows of numbers. */
function difference(a: Float32Array, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

describe('pictures', () => {
  test('come as rows of unit length, in order, whatever the batch', async () => {
    const all = await clip.embedImages(pictures);
    expect(all.shape).toEqual([5, clip.embeddingSize]);
    for (let i = 0; i < 5; i++) {
      const row = all.data.subarray(i * clip.embeddingSize, (i + 1) * clip.embeddingSize);
      expect(Math.hypot(...row)).toBeCloseTo(1, 5);
      const alone = await clip.embedImages(pictures[i]!);
      expect(difference(row, alone.data)).toBeLessThan(1e-5);
    }
    const pairs = await clip.embedImages(pictures, { batchSize: 2 });
    expect(difference(all.data, pairs.data)).toBeLessThan(1e-5);
  });

  test('an empty list has no rows', async () => {
    expect((await clip.embedImages([])).shape).toEqual([0, clip.embeddingSize]);
  });

  test('without normalisation they only differ in length', async () => {
    const raw = await clip.embedImages(pictures[0]!, { normalize: false });
    const unit = await clip.embedImages(pictures[0]!);
    expect(Math.abs(Math.hypot(...raw.data) - 1)).toBeGreaterThan(1e-3);
    expect(clip.similarity(raw, unit).data[0]).toBeCloseTo(1, 5);
  });

  test('a broken one is an item of the stream, and an error of embedImages', async () => {
    const mixed = [pictures[0]!, Buffer.from('no picture'), pictures[1]!];
    const rows: number[] = [];
    for await (const { items, embeddings } of clip.embedImageStream(mixed)) {
      expect(embeddings.shape).toEqual([2, clip.embeddingSize]);
      expect(items.map((item) => ('error' in item ? item.error.code : item.row))).toEqual([
        0,
        'invalid_image',
        1,
      ]);
      rows.push(embeddings.shape[0]!);
    }
    expect(rows).toEqual([2]);
    await expect(clip.embedImages(mixed)).rejects.toMatchObject({ code: 'invalid_image' });
  });

  test('pixels of the wrong shape are refused with the right one', async () => {
    const pixels = { data: new Float32Array(3 * 16 * 16), shape: [1, 3, 16, 16] };
    await expect(clip.embedPixels(pixels)).rejects.toThrow(/\[n, 3, 32, 32\]/);
    const short = { data: new Float32Array(5), shape: [1, 3, 32, 32] };
    await expect(clip.embedPixels(short)).rejects.toMatchObject({ code: 'invalid_option' });
  });
});

test('pixels of many pictures go through in parts, and of none give no rows', async () => {
  const count = 70;
  const length = 3 * 32 * 32;
  const data = Float32Array.from({ length: count * length }, (_, i) => Math.sin(i * 0.37 + i / length));
  const all = await clip.embedPixels({ data, shape: [count, 3, 32, 32] });
  expect(all.shape).toEqual([count, clip.embeddingSize]);
  for (const row of [0, 63, 64, 69]) {
    const pixels = data.slice(row * length, (row + 1) * length);
    const alone = await clip.embedPixels({ data: pixels, shape: [1, 3, 32, 32] });
    const own = all.data.subarray(row * clip.embeddingSize, (row + 1) * clip.embeddingSize);
    expect(difference(own, alone.data)).toBeLessThan(1e-5);
  }
  const none = await clip.embedPixels({ data: new Float32Array(0), shape: [0, 3, 32, 32] });
  expect(none.shape).toEqual([0, clip.embeddingSize]);
});

describe('sentences', () => {
  test('are the same alone and together, short and padded', async () => {
    const texts = ['a dog', 'a photo of a cat and a dog and a cat and a dog and a cat on the red square'];
    const together = await clip.embedTexts(texts);
    for (const [i, text] of texts.entries()) {
      const alone = await clip.embedTexts(text);
      const row = together.data.subarray(i * clip.embeddingSize, (i + 1) * clip.embeddingSize);
      expect(difference(row, alone.data)).toBeLessThan(1e-5);
    }
    expect(difference(together.data.subarray(0, 32), together.data.subarray(32))).toBeGreaterThan(1e-2);
  });

  test('are the same from tokens of full length', async () => {
    const { data, shape } = (await clip.tokenizer()).tokenize(['the blue square']);
    const fromTokens = await clip.embedTokens({ data, shape });
    const fromText = await clip.embedTexts('the blue square');
    expect(difference(fromTokens.data, fromText.data)).toBeLessThan(1e-6);
  });

  test('over the context are cut with a warning, refused, or split', async () => {
    const long = 'a dog and a cat '.repeat(30);
    const warnings: string[] = [];
    await clip.embedTexts(long, { onWarning: (message) => warnings.push(message) });
    expect(warnings).toHaveLength(1);
    await expect(clip.embedTexts(long, { overflow: 'error' })).rejects.toMatchObject({
      code: 'text_too_long',
    });
    const split = await clip.embedTexts([long, 'a cat'], { overflow: 'split' });
    expect(split.shape).toEqual([2, clip.embeddingSize]);
    expect(Math.hypot(...split.data.subarray(0, 32))).toBeCloseTo(1, 5);
  });

  test('tokens outside the vocabulary never reach native code', async () => {
    await expect(clip.embedTokens([[0, 1, 99999]])).rejects.toThrow(/Token 99999/);
    await expect(clip.embedTokens([[0, -1]])).rejects.toMatchObject({ code: 'invalid_option' });
    await expect(clip.embedTokens([[0, 1.5]])).rejects.toThrow(/Token 1.5/);
    await expect(clip.embedTokens([[1, 2], [3]])).rejects.toMatchObject({ code: 'invalid_option' });
    // As many ids as two rows of two, two and two, but not in such rows.
    await expect(clip.embedTokens([[1, 2], [3], [4, 5, 6]])).rejects.toThrow(/equal length/);
    await expect(clip.embedTokens([])).rejects.toMatchObject({ code: 'invalid_option' });
  });
});

describe('similarity', () => {
  test('is the cosine, whatever the lengths', () => {
    const a = { data: Float32Array.of(3, 0, 0, 2), shape: [2, 2] };
    const b = { data: Float32Array.of(1, 1), shape: [1, 2] };
    expect([...clip.similarity(a, b).data].map((value) => value.toFixed(5))).toEqual(['0.70711', '0.70711']);
    expect(() => clip.similarity(a, { data: new Float32Array(3), shape: [1, 3] })).toThrow(/2 and 3/);
  });
});

describe('opening', () => {
  test('int8 stays close', async () => {
    const quantised = await loadClip(folder, { dtype: 'int8' });
    const cosines = clip.similarity(
      await quantised.embedImages(pictures),
      await clip.embedImages(pictures),
    ).data;
    for (let i = 0; i < 5; i++) expect(cosines[i * 5 + i]).toBeGreaterThan(0.995);
    await quantised.close();
  });

  test('what is not there is said', async () => {
    await expect(loadClip('./no/such/folder')).rejects.toMatchObject({ code: 'not_found' });
    await expect(loadClip(folder, { dtype: 'fp16' })).rejects.toMatchObject({ code: 'dtype_unavailable' });
    await expect(loadClip(folder, { device: 'moon' as 'cpu' })).rejects.toMatchObject({
      code: 'invalid_option',
    });
    await expect(loadClip('nobody/nothing', { offline: true })).rejects.toMatchObject({ code: 'offline' });
  });

  test('after close() everything fails with `closed`', async () => {
    const closed = await loadClip(folder);
    await closed.close();
    await expect(closed.embedTexts('a dog')).rejects.toMatchObject({ code: 'closed' });
  });
});
