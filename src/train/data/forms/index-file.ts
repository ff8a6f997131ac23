/**
 * An index file: `index.jsonl` with an object a picture, and the pictures in tar shards beside it or as plain files.
 * Fields: `file`, `split`, `label` (or `wnid` with `name`), and captions by language, a sentence or several.
 */
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { exists } from '../../../disk/exists.ts';
import { EidosError } from '../../../errors.ts';
import {
  type IndexRow,
  indexName,
  indexRowSchema,
  labelOf,
  parseRow,
  pictureKey,
  requireOneLabel,
} from '../../../evaluate/forms/index-row.ts';
import { isInSplit, isShardOf, readExclusions } from '../../../evaluate/splits.ts';
import type { Words } from '../captions.ts';
import { chooseTrainingSplit } from '../splits.ts';
import { readTarIndex, type TarMember } from '../tar-index.ts';
import { textLines } from '../text-lines.ts';
import { type BrokenSample, captionsIn, type FormReader, type FoundPicture, joinWords } from './form.ts';

export const indexFile: FormReader = {
  description: `a folder with ${indexName} ("file" with "label" or captions such as "en") beside its pictures or tar shards`,

  recognise: (path) => exists(join(path, indexName)),

  async find({ paths, split: wanted, languages }) {
    const found: { pictures: FoundPicture[]; broken: BrokenSample[] } = { pictures: [], broken: [] };
    let before = 0;
    for (const folder of paths) {
      const { rows, broken, count } = await readRows(join(folder, indexName), languages);
      found.broken.push(...broken);
      const parts = rows.flatMap(({ row }) => (row.split === undefined ? [] : [row.split]));
      const split = chooseTrainingSplit(wanted, parts, folder);
      const exclusions = await readExclusions(folder);
      const chosen = rows.filter(
        ({ row }) => isInSplit(row.split, split) && !exclusions.excludes(row.split, row.file),
      );
      const shards = await openShards(folder, found.broken);
      for (const { row, captions, at } of chosen) {
        const members = shards.get(row.file) ?? [];
        const own = members.find(({ path }) => isShardOf(basename(path), row.split)) ?? members[0];
        const place = own ?? { kind: 'file' as const, path: join(folder, row.file) };
        const label = labelOf(row);
        found.pictures.push({
          name: `${row.file} in ${folder}`,
          place,
          captions,
          ...(label === undefined ? {} : { label }),
          ...(row.label === undefined && row.name !== undefined ? { labelWords: row.name } : {}),
          row: before + at,
        });
      }
      before += count;
    }
    return found;
  },
};

/** Where the files of the folder's shards lie, by name; shards of different parts may have files of the same name. */
async function openShards(folder: string, broken: BrokenSample[]) {
  const places = new Map<string, ({ kind: 'part'; path: string } & Omit<TarMember, 'name'>)[]>();
  for (const shard of (await readdir(folder)).filter((file) => file.endsWith('.tar')).sort()) {
    const path = join(folder, shard);
    const { members, cutOffAt } = await readTarIndex(path);
    if (cutOffAt !== undefined) broken.push({ name: path, reason: `it is cut off at byte ${cutOffAt}` });
    for (const { name, offset, length } of members) {
      places.set(name, [...(places.get(name) ?? []), { kind: 'part', path, offset, length }]);
    }
  }
  return places;
}

interface IndexedRow {
  row: IndexRow;
  captions: Words;
  /** The how-many-th picture of the index it is. */
  at: number;
}

/** The rows of an index; a line that is no UTF-8 is broken, one that is malformed is an error. */
async function readRows(path: string, languages: readonly string[]) {
  const rows = new Map<string, IndexedRow>();
  const broken: BrokenSample[] = [];
  for await (const { number, text } of textLines(path)) {
    const place = `${path}, line ${number}`;
    if (text === undefined) broken.push({ name: place, reason: 'it is no UTF-8' });
    if (text === undefined || text.trim() === '') continue;
    const row = parseRow(indexRowSchema, text, place);
    const captions = captionsIn(row, languages);
    const key = pictureKey(row);
    const before = rows.get(key);
    // Some indices have a line a caption.
    if (before !== undefined) {
      requireOneLabel(before.row, row, place);
      before.captions = joinWords(before.captions, captions);
    } else rows.set(key, { row, captions, at: rows.size + broken.length });
  }
  const count = rows.size + broken.length;
  if (count > 0) return { rows: [...rows.values()], broken, count };
  throw new EidosError('invalid_option', `${path} is empty: it needs a line for each picture.`);
}
