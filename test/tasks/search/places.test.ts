import { spawnSync } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Clip } from '../../../src/clip/clip.ts';
import { loadClip } from '../../../src/clip/load.ts';
import { openIndex } from '../../../src/tasks/search/index.ts';
import { writeTinyModel } from '../../tiny-model.ts';
import { temporaryFolder, writePictures } from './pictures.ts';
import { startBucketServer } from './s3-server.ts';

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

test('an index in a bucket answers like one in a folder', async () => {
  const server = await startBucketServer();
  const root = join(folder, 'bucket');
  await writePictures(root, { 'a.png': 1, 'b.png': 2, 'c.png': 3 });
  const storageOptions = {
    endpoint: server.endpoint,
    allow_http: 'true',
    aws_access_key_id: 'key',
    aws_secret_access_key: 'secret',
    aws_region: 'us-east-1',
  };
  const options = { clip, storageOptions, cacheFolder: join(folder, 'copies') };
  const path = 's3://pictures/index';
  await expect(openIndex(path, options)).rejects.toMatchObject({ code: 'not_found' });

  const index = await openIndex(path, { ...options, create: true });
  expect(await index.sync([root])).toMatchObject({ added: 3, pictures: 3 });
  const elsewhere = await openIndex(path, { ...options, cacheFolder: join(folder, 'other-copies') });
  const answer = await elsewhere.search('a dog', { cutOff: false });
  expect(answer.hits).toHaveLength(3);
  await rm(join(root, 'a.png'));
  expect(await index.sync()).toMatchObject({ removed: 1, pictures: 2 });
  expect((await elsewhere.search('a dog', { cutOff: false })).hits).toHaveLength(2);
  expect(await elsewhere.info()).toMatchObject({ pictures: 2, folders: [root] });
  expect([...server.objects.keys()].some((key) => key.startsWith('pictures/index/about.lance/'))).toBe(true);
  await index.close();
  await elsewhere.close();
  await server.close();
});

const mount = '/bin/mount';
const unmount = '/bin/umount';

test('a full disk is told, and nothing is lost when there is room again', async (context) => {
  const disk = join(folder, 'disk');
  await mkdir(disk);
  const mounted = spawnSync(mount, ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk]);
  if (mounted.status !== 0) {
    console.log('A small disk cannot be mounted here: what happens on a full one is not tested.');
    return context.skip();
  }
  try {
    const root = join(folder, 'many');
    const pictures = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`${i}.png`, i]));
    await writePictures(root, pictures);
    const index = await openIndex(join(disk, 'index'), { clip, create: true });
    await expect(index.sync([root], { commitEvery: 4, batchSize: 4 })).rejects.toMatchObject({
      code: 'write_failed',
    });
    spawnSync(mount, ['-o', 'remount,size=64m', disk]);
    expect(await index.sync([root])).toMatchObject({ pictures: 60 });
    expect(new Set((await index.pictures()).pictures.map(({ image }) => image)).size).toBe(60);
    await index.close();
  } finally {
    // Lazily: the store may be about to close a last file.
    spawnSync(unmount, ['-l', disk]);
  }
});

test('beyond the limit of exact search the store’s own index answers', async () => {
  const root = join(folder, 'large');
  await writePictures(root, Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`${i}.png`, i])));
  const exact = await openIndex(join(folder, 'large.index'), { clip, create: true });
  await exact.sync([root]);
  const wanted = (await exact.search('a dog', { cutOff: false })).hits.map(({ id }) => id);
  await exact.close();
  const beyond = await openIndex(join(folder, 'large.index'), { clip, exactUpTo: 200 });
  await writePictures(root, { 'one-more.png': 1000 });
  await beyond.sync();
  const found = (await beyond.search('a dog', { cutOff: false })).hits.map(({ id }) => id);
  expect(found.filter((id) => wanted.includes(id)).length).toBeGreaterThanOrEqual(8);
  await beyond.close();
});
