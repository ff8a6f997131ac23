import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { writeWholeFolder } from '../../src/tasks/export/whole-folder.ts';

let place: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'eidos-folder-'));
});
afterEach(() => rm(place, { recursive: true }));

/** What a full disk answers in the middle of writing. */
const diskFull = Object.assign(new Error('ENOSPC: no space left on device, write'), {
  code: 'ENOSPC',
  syscall: 'write',
});

test('a folder that cannot be filled stays as it was, and the error names it', async () => {
  const folder = join(place, 'model');
  await mkdir(folder);
  await writeFile(join(folder, 'old.txt'), 'old');
  const filling = writeWholeFolder(folder, { force: true }, async (temporary) => {
    await writeFile(join(temporary, 'new.txt'), 'new');
    throw diskFull;
  });
  await expect(filling).rejects.toMatchObject({
    code: 'write_failed',
    message: `${folder} cannot be written, and is as it was: ${diskFull.message}. Make room, or name another folder.`,
  });
  expect(await readdir(place)).toEqual(['model']);
  expect(await readFile(join(folder, 'old.txt'), 'utf8')).toBe('old');
});

test('a place below a file is one that cannot be written; faults of the program stay what they are', async () => {
  await writeFile(join(place, 'file'), '');
  await expect(
    writeWholeFolder(join(place, 'file', 'model'), { force: false }, async () => undefined),
  ).rejects.toMatchObject({ name: 'EidosError' });
  const fault = new TypeError('x is undefined');
  await expect(
    writeWholeFolder(join(place, 'model'), { force: false }, () => Promise.reject(fault)),
  ).rejects.toBe(fault);
});
