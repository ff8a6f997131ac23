import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandLine, printedLines, runEidos } from '../command.ts';
import { damagedModel } from '../damaged-model.ts';
import { plainPicture } from '../server/requests.ts';
import { writePictures } from '../tasks/search/pictures.ts';
import { writeTinyModel } from '../tiny-model.ts';

let model: string;
let folder: string;
/** Its image tower answers with numbers that are none. */
let brokenModel: string;

beforeAll(async () => {
  model = await writeTinyModel();
  brokenModel = await damagedModel(model, /vision_model.*post_layernorm.weight/, Number.NaN);
  folder = await mkdtemp(join(tmpdir(), 'eidos-cli-search-'));
  await writePictures(folder, { 'pictures/a.png': 1, 'pictures/b.png': 2, 'pictures/deep/c.png': 3 });
});
afterAll(async () => {
  await rm(model, { recursive: true });
  await rm(brokenModel, { recursive: true });
  await rm(folder, { recursive: true });
});

const eidos = (...args: string[]) => runEidos(folder, args);

describe.skipIf(!existsSync(commandLine))('eidos index, search, keywords', () => {
  test('--help tells the options, and a wrong one is refused by name', () => {
    for (const [command, option] of [
      ['index', '--watch'],
      ['search', '--cut-off'],
      ['keywords', '--vocabulary'],
    ] as const) {
      expect(eidos(command, '--help').stdout).toContain(option);
      const wrong = eidos(command, 'x', '--colour', 'red');
      expect(wrong.status).toBe(2);
      expect(wrong.stderr).toContain('--colour');
    }
  });

  test('a folder is indexed and searched; without an index the way to one is told', async () => {
    const without = eidos('search', 'a dog', '--json');
    expect(without.status).toBe(2);
    expect(printedLines(without.stdout)).toMatchObject([
      { error: { code: 'not_found', message: expect.stringContaining('eidos index FOLDER') } },
    ]);

    const made = eidos('index', 'pictures', '--model', model, '--json');
    expect(made.stderr).toBe('');
    expect(made.status).toBe(0);
    expect(printedLines(made.stdout)).toMatchObject([{ added: 3, pictures: 3 }]);
    await writeFile(join(folder, 'pictures/broken.jpg'), 'no picture');
    const again = eidos('index', '--json');
    expect(again.status).toBe(1);
    expect(printedLines(again.stdout)).toMatchObject([
      { added: 0, unchanged: 3 },
      { image: join(folder, 'pictures/broken.jpg'), error: { code: 'invalid_image' } },
    ]);

    const found = eidos('search', 'a', 'dog', '--json', '--all', '--top-k', '2');
    expect(found.status).toBe(0);
    const hits = printedLines(found.stdout);
    expect(hits).toHaveLength(2);
    for (const hit of hits)
      expect(Object.keys(hit).slice(0, 3)).toEqual(['image', 'similarity', 'probability']);
    expect(Number(hits[0]!.similarity)).toBeGreaterThanOrEqual(Number(hits[1]!.similarity));
    const own = eidos('search', '--image', 'pictures/a.png', '--all', '--json', '-k', '1');
    expect(printedLines(own.stdout)).toMatchObject([{ image: join(folder, 'pictures/a.png') }]);
    const nothing = eidos('search', 'a dog', '--cut-off', '1');
    expect([nothing.status, nothing.stdout]).toEqual([0, '']);
    expect(nothing.stderr).toContain('Nothing here fits');
  });

  test('an index says of folders without pictures that they hold none, not that nothing has changed', async () => {
    await mkdir(join(folder, 'no-pictures'));
    const { status, stdout } = eidos('index', 'no-pictures', '--index', 'none.index', '--model', model);
    expect(status).toBe(0);
    expect(stdout).toContain('0 pictures');
    expect(stdout).toContain('its folders hold none');
    const empty = eidos('search', 'a dog', '--index', 'none.index', '--all');
    expect(empty).toMatchObject({ status: 0, stdout: '' });
    expect(empty.stderr).toContain('holds no pictures');
    const filtered = eidos('search', 'a dog', '--all', '--camera', 'none');
    expect(filtered.stderr).toBe('No picture passes the filters.\n');
  });

  test('files of formats that are not read are counted by every command that looks through folders', async () => {
    const mixed = join(folder, 'mixed');
    await mkdir(mixed);
    await writeFile(join(mixed, 'a.png'), plainPicture([200, 30, 40]));
    for (const name of ['b.HEIC', 'c.heic', 'd.mp4']) await writeFile(join(mixed, name), 'ftyp');
    const said = '3 files of formats that are not read (2 HEIC, 1 MP4)';
    const indexed = eidos('index', mixed, '--index', 'mixed.index', '--model', model);
    expect(indexed.status).toBe(0);
    expect(indexed.stdout).toContain(said);
    const [line] = printedLines(
      eidos('index', mixed, '--index', 'mixed.index', '--model', model, '--json').stdout,
    );
    expect(line).toMatchObject({ pictures: 1, notRead: { HEIC: 2, MP4: 1 } });
    for (const command of [
      ['classify', mixed, '--labels', 'red,blue'],
      ['embed', mixed],
      ['keywords', mixed],
    ]) {
      const { status, stderr } = eidos(...command, '--model', model);
      expect(status, command[0]).toBe(0);
      expect(stderr, command[0]).toContain(said);
    }
  });

  test('without a place of its own an index is the person’s, unless one lies here or above', async () => {
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(join(elsewhere, 'deeper'), { recursive: true });
    const inFolder = (where: string, ...args: string[]) => runEidos(where, args, { dataFrom: folder });
    expect(inFolder(elsewhere, 'search', 'a dog', '--all', '--json').status).toBe(0);
    expect(existsSync(join(folder, 'data/eidos/index/about.lance'))).toBe(true);
    const own = inFolder(elsewhere, 'index', '../pictures/deep', '--index', '.eidos-index', '--model', model);
    expect(own.stdout).toContain('1 picture in');
    const found = inFolder(join(elsewhere, 'deeper'), 'search', 'a dog', '--all', '--json');
    expect(printedLines(found.stdout)).toHaveLength(1);
    await rm(elsewhere, { recursive: true });
  });

  test('a first index that fails leaves nothing behind', async () => {
    const before = (await readdir(folder)).sort();
    for (const [path, failing] of [
      ['new.index', 'no-such-model'],
      ['new/deep/er.index', brokenModel],
    ] as const) {
      const { status, stderr } = eidos('index', 'pictures/deep', '--index', path, '--model', failing);
      expect(status, stderr).toBe(2);
      expect((await readdir(folder)).sort(), path).toEqual(before);
    }
    await mkdir(join(folder, 'empty.index'));
    expect(eidos('index', 'pictures/deep', '--index', 'empty.index', '--model', brokenModel).status).toBe(2);
    expect(await readdir(join(folder, 'empty.index'))).toEqual([]);
    const mended = eidos('index', 'pictures/deep', '--index', 'empty.index', '--model', model);
    expect(mended).toMatchObject({ status: 0, stdout: expect.stringContaining('1 picture in') });
    const failing = eidos('index', 'pictures', '--index', 'empty.index', '--model', brokenModel);
    expect(failing.status).toBe(2);
    const kept = eidos('search', 'a dog', '--index', 'empty.index', '--all', '--json');
    expect(printedLines(kept.stdout)).toHaveLength(1);
  });

  test('what cannot be meant is refused', () => {
    for (const [args, message] of [
      [['search'], /give words/],
      [['search', '+ -people'], /Nothing|not wanted|wanted/],
      [['search', 'a', '--similar', 'x'], /--similar/],
      [['search', 'a', '--all', '--cut-off', '0.5'], /exclude each other/],
      [['search', 'a', '--cut-off', 'much'], /--cut-off/],
      [['search', 'a', '--after', 'yesterday'], /yesterday/],
      [['search', 'a', '--index', 'elsewhere'], /no index at elsewhere/],
      [['index', 'missing'], /missing is not there/],
      [['index', '--index', 'pictures', 'pictures'], /no folder of an index/],
      [['keywords'], /images/],
      [['keywords', 'pictures/a.png', '--vocabulary', 'none.txt', '--model', model], /none\.txt/],
      [['keywords', 'pictures/a.png', '--vocabulary', 'pictures/a.png', '--model', model], /UTF-8/],
    ] as const) {
      const { status, stderr } = eidos(...args);
      expect(stderr, args.join(' ')).toMatch(message);
      expect(stderr, args.join(' ')).not.toMatch(/\n\s+at /);
      expect(status, args.join(' ')).toBe(2);
    }
  });

  test('keywords answers a line a picture', async () => {
    await writeFile(join(folder, 'words.txt'), 'dog\ncat\n\nred square\n');
    const { status, stdout } = eidos(
      'keywords',
      'pictures',
      '--vocabulary',
      'words.txt',
      '-k',
      '2',
      '--json',
      '--model',
      model,
    );
    expect(status).toBe(1); // one of them is broken
    const lines = printedLines(stdout);
    expect(lines.filter(({ keywords }) => (keywords as unknown[])?.length === 2)).toHaveLength(3);
    expect(lines.filter(({ error }) => error !== undefined)).toHaveLength(1);
  });
});
