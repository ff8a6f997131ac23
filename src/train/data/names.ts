/** What classes are called, in every language; what they look like, and what they are kinds of. */
import { EidosError } from '../../errors.ts';
import type { Concept, Words } from './captions.ts';
import type { NamesConfig } from './config.ts';
import { kindsOfImageNet } from './kinds.ts';
import { hasJsonLines, textLines } from './text-lines.ts';

/** A class by name; synonyms follow the usual name. */
export interface ClassName {
  words: Words;
  /** Its place among ImageNet's thousand, where the file says so. */
  imageNetIndex?: number;
}

/** Looks and descriptions of a class. */
export interface ClassLooks {
  features: readonly string[];
  sentences: readonly string[];
}

/** More of WordNet's names are not what anybody says. */
const mostSynonyms = 4;

/** Longer sentences do not fit a short context. */
const longestSentence = 110;

type JsonRow = Readonly<Record<string, unknown>>;

/**
 * Reads names by label from `label<TAB>words` (synonyms parted by ` | `), from JSON lines, or from a JSON list or an
 * object of lists (of which `set` names one), each row with `label` or `wnid` and names by language.
 * @throws EidosError `not_found`, `invalid_option` for malformed files and unknown sets
 */
export async function readNames(
  config: NamesConfig,
  languages: readonly string[],
): Promise<Map<string, ClassName>> {
  const { file, set, language } =
    typeof config === 'string' ? { file: config, set: undefined, language: 'en' } : config;
  const names = new Map<string, ClassName>();
  if (/\.(tsv|txt)(\.gz)?$/i.test(file)) {
    for await (const { number, text } of textLines(file)) {
      if (text?.trim() === '' || text?.startsWith('#')) continue;
      const [label = '', words = ''] = text?.split('\t', 2).map((part) => part.trim()) ?? [];
      const synonyms = words.split(' | ').map((word) => word.trim());
      if (label === '' || synonyms.includes('')) {
        throw new EidosError(
          'invalid_option',
          `${file}, line ${number}: a line is a label, a tab, and the words for it, in UTF-8.`,
        );
      }
      const before = names.get(label)?.words[language] ?? [];
      names.set(label, { words: { [language]: [...new Set([...before, ...synonyms])] } });
    }
    return names;
  }
  for (const row of await jsonRows(file, set)) {
    const label = row.label ?? row.wnid;
    if (typeof label !== 'string') {
      throw new EidosError(
        'invalid_option',
        `${file}: ${JSON.stringify(row).slice(0, 80)} has no "label" or "wnid".`,
      );
    }
    const words: Record<string, string[]> = {};
    for (const code of languages) {
      const own = [row[code] ?? []].flat().filter((word) => typeof word === 'string');
      const more = code === 'en' && Array.isArray(row.wordnet) ? commonNames(row.wordnet as string[]) : [];
      const all = [...new Set([...own, ...more].map(plain))].slice(0, mostSynonyms);
      if (all.length > 0) words[code] = all;
    }
    names.set(label, { words, ...(typeof row.index === 'number' ? { imageNetIndex: row.index } : {}) });
  }
  return names;
}

/**
 * Reads looks by label from rows of `{ label | wnid, descriptors, sentences }`.
 * @throws EidosError `not_found`, `invalid_option`
 */
export async function readLooks(file: string): Promise<Map<string, ClassLooks>> {
  const looks = new Map<string, ClassLooks>();
  for (const row of await jsonRows(file, undefined)) {
    const texts = (value: unknown): string[] =>
      [value ?? []]
        .flat()
        .filter((text) => typeof text === 'string')
        .map((text) => text.trim());
    looks.set(String(row.label ?? row.wnid), {
      features: texts(row.descriptors),
      sentences: texts(row.sentences).filter((text) => text.length < longestSentence),
    });
  }
  return looks;
}

/** What a class is a kind of, the narrowest first. */
export type KindsOf = (label: string, name: ClassName | undefined) => readonly Concept[];

/**
 * Kinds by the built-in table of ImageNet's classes, or by rows of `{ en, de, …, of: [label, …] }`.
 * @throws EidosError `not_found`, `invalid_option`
 */
export async function readKinds(config: string | undefined, languages: readonly string[]): Promise<KindsOf> {
  if (config === undefined) return () => [];
  if (config === 'imagenet') {
    return (_, name) =>
      name?.imageNetIndex === undefined
        ? []
        : kindsOfImageNet(name.imageNetIndex).map(({ en, de }) => conceptOf({ en, de }));
  }
  const kinds = new Map<string, Concept[]>();
  for (const row of await jsonRows(config, undefined)) {
    const { of } = row;
    const words = Object.fromEntries(
      languages.flatMap((code) => (row[code] === undefined ? [] : [[code, [row[code]].flat() as string[]]])),
    );
    if (!Array.isArray(of) || Object.keys(words).length === 0) {
      throw new EidosError(
        'invalid_option',
        `${config}: ${JSON.stringify(row).slice(0, 80)} needs words ("en", …) and "of", a list of labels.`,
      );
    }
    const concept = conceptOf(words);
    for (const label of of as string[]) kinds.set(label, [...(kinds.get(label) ?? []), concept]);
  }
  return (label) => kinds.get(label) ?? [];
}

/** The same thing in two sources has the same key: its usual name in the first language that names it. */
export function conceptOf(words: Words): Concept {
  const named = words.en ?? Object.values(words).find((names) => names !== undefined && names.length > 0);
  return { key: named?.[0]?.toLowerCase() ?? '', words };
}

/** Latin names of species make up much of WordNet's lists, and nobody searches with them. */
function commonNames(names: readonly string[]): string[] {
  return names.filter((name) => !/^[A-Z][a-z]+ [a-z]+$/.test(name));
}

function plain(word: string): string {
  return word.replaceAll('_', ' ').trim();
}

/** Rows of JSON lines, of a JSON list, or of one list of a JSON object. */
async function jsonRows(file: string, set: string | undefined): Promise<JsonRow[]> {
  const lines: string[] = [];
  for await (const { number, text } of textLines(file)) {
    if (text === undefined) throw new EidosError('invalid_option', `${file}, line ${number} is no UTF-8.`);
    if (text.trim() !== '') lines.push(text);
  }
  const parse = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new EidosError('invalid_option', `${file} is malformed: ${(cause as Error).message}.`, { cause });
    }
  };
  if (hasJsonLines(file)) return lines.map((line) => parse(line) as JsonRow);
  const value = parse(lines.join('\n'));
  const rows = Array.isArray(value) ? value : (value as Record<string, unknown>)[set ?? ''];
  if (Array.isArray(rows)) return rows as JsonRow[];
  const sets = Object.keys(value as object).join(', ');
  throw new EidosError('invalid_option', `${file} has the sets ${sets}: name one of them as names.set.`);
}
