import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { PictureRecord } from '../../../src/tasks/search/store/rows.ts';
import { inStore } from '../../../src/tasks/search/store/statements.ts';
import { openStore } from '../../../src/tasks/search/store/store.ts';
import { temporaryFolder } from './pictures.ts';

test('whoever was slower is not told to delete a sound index', async () => {
  const conflict =
    'lance error: Retryable commit conflict for version 21: preempted by concurrent transaction';
  for (const [reason, code] of [
    [conflict, 'write_failed'],
    ['No space left on device (os error 28)', 'write_failed'],
    ['Invalid user input: the file is no Lance file', 'invalid_index'],
  ] as const) {
    const failing = inStore('photos.index', 'write', () => Promise.reject(new Error(reason)));
    await expect(failing, reason).rejects.toMatchObject({ code });
  }
});

test('writers without a lock between them wait for each other', async () => {
  const folder = await temporaryFolder();
  const stores = await Promise.all([1, 2].map(() => openStore(join(folder, 'index'), undefined)));
  const tables = [];
  for (const store of stores) tables.push(await store.makePictures('pictures_test', 2));
  const [one, other] = tables as [(typeof tables)[number], (typeof tables)[number]];
  const row = (id: string): PictureRecord => ({
    id,
    ...{ path: `/${id}.png`, raw: null, size: 1, modified: 1, hash: id, width: 1, height: 1 },
    ...{ taken: null, camera: null, caption: null, pixels: null },
  });
  const embeddings = { data: Float32Array.of(1, 0), shape: [1, 2] };
  await one.add([row('stays')], embeddings);
  for (let round = 0; round < 5; round++) {
    await one.add([row('goes')], embeddings);
    await Promise.all([
      one.replace([row('stays')], embeddings),
      other.tidy({ vectorIndex: false }),
      other.remove(['goes']),
      one.add([row(`new-${round}`)], embeddings),
    ]);
  }
  const ids = (await other.rows()).map(({ id }) => id).sort();
  expect(ids).toEqual(['new-0', 'new-1', 'new-2', 'new-3', 'new-4', 'stays']);
  for (const store of stores) store.close();
  await rm(folder, { recursive: true });
});
