/**
 * An index file: `index.jsonl` with an object a picture, and the pictures in tar shards beside it or as plain files.
 * Fields: `file` (its path in a shard or below the folder), `split`, `label` (or `wnid` with `name`), captions `en` and
 * `de` (a sentence or several); all others can be chosen by.
 */
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { exists } from '../../disk/exists.ts';
import { EidosError } from '../../errors.ts';
import { readArchive } from '../../image/archive.ts';
import { type DatasetClass, type Language, languages, type Sample } from '../dataset.ts';
import { allSplits, chooseSplit, isInSplit, isShardOf, readExclusions } from '../splits.ts';
import { type DatasetFormReader, wordsOf } from './form.ts';
import { indexName, indexRowSchema, labelOf, parseRow, pictureKey, requireOneLabel } from './index-row.ts';

const captions = z
  .union([z.string().transform((caption) => [caption]), z.array(z.string())])
  .transform((all) => all.map((caption) => caption.trim()).filter((caption) => caption !== ''));
const schema = indexRowSchema.extend({ en: captions.optional(), de: captions.optional() });
type Row = z.infer<typeof schema>;

export const indexFile: DatasetFormReader = {
  description: `${indexName} with a line a picture ("file" with "label" or captions "en", "de")`,

  recognise: (folder) => exists(join(folder, indexName)),

  async open(folder, { split: wanted, where = {} }) {
    const rows = await readRows(folder);
    const fields = Object.entries(where);
    for (const [field] of fields) {
      if (!rows.some((row) => row[field] !== undefined)) {
        throw new EidosError(
          'invalid_option',
          `No line of ${join(folder, indexName)} has a field "${field}".`,
        );
      }
    }
    const classes = classesOf(rows);
    const labels = new Map(classes.map(({ key }, index) => [key, index]));
    const parts = rows.flatMap((row) => (row.split === undefined ? [] : [row.split]));
    const split = chooseSplit(wanted, parts, folder);
    const exclusions = await readExclusions(folder);
    const chosen = rows.filter(
      (row) =>
        isInSplit(row.split, split) &&
        fields.every(([field, value]) => String(row[field]) === value) &&
        !exclusions.excludes(row.split, row.file),
    );
    return {
      split,
      classes,
      captionLanguages: languages.filter((language) => chosen.some((row) => row[language]?.length)),
      size: chosen.length,
      excluded: exclusions.counts(),
      async *samples(): AsyncGenerator<Sample> {
        for await (const { row, image } of readPictures(folder, split, chosen)) {
          const label = labels.get(labelOf(row) ?? '');
          yield {
            name: row.file,
            image,
            ...(label === undefined ? {} : { label }),
            captions: Object.fromEntries(languages.map((language) => [language, row[language] ?? []])),
          };
        }
      },
    };
  },
};

/** The pictures of rows in the order in which they lie in the shards; what is nowhere comes last, as an error. */
async function* readPictures(
  folder: string,
  split: string,
  rows: readonly Row[],
): AsyncGenerator<{ row: Row; image: Sample['image'] }> {
  const missing = new Map<string, Row[]>();
  for (const row of rows) missing.set(row.file, [...(missing.get(row.file) ?? []), row]);
  for (const shard of await shardsOf(folder, split)) {
    if (missing.size === 0) return;
    for await (const { name, bytes } of readArchive(join(folder, shard), {
      wants: (name) => missing.has(name),
    })) {
      const named = missing.get(name)!;
      const row = named.find(({ split: part }) => isShardOf(shard, part)) ?? named[0]!;
      const others = named.filter((other) => other !== row);
      if (others.length > 0) missing.set(name, others);
      else missing.delete(name);
      // A file has a name, by which errors call the picture; bytes have none.
      yield { row, image: new File([bytes as Uint8Array<ArrayBuffer>], `${name} in ${join(folder, shard)}`) };
      if (missing.size === 0) break;
    }
  }
  for (const row of [...missing.values()].flat()) {
    const path = join(folder, row.file);
    const image = (await exists(path))
      ? path
      : new EidosError('not_found', `${row.file} is in no shard of ${folder}, and no file there.`);
    yield { row, image };
  }
}

/** Those named like the part first, so that the others need not be read. */
async function shardsOf(folder: string, split: string): Promise<string[]> {
  const shards = (await readdir(folder)).filter((file) => file.endsWith('.tar')).sort();
  if (split === allSplits) return shards;
  return [
    ...shards.filter((file) => isShardOf(file, split)),
    ...shards.filter((file) => !isShardOf(file, split)),
  ];
}

function classesOf(rows: readonly Row[]): DatasetClass[] {
  const classes = new Map<string, string>();
  for (const row of rows) {
    const key = labelOf(row);
    if (key === undefined || classes.has(key)) continue;
    classes.set(key, wordsOf(row.label ?? row.name ?? key));
  }
  return [...classes].map(([key, words]) => ({ key, words }));
}

async function readRows(folder: string): Promise<Row[]> {
  const path = join(folder, indexName);
  const rows = new Map<string, Row>();
  let line = 0;
  for await (const content of createInterface({
    input: createReadStream(path),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    line++;
    if (content.trim() === '') continue;
    const row = parseRow(schema, content, `${path}, line ${line}`);
    const key = pictureKey(row);
    const before = rows.get(key);
    rows.set(key, before === undefined ? row : merge(before, row, `${path}, line ${line}`));
  }
  if (rows.size === 0)
    throw new EidosError('invalid_option', `${path} is empty: it needs a line for each picture.`);
  return [...rows.values()];
}

/** Some indices have a line a caption. */
function merge(before: Row, row: Row, place: string): Row {
  requireOneLabel(before, row, place);
  const both = (language: Language) => [...(before[language] ?? []), ...(row[language] ?? [])];
  return { ...before, en: both('en'), de: both('de') };
}
