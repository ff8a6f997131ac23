/** The sets that training reads, each as packed pictures with a description of every one; train parts only. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EidosError } from '../../../errors.ts';
import { readArchive } from '../../../image/archive.ts';
import type { Description } from './captions.ts';
import { type ClassNames, readJsonLines } from './names.ts';
import { cachedPictures, emptyPictures, type PackedPictures, packPicture, packTiles } from './packed.ts';

export interface TrainingSource {
  name: string;
  pictures: PackedPictures;
  /** One for each picture, in its order. */
  descriptions: Description[];
  /** Where each picture stands in the set's index. */
  rows: number[];
  /** A teacher's features, see teacher.ts. */
  features?: Uint8Array;
}

export interface SourceFolders {
  /** Where the sets lie, a folder each. */
  data: string;
  /** Where packed pictures are kept between runs. */
  cache: string;
}

/** Side of the squares that pictures larger than tiles are packed to: a little over what a crop for 96 pixels needs. */
export const packedSide = 112;

interface IndexRow {
  file: string;
  split?: string;
  label?: string;
  wnid?: string;
  en?: string[] | string;
  de?: string[] | string;
}

/** A set of single pictures in a tar archive with `index.jsonl` beside it. */
interface ArchiveSet {
  archive: string;
  describe(row: IndexRow, names: ClassNames): Description;
}

const labelled = (archive: string, set: string): ArchiveSet => ({
  archive,
  describe: (row, names) => names.label(set, row.label ?? ''),
});
const captioned = (archive: string, set: string): ArchiveSet => ({
  archive,
  describe: ({ file, en, de }) => ({
    kind: 'sentences',
    key: `${set}/${file}`,
    en: en === undefined ? [] : [en].flat(),
    de: de === undefined ? [] : [de].flat(),
  }),
});

/** Every set with an archive that may be trained on. Reserved sets are not here. */
const archiveSets = {
  flickr8k: captioned('train.tar', 'flickr8k'),
  flowers: labelled('flowers.tar', 'flowers'),
  'intel-scenes': labelled('train.tar', 'intel-scenes'),
  'house-rooms': labelled('train.tar', 'house-rooms'),
  weather: labelled('train.tar', 'weather'),
  'voc-traffic': captioned('train.tar', 'voc-traffic'),
  sports: labelled('train.tar', 'sports'),
  groceries: labelled('train.tar', 'groceries'),
  trash: labelled('train.tar', 'trash'),
  'imagenet-samples': {
    archive: 'images.tar',
    describe: (row, names) => names.imageNet(row.wnid ?? ''),
  },
} satisfies Record<string, ArchiveSet>;

export type SourceName = keyof typeof archiveSets | 'tiny-imagenet-64';

/**
 * Reads a set, from the cache where it was packed before.
 * @throws EidosError `not_found` for missing files, `invalid_image` for broken pictures.
 */
export async function readSource(
  name: SourceName,
  folders: SourceFolders,
  names: ClassNames,
): Promise<TrainingSource> {
  return name === 'tiny-imagenet-64'
    ? readTiles(name, folders, names)
    : readArchiveSet(name, archiveSets[name], folders, names);
}

async function readArchiveSet(
  name: string,
  { archive, describe }: ArchiveSet,
  { data, cache }: SourceFolders,
  names: ClassNames,
): Promise<TrainingSource> {
  const index = await readJsonLines<IndexRow>(join(data, name, 'index.jsonl'));
  const isTrained = ({ split }: IndexRow): boolean => split === undefined || split === 'train';
  const rows = index.filter(isTrained);
  const places = new Map(rows.map(({ file }, at) => [file, at]));
  const pictures = await cachedPictures(cache, name, { count: rows.length, side: packedSide }, async () => {
    const packed = emptyPictures(rows.length, packedSide);
    const missing = new Set(places.keys());
    for await (const { name: file, bytes } of readArchive(join(data, name, archive))) {
      const at = places.get(file);
      if (at === undefined) continue;
      await packPicture(packed, at, bytes);
      missing.delete(file);
    }
    const [first] = missing;
    if (first !== undefined) {
      throw new EidosError(
        'not_found',
        `${name}/${archive} lacks ${missing.size} of its pictures, such as ${first}.`,
      );
    }
    return packed;
  });
  return {
    name,
    pictures,
    descriptions: rows.map((row) => describe(row, names)),
    rows: [...index.keys()].filter((row) => isTrained(index[row]!)),
  };
}

interface TileIndex {
  tile: number;
  columns: { train: number };
  train: number;
  classes: { wnid: string }[];
}

async function readTiles(
  name: string,
  { data, cache }: SourceFolders,
  names: ClassNames,
): Promise<TrainingSource> {
  const folder = join(data, name);
  const { tile, columns, train, classes } = JSON.parse(
    await readFile(join(folder, 'index.json'), 'utf8'),
  ) as TileIndex;
  const count = classes.length * train;
  const pictures = await cachedPictures(cache, name, { count, side: tile }, async () => {
    const packed = emptyPictures(count, tile);
    for (const [at, { wnid }] of classes.entries()) {
      const label = join(folder, 'train', `${wnid}.webp`);
      await packTiles(packed, at * train, await readFile(label), {
        columns: columns.train,
        tiles: train,
        label,
      });
    }
    return packed;
  });
  const descriptions = classes.flatMap(({ wnid }) => Array<Description>(train).fill(names.imageNet(wnid)));
  return { name, pictures, descriptions, rows: [...descriptions.keys()] };
}
