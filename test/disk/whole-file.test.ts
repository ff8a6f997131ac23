import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { placeWhole, writeWhole } from '../../src/disk/whole-file.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-whole-'));
  path = join(folder, 'words.txt');
});
afterEach(() => rm(folder, { recursive: true }));

test('text, bytes and what is written piece by piece take the place of what was there', async () => {
  await writeWhole(path, 'old');
  for (const content of ['text', new TextEncoder().encode('bytes')]) {
    await writeWhole(path, content);
    expect(await readFile(path, 'utf8')).toBe(content === 'text' ? 'text' : 'bytes');
  }
  await writeWhole(path, async (handle) => {
    await handle.write('pie');
    expect(await readFile(path, 'utf8')).toBe('bytes'); // nobody sees half of it
    await handle.write('ces');
  });
  expect(await readFile(path, 'utf8')).toBe('pieces');
  expect(await readdir(folder)).toEqual(['words.txt']);
});

test('what fails in its middle leaves what was there, and nothing beside it', async () => {
  await writeFile(path, 'old');
  const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  const writing = writeWhole(path, async (handle) => {
    await handle.write('half');
    throw full;
  });
  await expect(writing).rejects.toBe(full);
  expect(await readdir(folder)).toEqual(['words.txt']);
  expect(await readFile(path, 'utf8')).toBe('old');
});

test('so does what cannot be renamed', async () => {
  await mkdir(join(path, 'occupied'), { recursive: true });
  await expect(writeWhole(path, 'text')).rejects.toMatchObject({ syscall: 'rename' });
  expect(await readdir(folder)).toEqual(['words.txt']);
});

test.skipIf(process.platform === 'win32')('links are placed too, and their targets stay', async () => {
  await writeFile(join(folder, 'target'), 'kept');
  await placeWhole(path, (temporary) => symlink('target', temporary));
  expect(await readlink(path)).toBe('target');
  await expect(
    placeWhole(path, async (temporary) => {
      await symlink('target', temporary);
      throw new Error('afterwards');
    }),
  ).rejects.toThrow('afterwards');
  expect(await readFile(path, 'utf8')).toBe('kept');
  expect((await readdir(folder)).sort()).toEqual(['target', 'words.txt']);
});
