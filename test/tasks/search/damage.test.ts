/** Indices that may only be read, belong to somebody else, or lack a part. Needs the build for what other users see. */
import { spawnSync } from 'node:child_process';
import { accessSync, existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clip } from '../../../src/clip/clip.ts';
import { loadClip } from '../../../src/clip/load.ts';
import { EidosError } from '../../../src/errors.ts';
import { openIndex } from '../../../src/tasks/search/index.ts';
import { inStore } from '../../../src/tasks/search/store/statements.ts';
import { commandLine } from '../../command.ts';
import { writeTinyModel } from '../../tiny-model.ts';
import { temporaryFolder, writePictures } from './pictures.ts';

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

async function makeIndex(name: string): Promise<string> {
  const path = join(folder, `${name}.index`);
  await writePictures(join(folder, name), { 'a.png': 1, 'b.png': 2 });
  const index = await openIndex(path, { clip, create: true });
  await index.sync([join(folder, name)]);
  await index.close();
  return path;
}

async function filesOf(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

const tableOf = async (path: string): Promise<string> =>
  join(path, (await readdir(path)).find((name) => name.startsWith('pictures_'))!);

test.skipIf(process.platform === 'win32')('files of an index have the umask’s mode', async () => {
  const path = await makeIndex('shared');
  for (const file of await filesOf(path)) {
    expect((await stat(file)).mode & 0o777, file).toBe(0o666 & ~process.umask());
  }
});

/** Whether the search of another user could be tried: only root becomes one, and the build may lie in its home. */
function canBeSomebodyElse(): boolean {
  if (process.getuid?.() !== 0 || !existsSync(commandLine)) return false;
  const { status } = spawnSync('cat', [commandLine], { uid: 65534, gid: 65534 });
  return status === 0;
}

test.skipIf(!canBeSomebodyElse())('an index that may only be read is searched, copies or not', async () => {
  const path = await makeIndex('read-only');
  await chmod(folder, 0o755);
  await chmod(model, 0o755);
  const search = (home: string) =>
    spawnSync(process.execPath, [commandLine, 'search', 'a dog', '--all', '--json', '--index', path], {
      ...{ uid: 65534, gid: 65534, encoding: 'utf8', cwd: folder },
      env: { PATH: process.env.PATH, HOME: home, XDG_CACHE_HOME: home },
    });
  const home = join(folder, 'home');
  await mkdir(home);
  await chmod(home, 0o777);
  for (const where of ['/nowhere', home]) {
    const { status, stdout, stderr } = search(where);
    expect([status, stderr], where).toEqual([0, '']);
    expect(stdout.trim().split('\n')).toHaveLength(2);
    await rm(join(path, 'copies'), { recursive: true, force: true });
  }
  expect(search(home).status).toBe(0);
  expect((await filesOf(home)).some((file) => file.includes('snapshot-'))).toBe(true);
  expect(search('/nowhere').status).toBe(0);
  expect(() => accessSync(join(path, 'copies'))).toThrow();
});

test('what lies beside an index does not keep it from being opened', async () => {
  const path = await makeIndex('disk');
  await mkdir(join(path, 'lost+found'));
  await writeFile(join(path, 'desktop.ini'), '');
  await rm(join(path, 'copies'), { recursive: true });
  const index = await openIndex(path, { clip });
  expect((await index.search('a dog', { cutOff: false })).hits).toHaveLength(2);
  await index.close();
});

test('a first synchronisation that fails leaves nothing, and the same index may try again', async () => {
  const root = join(folder, 'second-try');
  await writePictures(root, { 'a.png': 1 });
  const path = join(folder, 'made/for/it');
  let isBroken = true;
  const failing: Clip = {
    ...clip,
    async embedPixels(...given) {
      if (isBroken) throw new EidosError('not_finite', 'Numbers that are none.');
      return clip.embedPixels(...given);
    },
  };
  const index = await openIndex(path, { clip: failing, create: true });
  await expect(index.sync([root])).rejects.toMatchObject({ code: 'not_finite' });
  expect(existsSync(join(folder, 'made'))).toBe(false);
  isBroken = false;
  expect(await index.sync([root])).toMatchObject({ added: 1, pictures: 1 });
  isBroken = true;
  await writePictures(root, { 'b.png': 2 });
  await expect(index.sync()).rejects.toMatchObject({ code: 'not_finite' });
  expect((await index.info()).pictures).toBe(1);
  await index.close();
});

describe('a table that is gone', () => {
  test('is no empty answer', async () => {
    const path = await makeIndex('without-pictures');
    const open = await openIndex(path, { clip });
    expect((await open.search('a dog', { cutOff: false })).hits).toHaveLength(2);
    const table = await tableOf(path);
    await rename(table, `${path}.away`);
    const fresh = await openIndex(path, { clip });
    for (const index of [open, fresh]) {
      for (const ask of [
        () => index.search('a dog'),
        () => index.info(),
        () => index.pictures(),
        () => index.duplicates(),
        () => index.sync(),
      ]) {
        await expect(ask()).rejects.toMatchObject({
          code: 'invalid_index',
          message: expect.stringMatching(/table of pictures, pictures_\w+, is gone/),
        });
      }
    }
    expect(existsSync(table)).toBe(false);
    await rename(`${path}.away`, table);
    expect((await fresh.search('a dog', { cutOff: false })).hits).toHaveLength(2);
    await open.close();
    await fresh.close();
  });

  test('be it that which says what the index is', async () => {
    const path = await makeIndex('without-about');
    await rm(join(path, 'about.lance'), { recursive: true });
    await expect(openIndex(path, { clip })).rejects.toMatchObject({
      code: 'invalid_index',
      message: expect.stringContaining('eidos index FOLDER'),
    });
    const again = await openIndex(path, { clip, create: true });
    expect(await again.sync([join(folder, 'without-about')])).toMatchObject({ unchanged: 2, pictures: 2 });
    await again.close();
  });

  test('or a part of it', async () => {
    const path = await makeIndex('without-versions');
    const table = await tableOf(path);
    await rm(join(path, 'copies'), { recursive: true });
    await rm(join(table, 'data'), { recursive: true });
    const index = await openIndex(path, { clip });
    const failure = await index.search('a dog').catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'invalid_index' });
    expect(String(failure)).not.toMatch(/\.rs\b|\.cargo|registry/);
    await index.close();
  });
});

test('places in the store’s own sources stay out of messages, and each cause is told once', async () => {
  const place =
    '/usr/local/cargo/registry/src/index.crates.io-1949cf8c6b5b557f/lance-io-10.0.0/src/object_store.rs:793:21';
  for (const [told, message] of [
    [
      `lance error: LanceError(IO): Permission denied (os error 13), ${place}  Caused by: LanceError(IO): Permission denied (os error 13), ${place}    Caused by: Permission denied (os error 13)`,
      'The index x cannot be written: Permission denied (os error 13)',
    ],
    [
      `lance error: LanceError(IO): Encountered internal error. Caused by: No space left on device (os error 28) at rust/lance/src/io.rs:12:3`,
      'The index x cannot be written: Encountered internal error: No space left on device (os error 28)',
    ],
    [
      `lance error: Not found: tmp/x/about.lance/_versions, ${place}`,
      'The index x is damaged: Not found: tmp/x/about.lance/_versions. Bring it back from a copy, or delete it and index the folders again.',
    ],
  ] as const) {
    await expect(inStore('x', 'write', () => Promise.reject(new Error(told)))).rejects.toThrow(message);
  }
});
