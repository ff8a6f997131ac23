/**
 * Tile sheets: `index.json` beside one sheet a class and part, `PART-NAME.jpg` or `PART/NAME.webp`, cut into equal
 * tiles row by row. The index says the tile's side, columns and tiles of each part, and the classes: names, or WordNet
 * ids with their names.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EidosError } from '../../errors.ts';
import { isNamedLikePicture } from '../../image/paths.ts';
import { cutTiles } from '../../image/tiles.ts';
import type { DatasetClass, Sample } from '../dataset.ts';
import { allSplits, chooseSplit, readExclusions } from '../splits.ts';
import { type DatasetFormReader, refuseFields, wordsOf } from './form.ts';

const count = z.number().int().positive();
/** A key is part of a file name, so nothing in it may lead elsewhere. */
const key = z.string().regex(/^[^/\\]+$/, 'must be a name without slashes');
const schema = z.looseObject({
  tile: count.max(4096),
  columns: z.record(key, count),
  classes: z.array(z.union([key, z.object({ wnid: key, names: z.array(z.string()).min(1) })])).min(1),
});

/** A sheet with its tiles. */
interface Sheet {
  label: number;
  part: string;
  path: string | undefined;
  /** The path inside the set without the extension. */
  name: string;
  tiles: number;
}

export const tileSheets: DatasetFormReader = {
  description: 'index.json with "tile", "columns" and "classes" beside sheets of tiles',

  async recognise(folder) {
    const index = await readIndex(folder).catch(() => undefined);
    return typeof index === 'object' && index !== null && 'tile' in index && 'classes' in index;
  },

  async open(folder, { split: wanted, where }) {
    refuseFields(folder, where);
    const parsed = schema.safeParse(await readIndex(folder));
    if (!parsed.success) {
      const { path, message } = parsed.error.issues[0]!;
      throw malformed(folder, `"${path.join('.')}": ${message}`);
    }
    const index = parsed.data;
    const split = chooseSplit(wanted, Object.keys(index.columns), folder);
    const parts = split === allSplits ? Object.keys(index.columns) : [split];
    const classes: DatasetClass[] = index.classes.map((entry) =>
      typeof entry === 'string'
        ? { key: entry, words: wordsOf(entry) }
        : // WordNet's usual name stands first; the others are often Latin.
          { key: entry.wnid, words: wordsOf(entry.names[0]!) },
    );
    const sheets: Sheet[] = [];
    for (const part of parts) {
      const tiles = count.safeParse(index[part]);
      if (!tiles.success) throw malformed(folder, `"${part}" must say how many tiles a sheet of it has`);
      const found = await findSheets(folder, part);
      for (const [label, { key }] of classes.entries()) {
        sheets.push({ label, part, ...found(key), tiles: tiles.data });
      }
    }
    const exclusions = await readExclusions(folder);
    const isWanted = sheets.map(({ part, name, tiles }) =>
      Array.from({ length: tiles }, (_, tile) => !exclusions.excludes(part, `${name}#${tile}`)),
    );
    return {
      split,
      classes,
      captionLanguages: [],
      size: isWanted.flat().filter(Boolean).length,
      excluded: exclusions.counts(),
      async *samples(): AsyncGenerator<Sample> {
        for (const [at, sheet] of sheets.entries()) {
          const grid = { side: index.tile, columns: index.columns[sheet.part]!, tiles: sheet.tiles };
          const tiles = await readSheet(sheet, grid);
          for (let tile = 0; tile < sheet.tiles; tile++) {
            if (!isWanted[at]![tile]) continue;
            const image = tiles instanceof EidosError ? tiles : tiles[tile]!;
            yield { name: `${sheet.name}#${tile}`, image, label: sheet.label, captions: {} };
          }
        }
      },
    };
  },
};

/** A sheet that cannot be read is the error of each of its tiles. */
async function readSheet({ path, name }: Sheet, grid: Parameters<typeof cutTiles>[1]) {
  if (path === undefined) return new EidosError('not_found', `The sheet ${name} is not there.`);
  try {
    return await cutTiles(await readFile(path), grid, path);
  } catch (error) {
    if (error instanceof EidosError) return error;
    throw error;
  }
}

/** Looks up sheets of a part by class, whatever their extension is. */
async function findSheets(folder: string, part: string) {
  const paths = new Map<string, string>();
  for (const below of ['', part]) {
    for (const file of await readdir(join(folder, below)).catch(() => [])) {
      if (!isNamedLikePicture(file)) continue;
      const name = file.replace(/\.[^.]+$/, '');
      paths.set(below === '' ? name : `${below}/${name}`, join(folder, below, file));
    }
  }
  return (key: string): { name: string; path: string | undefined } => {
    const name = paths.has(`${part}-${key}`) ? `${part}-${key}` : `${part}/${key}`;
    return { name, path: paths.get(name) };
  };
}

async function readIndex(folder: string): Promise<unknown> {
  const text = await readFile(join(folder, 'index.json'), 'utf8');
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(folder, (cause as Error).message);
  }
}

function malformed(folder: string, reason: string): EidosError {
  return new EidosError(
    'invalid_option',
    `${join(folder, 'index.json')} is no index of tile sheets: ${reason}.`,
  );
}
