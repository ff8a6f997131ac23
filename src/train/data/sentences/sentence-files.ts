/** Sentences of a file, with the line that each stands in: what stands in one line means the same. */
import { basename } from 'node:path';
import { exists } from '../../../disk/exists.ts';
import { EidosError } from '../../../errors.ts';
import { isInSplit } from '../../../evaluate/splits.ts';
import type { BrokenSample } from '../forms/form.ts';
import { notUtf8, splitFields } from '../separated-values.ts';
import { chooseTrainingSplit } from '../splits.ts';
import { hasJsonLines, textLines } from '../text-lines.ts';
import type { SentenceSourceConfig } from './config.ts';
import { createTextList, type TextList } from './text-list.ts';

/** Sentences that may be trained on, in the order of the file; arrays have a number for each. */
export interface SentenceFile {
  /** By which messages call it. */
  name: string;
  path: string;
  weight: number;
  languages: readonly string[];
  texts: TextList;
  /** Which of the languages it is in. */
  language: Uint8Array;
  /** The line, counted from 0; ascending. */
  line: Uint32Array;
  /** Its place among all sentences of the file, of which empty ones and those of other parts have one, too. */
  row: Uint32Array;
  /** All sentences of the file: the rows that a file of vectors has. */
  rows: number;
  /** Lines that cannot be trained on. */
  broken: BrokenSample[];
}

const extensions = /\.(txt|tsv|jsonl)(\.gz)?$/i;

/** What a line says: sentences with the places of their languages, empty ones among them. */
interface Line {
  sentences: readonly { language: number; text: string }[];
  /** The part that it belongs to. */
  split?: string | undefined;
  /** Why nothing of it can be trained on. */
  problem?: string;
}

/**
 * Reads a file of sentences. Every line of text has a row, every line of a table one for each language, and every
 * sentence of JSON lines one, by the languages in their order: empty and broken ones, too.
 * @throws EidosError `not_found`; `invalid_option` for another kind of file, another number of columns than languages,
 * lines that are no JSON, and where nothing is left
 */
export async function readSentences(config: SentenceSourceConfig): Promise<SentenceFile> {
  const { path, languages, weight } = config;
  if (!(await exists(path)))
    throw new EidosError('not_found', `data.sentences names ${path}, and there is no such file.`);
  const readLine = lineReader(path, languages);
  const split = await splitOf(config);
  const texts = createTextList(path);
  const language: number[] = [];
  const line: number[] = [];
  const row: number[] = [];
  const broken: BrokenSample[] = [];
  let rows = 0;
  for await (const { number, text } of textLines(path)) {
    const read = readLine(text, number);
    if (read.problem !== undefined) {
      broken.push({ name: `${path}, line ${number}`, reason: read.problem });
      rows += read.sentences.length;
      continue;
    }
    const isMeant = split === undefined || isInSplit(read.split, split);
    for (const { language: place, text: sentence } of read.sentences) {
      const own = rows++;
      const plain = sentence.trim();
      if (plain === '' || !isMeant) continue;
      texts.add(plain);
      language.push(place);
      line.push(number - 1);
      row.push(own);
    }
  }
  const [first] = broken;
  if (row.length === 0) {
    throw new EidosError(
      'invalid_option',
      `${path} has no sentence in ${languages.join(' or ')}${first === undefined ? '' : `, only broken lines such as ${first.name}: ${first.reason}`}.`,
    );
  }
  return {
    name: basename(path).replace(extensions, ''),
    path,
    weight,
    languages,
    texts: texts.finish(),
    language: Uint8Array.from(language),
    line: Uint32Array.from(line),
    row: Uint32Array.from(row),
    rows,
    broken,
  };
}

type LineReader = (text: string | undefined, number: number) => Line;

function lineReader(path: string, languages: readonly string[]): LineReader {
  if (!extensions.test(path)) {
    throw new EidosError(
      'invalid_option',
      `data.sentences names ${path}: sentences stand in .txt (one a line), .tsv (a language a column) or .jsonl files, which may be packed as .gz.`,
    );
  }
  if (hasJsonLines(path)) return jsonReader(path, languages);
  const isTable = /\.tsv(\.gz)?$/i.test(path);
  if (!isTable && languages.length > 1) {
    throw new EidosError(
      'invalid_option',
      `data.sentences gives ${path} the languages ${languages.join(', ')}, but a line of it is one sentence: name one, or parts in columns as .tsv.`,
    );
  }
  return isTable ? tableReader(path, languages) : (text) => plainLine(text);
}

function plainLine(text: string | undefined): Line {
  if (text === undefined) return { sentences: [{ language: 0, text: '' }], problem: notUtf8 };
  return { sentences: [{ language: 0, text }] };
}

function tableReader(path: string, languages: readonly string[]): LineReader {
  const none = languages.map((_, language) => ({ language, text: '' }));
  return (text, number) => {
    if (text === undefined) return { sentences: none, problem: notUtf8 };
    if (text.trim() === '') return { sentences: none };
    const fields = splitFields(text, '\t') as string[];
    if (fields.length === languages.length) {
      return { sentences: fields.map((field, language) => ({ language, text: field })) };
    }
    const problem = `it has ${fields.length} columns, not one for each of ${languages.join(', ')}`;
    // The first line tells what the file is; a later one may be broken.
    if (number > 1) return { sentences: none, problem };
    throw new EidosError(
      'invalid_option',
      `${path}, line 1: ${problem}. Name the columns' languages as "languages".`,
    );
  };
}

function jsonReader(path: string, languages: readonly string[]): LineReader {
  return (text, number) => {
    // How many sentences it would have had, nobody knows, so that rows of vectors would belong to others.
    if (text === undefined) throw new EidosError('invalid_option', `${path}, line ${number}: ${notUtf8}.`);
    if (text.trim() === '') return { sentences: [] };
    const value = parseLine(text, `${path}, line ${number}`);
    if (typeof value === 'string') return { sentences: [{ language: 0, text: value }] };
    const record = value as Readonly<Record<string, unknown>>;
    const sentences = languages.flatMap((code, language) =>
      [record[code] ?? []]
        .flat()
        .filter((sentence) => typeof sentence === 'string')
        .map((sentence) => ({ language, text: sentence })),
    );
    return { sentences, split: typeof record.split === 'string' ? record.split : undefined };
  };
}

/** @throws EidosError `invalid_option` for what is no object and no string */
function parseLine(text: string, place: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EidosError('invalid_option', `${place} is no JSON: ${(cause as Error).message}.`, { cause });
  }
  if (typeof value === 'string' || (typeof value === 'object' && value !== null && !Array.isArray(value))) {
    return value;
  }
  throw new EidosError(
    'invalid_option',
    `${place} is ${text.slice(0, 40)}: an object with a sentence, or several, by language is wanted, or a string.`,
  );
}

/** The part of JSON lines that is meant, as for pictures; undefined where a file has no parts. */
async function splitOf({ path, split: wanted }: SentenceSourceConfig): Promise<string | undefined> {
  if (!hasJsonLines(path)) {
    if (wanted === undefined) return undefined;
    throw new EidosError(
      'invalid_option',
      `${path} has no parts: "split" is for JSON lines with that field.`,
    );
  }
  const parts = new Set<string>();
  for await (const { number, text } of textLines(path)) {
    if (!text?.includes('"split"')) continue;
    const value = parseLine(text, `${path}, line ${number}`);
    const { split } = value as { split?: unknown };
    if (typeof split === 'string') parts.add(split);
  }
  return chooseTrainingSplit(wanted, [...parts], path);
}
