/** Pictures of many requests: how many are held at a time, and that they take turns. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Clip, loadClip } from '../../src/index.ts';
import { createBatchingClip } from '../../src/server/batching/batching-clip.ts';
import { defaultLimits } from '../../src/server/options.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { plainPicture } from './requests.ts';

let folder: string;
let clip: Clip;
beforeAll(async () => {
  folder = await writeTinyModel();
  clip = await loadClip(folder);
});
afterAll(async () => {
  await clip.close();
  await rm(folder, { recursive: true });
});

const red = plainPicture([255, 0, 0]);
const blue = plainPicture([0, 0, 255]);
const limits = { ...defaultLimits, batchSize: 2 };

/** Files that tell when they are read. */
function watchedFiles(count: number, onRead: () => void): Blob[] {
  return Array.from({ length: count }, () => {
    const file = new Blob([red]);
    return Object.assign(file, {
      arrayBuffer: () => {
        onRead();
        return Blob.prototype.arrayBuffer.call(file);
      },
    });
  });
}

test('of many small files of many requests only a few runs’ worth are pixels at a time', async () => {
  let read = 0;
  let done = 0;
  let most = 0;
  const slow: Clip = {
    ...clip,
    async embedPixels(pixels, options) {
      // Whatever may be decoded meanwhile has time to be.
      await new Promise((resolve) => setTimeout(resolve, 20));
      most = Math.max(most, read - done);
      const embeddings = await clip.embedPixels(pixels, options);
      done += pixels.shape[0]!;
      return embeddings;
    },
  };
  const batching = createBatchingClip(slow, { limits });
  const requests = Array.from({ length: 10 }, () => batching.embedImages(watchedFiles(6, () => read++)));
  for (const { shape } of await Promise.all(requests)) expect(shape).toEqual([6, clip.embeddingSize]);
  expect(read).toBe(60);
  expect(most).toBeGreaterThan(2);
  expect(most).toBeLessThanOrEqual(8);
});

test('a request of many pictures does not hold up one of a single one', async () => {
  const ended: string[] = [];
  const batching = createBatchingClip(clip, { limits });
  const [many, one] = await Promise.all([
    batching.embedImages(watchedFiles(40, () => ended.push('read'))).finally(() => ended.push('many')),
    batching.embedImages(new Blob([blue])).finally(() => ended.push('one')),
  ]);
  expect(ended.slice(0, ended.indexOf('one')).length).toBeLessThan(20);
  const alone = await clip.embedImages([red, blue]);
  const width = clip.embeddingSize;
  expect(many.data.slice(39 * width)).toEqual(alone.data.slice(0, width));
  expect(one.data).toEqual(alone.data.slice(width));
});
