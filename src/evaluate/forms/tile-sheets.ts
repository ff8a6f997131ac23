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
export interface Sheet {
  label: number;
  part: string;
  path: string | undefined;
  /** The path inside the set without the extension. */
  name: string;
  tiles: number;
  /** Tiles in a row of it. */
  columns: number;
  /** For each tile, whether no list excludes it. */
  isWanted: boolean[];
}

export const tileSheets: DatasetFormReader = {
  description: 'index.json with "tile", "columns" and "classes" beside sheets of tiles',

  async recognise(folder) {
    const index = await readIndex(folder).catch(() => undefined);
    return typeof index === 'object' && index !== null && 'tile' in index && 'classes' in index;
  },

  async open(folder, { split: wanted, where }) {
    refuseFields(folder, where);
    const { split, classes, sheets, side, excluded } = await openSheets(folder, (parts) =>
      chooseSplit(wanted, parts, folder),
    );
    return {
      split,
      classes,
      captionLanguages: [],
      size: sheets.flatMap(({ isWanted }) => isWanted).filter(Boolean).length,
      excluded,
      async *samples(): AsyncGenerator<Sample> {
        for (const sheet of sheets) {
          const tiles = await readSheet(sheet, side);
          for (let tile = 0; tile < sheet.tiles; tile++) {
            if (!sheet.isWanted[tile]) continue;
            const image = tiles instanceof EidosError ? tiles : tiles[tile]!;
            yield { name: `${sheet.name}#${tile}`, image, label: sheet.label, captions: {} };
          }
        }
      },
    };
  },
};

/** The sheets of a part, not read yet. */
export interface Sheets {
  split: string;
  classes: DatasetClass[];
  sheets: Sheet[];
  /** Of a tile, in pixels. */
  side: number;
  excluded: { file: string; pictures: number }[];
}

/**
 * Reads the index and finds the sheets of a part; none is read.
 * @param choose the part that is meant, of those that are there
 * @throws EidosError `invalid_option` for a malformed index, and what `choose` throws
 */
export async function openSheets(folder: string, choose: (parts: string[]) => string): Promise<Sheets> {
  const parsed = schema.safeParse(await readIndex(folder));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0]!;
    throw malformed(folder, `"${path.join('.')}": ${message}`);
  }
  const index = parsed.data;
  const split = choose(Object.keys(index.columns));
  const parts = split === allSplits ? Object.keys(index.columns) : [split];
  const classes: DatasetClass[] = index.classes.map((entry) =>
    typeof entry === 'string'
      ? { key: entry, words: wordsOf(entry) }
      : // WordNet's usual name stands first; the others are often Latin.
        { key: entry.wnid, words: wordsOf(entry.names[0]!) },
  );
  const exclusions = await readExclusions(folder);
  const sheets: Sheet[] = [];
  for (const part of parts) {
    const tiles = count.safeParse(index[part]);
    if (!tiles.success) throw malformed(folder, `"${part}" must say how many tiles a sheet of it has`);
    const found = await findSheets(folder, part);
    for (const [label, { key }] of classes.entries()) {
      const { name, path } = found(key);
      const isWanted = Array.from(
        { length: tiles.data },
        (_, tile) => !exclusions.excludes(part, `${name}#${tile}`),
      );
      sheets.push({ label, part, name, path, tiles: tiles.data, columns: index.columns[part]!, isWanted });
    }
  }
  return { split, classes, sheets, side: index.tile, excluded: exclusions.counts() };
}

/** A sheet that cannot be read is the error of each of its tiles. */
async function readSheet({ path, name, columns, tiles }: Sheet, side: number) {
  if (path === undefined) return new EidosError('not_found', `The sheet ${name} is not there.`);
  try {
    return await cutTiles(await readFile(path), { side, columns, tiles }, path);
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
