import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withoutBars } from '../../scripts/bundled-data/bars.mjs';
import { createDataFolder } from '../../scripts/bundled-data/data-folder.mjs';
import { drawingWords } from '../../scripts/bundled-data/drawing-words.mjs';
import { difference, fingerprints } from '../../scripts/bundled-data/fingerprint.mjs';
import { drawingOnPage, photograph } from '../../scripts/bundled-data/picture.mjs';
import { readQtResources } from '../../scripts/bundled-data/qt-resources.mjs';
import { read as readCoco } from '../../scripts/bundled-data/readings/coco-captions.mjs';
import { openTree } from '../../scripts/bundled-data/tree.mjs';
import { readTarIndex } from '../../src/train/data/tar-index.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-gathering-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Smooth blots of colour, as photographs have them. */
async function blots(seed: number, width: number, height: number): Promise<Buffer> {
  let state = seed;
  const coarse = Buffer.alloc(6 * 5 * 3);
  for (let place = 0; place < coarse.length; place++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    coarse[place] = state >>> 24;
  }
  return sharp(coarse, { raw: { width: 6, height: 5, channels: 3 } })
    .resize(width, height, { fit: 'fill' })
    .jpeg({ quality: 95 })
    .toBuffer();
}

async function write(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

describe('a tree of files', () => {
  test('is the same from a folder and from a commit of it, whatever is asked first', async () => {
    const files = { 'a/one.txt': 'eins', 'a/zwölf b.txt': '', 'c.bin': Buffer.alloc(300_000, 7) };
    for (const [path, content] of Object.entries(files)) await write(`tree/${path}`, content);
    const place = join(folder, 'tree');
    const git = (...words: string[]) =>
      execFileSync('git', ['-C', place, '-c', 'user.name=n', '-c', 'user.email=n@example.org', ...words]);
    const plain = await openTree(place);
    git('init', '-q');
    git('add', '.');
    git('commit', '-qm', 'all');
    const committed = await openTree(join(place, '.git'), 'HEAD');
    expect(committed.paths).toEqual(plain.paths);
    for (const tree of [plain, committed]) {
      const found = [];
      for await (const { path, bytes } of tree.read(['c.bin', 'a/zwölf b.txt', 'a/one.txt'])) {
        found.push([path, bytes.length]);
      }
      expect(found).toEqual([
        ['c.bin', 300_000],
        ['a/zwölf b.txt', 0],
        ['a/one.txt', 4],
      ]);
    }
    await expect(committed.text('d.txt')).rejects.toThrow('d.txt');
  });
});

test('captions of a table that is no proper CSV', async () => {
  const jpeg = await blots(1, 40, 30);
  for (const number of [0, 7, 65, 9]) await write(`coco/data/${number}.jpg`, jpeg);
  await write(
    'coco/train.csv',
    'ImageID,Labels,Caption\n0.jpg,1 19,"A man, a horse\nand a "big" hat."\n7.jpg,8,"Red motor \n\n"\n65.jpg,1,"left out"\n',
  );
  await write('coco/test.csv', 'ImageID,Caption\r\n9.jpg,"A sign that reads "stop.""\r\n');
  const found: Record<string, unknown> = {};
  for await (const { name, words } of readCoco(await openTree(join(folder, 'coco')))) found[name] = words.en;
  expect(found).toEqual({
    0: 'A man, a horse and a "big" hat.',
    7: 'Red motor',
    9: 'A sign that reads "stop."',
  });
});

test('a data folder is an index and an archive that the trainer finds its pictures in', async () => {
  const place = join(folder, 'data');
  const data = await createDataFolder(place);
  const one = await blots(1, 30, 20);
  await data.add('a/one.jpg', one, { en: 'blots' });
  await data.add('two.jpg', Buffer.from('x'), { label: 'dog' });
  await expect(data.add('two.jpg', one, {})).rejects.toThrow('twice');
  await expect(data.add(`${'n'.repeat(101)}.jpg`, one, {})).rejects.toThrow('longer');
  expect(await data.close()).toBe(2);
  const lines = (await readFile(join(place, 'index.jsonl'), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { file: 'a/one.jpg', split: 'train', en: 'blots' },
    { file: 'two.jpg', split: 'train', label: 'dog' },
  ]);
  const { members, cutOffAt } = await readTarIndex(join(place, 'train.tar'));
  expect(cutOffAt).toBeUndefined();
  const archive = await readFile(join(place, 'train.tar'));
  expect(members.map(({ name }) => name)).toEqual(['a/one.jpg', 'two.jpg']);
  expect(archive.subarray(members[0]!.offset, members[0]!.offset + members[0]!.length)).toEqual(one);
});

describe('pictures', () => {
  test('small JPEGs stay as they are, others become smaller, damaged ones are refused', async () => {
    const small = await blots(2, 200, 100);
    expect((await photograph(small)).bytes).toBe(small);
    const large = await photograph(await blots(2, 900, 600));
    expect(await sharp(large.bytes).metadata()).toMatchObject({ width: 384, height: 256 });
    const cut = await photograph(small, { left: 50, top: 0, width: 100, height: 100 });
    expect(await sharp(cut.bytes).metadata()).toMatchObject({ width: 100, height: 100 });
    await expect(photograph(small.subarray(0, small.length / 2))).rejects.toThrow();
  });

  test('a drawing that is small on its page fills the square', async () => {
    const svg = (attributes: string, at: number) =>
      Buffer.from(
        `<svg xmlns="http://www.w3.org/2000/svg" ${attributes}><rect x="${at}" y="${at}" width="10" height="10" fill="#f00"/></svg>`,
      );
    for (const page of [svg('width="744" height="1052"', 40), svg('viewBox="0 0 100 100"', 95)]) {
      const { bytes } = await drawingOnPage(page, 'white ground');
      const { dominant } = await sharp(bytes).extract({ left: 20, top: 20, width: 216, height: 216 }).stats();
      expect(dominant.r).toBeGreaterThan(240);
      expect(dominant.g).toBeLessThan(20);
    }
    await expect(
      drawingOnPage(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'x'),
    ).rejects.toThrow();
  });

  test('black bars are found, and a picture that is nothing else is none', async () => {
    const inner = await blots(3, 100, 60);
    const barred = await sharp({ create: { width: 100, height: 100, channels: 3, background: '#000' } })
      .composite([{ input: await sharp(inner).linear(0.8, 50).toBuffer(), left: 0, top: 20 }])
      .jpeg()
      .toBuffer();
    const found = await withoutBars(barred);
    expect(found).toMatchObject({ left: 0, width: 100 });
    expect(Math.abs(found!.top - 21)).toBeLessThanOrEqual(1);
    expect(Math.abs(found!.height - 58)).toBeLessThanOrEqual(2);
    const black = sharp({ create: { width: 50, height: 50, channels: 3, background: '#000' } });
    expect(await withoutBars(await black.jpeg().toBuffer())).toBeUndefined();
  });
});

describe('fingerprints', () => {
  test('know a picture again: smaller, squashed, mirrored, cut to its middle; and no other', async () => {
    const picture = await blots(5, 400, 300);
    const [whole] = await fingerprints(sharp(picture), { mirrored: false });
    const changed = [
      sharp(picture).resize(64, 64, { fit: 'fill' }),
      sharp(await sharp(picture).flop().jpeg({ quality: 60 }).toBuffer()),
    ];
    for (const one of changed) {
      const views = await fingerprints(sharp(await one.png().toBuffer()), { mirrored: true });
      const nearest = views.map((view) => difference(view, whole!)).sort((a, b) => a.bits - b.bits)[0]!;
      expect(nearest.bits).toBeLessThanOrEqual(8);
      expect(nearest.colour).toBeLessThan(4);
      expect(nearest.shape).toBeLessThan(0.01);
    }
    const middle = await sharp(picture)
      .extract({ left: 50, top: 0, width: 300, height: 300 })
      .png()
      .toBuffer();
    const [square] = await fingerprints(sharp(middle), { mirrored: false });
    const views = await fingerprints(sharp(picture), { mirrored: false });
    expect(Math.min(...views.map((view) => difference(view, square!).bits))).toBeLessThanOrEqual(4);
    const [other] = await fingerprints(sharp(await blots(6, 400, 300)), { mirrored: false });
    expect(difference(whole!, other!).bits).toBeGreaterThan(36);
  });
});

test('words for drawings', () => {
  expect(drawingWords({ en: 'apple', de: 'Apfel', tags: ['fruit', 'red'] }, 'lines')).toEqual({
    en: ['apple', 'a sketch of an apple', 'a line drawing of an apple', 'apple: fruit, red'],
    de: ['Apfel', 'eine Skizze: Apfel', 'eine Strichzeichnung: Apfel'],
  });
  const { en } = drawingWords({ en: 'scissors' }, 'colour');
  expect(en[1]).toBe('a drawing of scissors');
  expect(drawingWords({ en: 'unicorn' }, 'colour').en[1]).toBe('a drawing of a unicorn');
});

describe("Qt's resource files", () => {
  test('have files in folders, packed or not', () => {
    const files = readQtResources(resources());
    expect([...files.keys()]).toEqual(['/folder/plain', '/folder/packed']);
    expect(files.get('/folder/plain')?.().toString()).toBe('as it is');
    expect(files.get('/folder/packed')?.().toString()).toBe('packed text');
  });

  test('others are refused', () => {
    expect(() => readQtResources(Buffer.from('no resources at all'))).toThrow('no Qt resource file');
  });
});

/** Version 3: a root, a folder, two files. */
function resources(): Buffer {
  const name = (text: string) => {
    const head = Buffer.alloc(6);
    head.writeUInt16BE(text.length);
    return Buffer.concat([head, Buffer.from(text, 'utf16le').swap16()]);
  };
  const block = (content: Buffer) => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(content.length);
    return Buffer.concat([head, content]);
  };
  const node = (at: number, flags: number, first: number, second: number) => {
    const bytes = Buffer.alloc(22);
    bytes.writeUInt32BE(at);
    bytes.writeUInt16BE(flags, 4);
    bytes.writeUInt32BE(first, 6);
    bytes.writeUInt32BE(second, 10);
    return bytes;
  };
  const names = ['folder', 'plain', 'packed'].map(name);
  const [folderName, plainName] = names.map(({ length }) => length);
  const text = Buffer.from('packed text');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  const plain = block(Buffer.from('as it is'));
  const data = Buffer.concat([plain, block(Buffer.concat([length, deflateSync(text)]))]);
  const tree = Buffer.concat([
    node(0, 2, 1, 1),
    node(0, 2, 2, 2),
    node(folderName!, 0, 0, 0),
    node(folderName! + plainName!, 1, 0, plain.length),
  ]);
  const head = Buffer.alloc(24);
  head.write('qres', 0, 'latin1');
  for (const [place, value] of [3, 24, 24 + tree.length, 24 + tree.length + data.length].entries()) {
    head.writeUInt32BE(value, 4 + 4 * place);
  }
  return Buffer.concat([head, tree, data, ...names]);
}
