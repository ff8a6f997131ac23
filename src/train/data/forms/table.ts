/** A table of pictures and words: `.csv` or `.tsv` with a header, or `.jsonl`; paths begin at the table's folder. */
import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { exists } from '../../../disk/exists.ts';
import { EidosError } from '../../../errors.ts';
import { isInSplit } from '../../../evaluate/splits.ts';
import type { Words } from '../captions.ts';
import type { ColumnsConfig } from '../config.ts';
import { chooseTrainingSplit } from '../splits.ts';
import {
  type BrokenSample,
  captionsIn,
  type FormReader,
  type FoundPicture,
  type FoundSource,
  joinWords,
} from './form.ts';
import { columnsOf, type Row, readRows } from './table-rows.ts';

const usualColumns = {
  file: ['file', 'path', 'image', 'picture', 'filename', 'file_name', 'filepath', 'url'],
  label: ['label', 'class', 'wnid'],
  split: ['split'],
};
const englishColumns = ['en', 'caption', 'captions', 'text', 'title'];

/** Looked for together. */
const filesAtOnce = 64;

const extensions = /\.(csv|tsv|jsonl)(\.gz)?$/i;

/**
 * Many tables have a line a caption: all lines of one file are one picture, with their captions in the order of the
 * lines. Lines are chosen by their part first, so that a picture has no captions of another part. An empty label says
 * nothing, and a line that gives a picture another label than a line before is broken: a picture has one class.
 */
export const table: FormReader = {
  description:
    "a .csv, .tsv or .jsonl file with a picture's path and its caption or class a line, or a folder with one",

  async recognise(path) {
    const status = await stat(path).catch(() => undefined);
    if (status?.isDirectory()) return (await tableIn(path)) !== undefined;
    return status?.isFile() === true && extensions.test(path);
  },

  async find({ paths: given, split: wanted, columns, languages }) {
    const paths = await Promise.all(given.map(async (path) => (await tableIn(path)) ?? path));
    const pictures = new Map<string, FoundPicture>();
    /** Rows of a file of features, in which pictures of every part have one, in the order in which they are named. */
    const rowOf = new Map<string, number>();
    const broken: BrokenSample[] = [];
    for (const path of paths) {
      const { rows, names } = await readRows(path, broken);
      const columnOf = chooseColumns(path, names, columns, languages);
      const partOf = (row: Row): string | undefined =>
        columnOf.split === undefined ? undefined : textOf(row[columnOf.split]);
      const parts = rows.map(({ row }) => partOf(row) ?? '').filter((part) => part !== '');
      const split = chooseTrainingSplit(wanted, parts, path);
      for (const { row, place } of rows) {
        const file = textOf(row[columnOf.file]);
        const picture = resolve(dirname(path), file);
        if (file !== '' && !rowOf.has(picture)) rowOf.set(picture, rowOf.size);
        if (!isInSplit(partOf(row), split)) continue;
        if (file === '') {
          broken.push({ name: place, reason: `its "${columnOf.file}" is empty` });
          continue;
        }
        const label = columnOf.label === undefined ? '' : textOf(row[columnOf.label]);
        const captions = captionsOf(row, columnOf.captions);
        const before = pictures.get(picture);
        if (before === undefined) {
          pictures.set(picture, {
            name: `${file} (${place})`,
            place: { kind: 'file', path: picture },
            captions,
            ...(label === '' ? {} : { label }),
            row: rowOf.get(picture)!,
          });
        } else if (label !== '' && label !== (before.label ?? label)) {
          broken.push({
            name: place,
            reason: `it gives ${file} the label "${label}", and a line before "${before.label}"`,
          });
        } else {
          before.captions = joinWords(before.captions, captions);
          if (label !== '') before.label = label;
        }
      }
    }
    return keepPresent(pictures, broken);
  },
};

/** The one table of a folder of pictures that says which file each line is about. */
async function tableIn(folder: string): Promise<string | undefined> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const tables = entries.filter((entry) => !entry.isDirectory() && extensions.test(entry.name));
  if (tables.length !== 1) return undefined;
  const path = join(folder, tables[0]!.name);
  const names = await columnsOf(path);
  const isSaid = names.some(
    (name) => [...usualColumns.label, ...englishColumns].includes(name) || isLanguage(name),
  );
  // A list of sizes or checksums says nothing of what the pictures show.
  return isSaid && usualColumns.file.some((name) => names.includes(name)) ? path : undefined;
}

/** Pictures whose files are there; the others are broken. People type paths, and a wrong one should not cost an hour. */
async function keepPresent(
  pictures: ReadonlyMap<string, FoundPicture>,
  broken: BrokenSample[],
): Promise<FoundSource> {
  const present: FoundPicture[] = [];
  const all = [...pictures];
  for (let start = 0; start < all.length; start += filesAtOnce) {
    const some = all.slice(start, start + filesAtOnce);
    const found = await Promise.all(some.map(([path]) => exists(path)));
    for (const [at, [path, picture]] of some.entries()) {
      if (found[at]) present.push(picture);
      else broken.push({ name: picture.name, reason: `there is no ${path}` });
    }
  }
  return { pictures: present, broken };
}

interface ChosenColumns {
  file: string;
  label: string | undefined;
  split: string | undefined;
  captions: Readonly<Record<string, string>>;
}

/** The columns that the configuration names, or those with the usual names. */
function chooseColumns(
  path: string,
  names: ReadonlySet<string>,
  columns: ColumnsConfig = {},
  languages: readonly string[],
): ChosenColumns {
  const named = (column: string | undefined): string | undefined => {
    if (column === undefined || names.has(column)) return column;
    throw new EidosError('invalid_option', `${path} has no column "${column}", but ${listed(names)}.`);
  };
  const choose = (key: 'file' | 'label' | 'split') =>
    named(columns[key]) ?? usualColumns[key].find((column) => names.has(column));
  const file = choose('file');
  if (file === undefined) {
    throw new EidosError(
      'invalid_option',
      `${path} has the columns ${listed(names)}: name the one with the pictures' paths as columns.file.`,
    );
  }
  for (const [language, column] of Object.entries(columns.captions ?? {})) {
    if (languages.includes(language)) continue;
    throw new EidosError(
      'invalid_option',
      `columns.captions.${language} names "${column}" in ${path}, but data.captions.languages has no "${language}", only ${languages.join(', ')}: give it a weight there, or leave the column out.`,
    );
  }
  const captions: Record<string, string> = {};
  for (const language of languages) {
    const usual = language === 'en' ? englishColumns : [language];
    const column = named(columns.captions?.[language]) ?? usual.find((name) => names.has(name));
    if (column !== undefined) captions[language] = column;
  }
  const label = choose('label');
  if (label === undefined && Object.keys(captions).length === 0) {
    throw new EidosError(
      'invalid_option',
      `${path} has the columns ${listed(names)}: name the one with captions as columns.captions.${languages[0]}, or with classes as columns.label. ${otherLanguage(names, languages)}`,
    );
  }
  return { file, label, split: choose('split'), captions };
}

/** What to do where the captions are in none of the languages. */
function otherLanguage(names: ReadonlySet<string>, languages: readonly string[]): string {
  const code = [...names].find(isLanguage) ?? 'CODE';
  return `Captions in another language than ${languages.join(' and ')} need a weight for it in data.captions.languages, such as { "${code}": 1 }, and a column of that name or columns.captions.${code}.`;
}

/** A column `id` holds numbers, not Indonesian. */
function isLanguage(name: string): boolean {
  return /^[a-z]{2}$/.test(name) && name !== 'id';
}

function captionsOf(row: Row, columns: Readonly<Record<string, string>>): Words {
  const byLanguage = Object.entries(columns).map(([language, column]) => [language, row[column]]);
  return captionsIn(Object.fromEntries(byLanguage), Object.keys(columns));
}

function textOf(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value).trim() : '';
}

function listed(names: ReadonlySet<string>): string {
  const shown = [...names].slice(0, 8).map((name) => `"${name}"`);
  return shown.length === 0 ? 'none' : shown.join(', ');
}
