/**
 * The pictures that nothing may learn from: those that the bundled model is measured on. Of the four reserved sets that is
 * every picture, of coco-mini too; of the others the parts for measuring; and all photographs of the examples.
 */
import { existsSync } from 'node:fs';
import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { loadBuilt } from './built.mjs';

const { readTarIndex } = await loadBuilt('train/data/tar-index');

/** Sets of which no part is trained on. */
const reserved = ['cifar10', 'caltech101', 'pacs', 'clothing', 'coco-mini'];

/** @typedef {{ name: string, picture: import('sharp').Sharp }} TestPicture */

/**
 * @param {string} data the folder of the sets
 * @param {readonly string[]} examples folders of photographs
 * @returns {AsyncGenerator<TestPicture>}
 */
export async function* testPictures(data, examples) {
  for (const set of (await readdir(data)).sort()) {
    const folder = join(data, set);
    const wants = (/** @type {string | undefined} */ part) => reserved.includes(set) || part !== 'train';
    if (existsSync(join(folder, 'index.jsonl'))) {
      yield* indexed(folder, wants);
    } else if (existsSync(join(folder, 'index.json'))) {
      yield* tiled(folder, wants);
    }
  }
  for (const folder of examples) {
    for (const file of (await readdir(folder)).filter((name) => /\.(jpe?g|png|webp)$/i.test(name))) {
      yield { name: join(folder, file), picture: sharp(join(folder, file)).rotate() };
    }
  }
}

/**
 * Pictures of an index whose part is wanted; sounds and vectors are none.
 * @param {string} folder
 * @param {(part: string | undefined) => boolean} wants
 * @returns {AsyncGenerator<TestPicture>}
 */
export async function* indexed(folder, wants) {
  /** @type {Map<string, { file?: string, split?: string }[]>} */
  const rows = new Map();
  for (const line of (await readFile(join(folder, 'index.jsonl'), 'utf8')).split('\n')) {
    const row = line === '' ? {} : JSON.parse(line);
    if (row.file !== undefined) rows.set(row.file, [...(rows.get(row.file) ?? []), row]);
  }
  for (const shard of (await readdir(folder)).filter((name) => name.endsWith('.tar')).sort()) {
    const { members } = await readTarIndex(join(folder, shard));
    const archive = await open(join(folder, shard));
    try {
      for (const { name, offset, length } of members) {
        const own = rows.get(name) ?? [];
        const row = own.find(({ split }) => split !== undefined && shard.startsWith(split)) ?? own[0];
        if (row === undefined || !wants(row.split) || !/\.(jpe?g|png|webp)$/i.test(name)) continue;
        const bytes = Buffer.alloc(length);
        await archive.read(bytes, 0, length, offset);
        yield { name: `${folder}/${name}`, picture: sharp(bytes) };
      }
    } finally {
      await archive.close();
    }
  }
}

/**
 * Tiles of the sheets of wanted parts.
 * @param {string} folder
 * @param {(part: string) => boolean} wants
 * @returns {AsyncGenerator<TestPicture>}
 */
async function* tiled(folder, wants) {
  const index = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'));
  for (const part of Object.keys(index.columns).filter(wants)) {
    for (const one of index.classes) {
      const key = one.wnid ?? one;
      const file = [`${part}-${key}.jpg`, `${part}/${key}.webp`].find((path) =>
        existsSync(join(folder, path)),
      );
      if (file === undefined) throw new Error(`${folder} has no sheet of ${key} for ${part}.`);
      const { data, info } = await sharp(join(folder, file)).raw().toBuffer({ resolveWithObject: true });
      const raw = { width: info.width, height: info.height, channels: info.channels };
      for (let place = 0; place < index[part]; place++) {
        const left = (place % index.columns[part]) * index.tile;
        const top = Math.floor(place / index.columns[part]) * index.tile;
        const tile = sharp(data, { raw }).extract({ left, top, width: index.tile, height: index.tile });
        yield { name: `${folder}/${file}#${place}`, picture: tile };
      }
    }
  }
}
