import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readClassNames } from '../../../src/train/first-model/data/names.ts';
import {
  cachedPictures,
  emptyPictures,
  packPicture,
  packTiles,
} from '../../../src/train/first-model/data/packed.ts';
import { packedSide, readSource, type SourceName } from '../../../src/train/first-model/data/sources.ts';
import { shares } from '../../../src/train/first-model/settings.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-data-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Colour = [red: number, green: number, blue: number];

/** A PNG of columns × rows tiles, each of one colour. */
async function sheet(side: number, columns: number, colours: readonly Colour[]): Promise<Uint8Array> {
  const rows = Math.ceil(colours.length / columns);
  const data = new Uint8Array(columns * rows * side * side * 3);
  const width = columns * side;
  for (const [tile, colour] of colours.entries()) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const row = Math.floor(tile / columns) * side + y;
        data.set(colour, (row * width + (tile % columns) * side + x) * 3);
      }
    }
  }
  return sharp(data, { raw: { width, height: rows * side, channels: 3 } })
    .png()
    .toBuffer();
}

async function writeArchive(path: string, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  const archive = pack();
  archive.entry({ name: 'folder/', type: 'directory' });
  for (const [name, bytes] of Object.entries(files)) archive.entry({ name }, Buffer.from(bytes));
  archive.finalize();
  const pieces: Uint8Array[] = [];
  for await (const piece of archive) pieces.push(piece as Uint8Array);
  await writeFile(path, Buffer.concat(pieces));
}

describe('packed pictures', () => {
  test('keep the middle of a wide picture', async () => {
    const wide = await sheet(8, 3, [
      [255, 0, 0],
      [0, 200, 0],
      [0, 0, 255],
    ]);
    const pictures = emptyPictures(2, 8);
    await packPicture(pictures, 1, wide);
    expect(pictures.data.subarray(0, 8 * 8 * 3).every((value) => value === 0)).toBe(true);
    for (let pixel = 64; pixel < 128; pixel++) {
      expect([...pictures.data.subarray(pixel * 3, pixel * 3 + 3)]).toEqual([0, 200, 0]);
    }
  });

  test('turn grey into three equal channels', async () => {
    const grey = await sharp(new Uint8Array(100).fill(77), { raw: { width: 10, height: 10, channels: 1 } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    const pictures = emptyPictures(1, 10);
    await packPicture(pictures, 0, grey);
    expect(pictures.data.every((value) => value === 77)).toBe(true);
  });

  test('cut tiles row by row', async () => {
    const colours: Colour[] = [
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
      [10, 11, 12],
    ];
    const pictures = emptyPictures(3, 4);
    await packTiles(pictures, 0, await sheet(4, 2, colours), { columns: 2, tiles: 3, label: 'sheet' });
    for (const [tile, colour] of colours.slice(0, 3).entries()) {
      expect([...pictures.data.subarray(tile * 48, tile * 48 + 6)]).toEqual([...colour, ...colour]);
      expect([...pictures.data.subarray(tile * 48 + 45, tile * 48 + 48)]).toEqual(colour);
    }
  });

  test('refuse a sheet of other tiles', async () => {
    const tiles = await sheet(4, 2, [
      [1, 1, 1],
      [2, 2, 2],
    ]);
    const options = { columns: 3, tiles: 2, label: 'the sheet' };
    await expect(packTiles(emptyPictures(2, 4), 0, tiles, options)).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringContaining('the sheet'),
    });
    await expect(
      packTiles(emptyPictures(3, 4), 0, tiles, { ...options, columns: 2, tiles: 3 }),
    ).rejects.toMatchObject({ code: 'invalid_image' });
  });

  test('are made once and made again when their file has another size', async () => {
    const cache = join(folder, 'cache');
    const make = vi.fn(async () => ({ ...emptyPictures(2, 4), data: new Uint8Array(96).fill(5) }));
    const expected = { count: 2, side: 4 };
    const first = await cachedPictures(cache, 'set', expected, make);
    const second = await cachedPictures(cache, 'set', expected, make);
    expect(make).toHaveBeenCalledTimes(1);
    expect(second).toEqual(first);
    await writeFile(join(cache, 'set-2x4.u8'), 'short');
    expect((await cachedPictures(cache, 'set', expected, make)).data.length).toBe(96);
    expect(make).toHaveBeenCalledTimes(2);
  });
});

describe('sets', () => {
  beforeAll(async () => {
    const write = async (path: string, content: string | Uint8Array): Promise<void> => {
      await mkdir(join(folder, 'data', path, '..'), { recursive: true });
      await writeFile(join(folder, 'data', path), content);
    };
    const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
    await write(
      'names/imagenet1k.jsonl',
      lines([
        { index: 151, wnid: 'n1', en: 'Chihuahua', wordnet: ['Chihuahua', 'Canis minor'], de: 'Chihuahua' },
      ]),
    );
    const { gzipSync } = await import('node:zlib');
    await write(
      'names/imagenet1k-descriptions.jsonl.gz',
      gzipSync(lines([{ wnid: 'n1', descriptors: ['big ears'] }])),
    );
    await write(
      'names/classes-en-de.json',
      JSON.stringify({ flowers: [{ label: 'daisy_white', en: 'white_daisy', de: 'Gänseblümchen' }] }),
    );
    await mkdir(join(folder, 'data/flowers'), { recursive: true });
    await mkdir(join(folder, 'data/flickr8k'), { recursive: true });
    const picture = await sheet(6, 1, [[9, 8, 7]]);
    await writeArchive(join(folder, 'data/flowers/flowers.tar'), {
      'a.png': picture,
      'b.png': picture,
      'c.png': picture,
    });
    await write(
      'flowers/index.jsonl',
      lines([
        { file: 'a.png', split: 'train', label: 'daisy_white' },
        { file: 'b.png', split: 'test', label: 'daisy_white' },
        { file: 'c.png', split: 'train', label: 'daisy_white' },
      ]),
    );
    await writeArchive(join(folder, 'data/flickr8k/train.tar'), { 'a.png': picture });
    await write(
      'flickr8k/index.jsonl',
      lines([
        { file: 'a.png', split: 'train', en: ['One .', 'Two .'], de: ['Eins.'] },
        { file: 'lost.png', split: 'train', en: ['Three .'] },
        { file: 'v.png', split: 'val', en: ['Four .'] },
      ]),
    );
    await write(
      'tiny-imagenet-64/index.json',
      JSON.stringify({ tile: 4, columns: { train: 2 }, train: 3, classes: [{ wnid: 'n1' }] }),
    );
    await write(
      'tiny-imagenet-64/train/n1.webp',
      await sheet(4, 2, [
        [1, 1, 1],
        [2, 2, 2],
        [3, 3, 3],
      ]),
    );
  });
  const read = async (name: SourceName) => {
    const folders = { data: join(folder, 'data'), cache: join(folder, 'packed') };
    return readSource(name, folders, await readClassNames(join(folders.data, 'names')));
  };

  test('of labelled pictures hold the train part alone', async () => {
    const { pictures, descriptions } = await read('flowers');
    expect(pictures).toMatchObject({ count: 2, side: packedSide });
    expect([...pictures.data.subarray(-3)]).toEqual([9, 8, 7]);
    expect(descriptions[0]).toMatchObject({
      kind: 'class',
      concepts: [{ key: 'white daisy', en: ['white daisy'], de: ['Gänseblümchen'] }],
    });
  });

  test('of tiles know the class and its kinds', async () => {
    const { pictures, descriptions } = await read('tiny-imagenet-64');
    expect(pictures).toMatchObject({ count: 3, side: 4 });
    expect(pictures.data[2 * 48]).toBe(3);
    expect(descriptions[2]).toMatchObject({
      concepts: [
        { key: 'chihuahua', en: ['Chihuahua'] },
        { key: 'dog', de: ['Hund'] },
      ],
      features: ['big ears'],
    });
  });

  test('whose archive lacks a picture name it', async () => {
    await expect(read('flickr8k')).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('lost.png'),
    });
  });

  test('with unknown labels name them', async () => {
    const names = await readClassNames(join(folder, 'data/names'));
    expect(() => names.label('flowers', 'oak')).toThrow("'oak'");
    expect(() => names.imageNet('n2')).toThrow('n2');
  });

  test('that are reserved for measuring are not trained on', () => {
    for (const reserved of ['cifar10', 'caltech101', 'pacs', 'clothing']) {
      expect(Object.keys(shares)).not.toContain(reserved);
    }
  });
});
