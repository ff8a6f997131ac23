/** The words for classes: ImageNet's thousand with their kinds and descriptions, and the labels of other sets. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { EidosError } from '../../../errors.ts';
import { type Kind, kindsOfImageNet } from '../../data/kinds.ts';
import type { Concept, Description } from './captions.ts';

/** Looks up what a class is called. */
export interface ClassNames {
  /** A class of ImageNet by its WordNet id. */
  imageNet(wnid: string): Description;
  /** A label of one of the other sets, with names in both languages. */
  label(set: string, label: string): Description;
  /** Every name and description, for learning a vocabulary. */
  words(): string[];
}

interface ImageNetRow {
  index: number;
  wnid: string;
  en: string;
  wordnet: string[];
  de?: string;
}

interface DescriptionRow {
  wnid: string;
  descriptors?: string[];
  sentences?: string[];
}

interface LabelRow {
  label: string;
  en: string;
  de: string;
}

/**
 * Reads the folder of names.
 * @throws EidosError `not_found` for a class or label that the files do not name.
 */
export async function readClassNames(folder: string): Promise<ClassNames> {
  const imageNetRows = await readJsonLines<ImageNetRow>(join(folder, 'imagenet1k.jsonl'));
  const described = await readJsonLines<DescriptionRow>(join(folder, 'imagenet1k-descriptions.jsonl.gz'));
  const labels = JSON.parse(await readFile(join(folder, 'classes-en-de.json'), 'utf8')) as Record<
    string,
    LabelRow[]
  >;
  const byWnid = new Map(imageNetRows.map((row) => [row.wnid, row]));
  const descriptions = new Map(described.map((row) => [row.wnid, row]));

  return {
    imageNet(wnid) {
      const row = byWnid.get(wnid);
      if (row === undefined) throw new EidosError('not_found', `imagenet1k.jsonl has no class ${wnid}.`);
      // Latin names of species make up much of WordNet's lists, and nobody searches with them.
      const common = row.wordnet.filter((name) => !/^[A-Z][a-z]+ [a-z]+$/.test(name) || name === row.en);
      const own = concept(row.en, [row.en, ...common.slice(0, 3)], row.de === undefined ? [] : [row.de]);
      const kinds = kindsOfImageNet(row.index).map(conceptOfKind);
      const found = descriptions.get(wnid);
      return {
        kind: 'class',
        concepts: [own, ...kinds.filter(({ key }) => key !== own.key)],
        features: found?.descriptors ?? [],
        sentences: (found?.sentences ?? []).filter((sentence) => sentence.length < 110),
      };
    },
    label(set, label) {
      const row = labels[set]?.find((entry) => entry.label === label);
      if (row === undefined) {
        throw new EidosError('not_found', `classes-en-de.json has no label '${label}' in '${set}'.`);
      }
      return { kind: 'class', concepts: [concept(row.en, [row.en], [row.de])], features: [], sentences: [] };
    },
    words() {
      return [
        ...imageNetRows.flatMap(({ en, wordnet, de }) => [en, ...wordnet, ...(de === undefined ? [] : [de])]),
        ...Object.values(labels).flatMap((rows) => rows.flatMap(({ en, de }) => [en, de])),
        ...described.flatMap(({ descriptors = [], sentences = [] }) => [...descriptors, ...sentences]),
      ];
    },
  };
}

/** The rows of a file with one JSON object a line, compressed where its name ends in `.gz`. */
export async function readJsonLines<Row>(path: string): Promise<Row[]> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new EidosError('not_found', `The file ${path} cannot be read; it belongs to the training data.`, {
      cause,
    });
  });
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as Row);
}

function concept(name: string, en: readonly string[], de: readonly string[]): Concept {
  const plain = (word: string): string => word.replaceAll('_', ' ');
  return { key: plain(name).toLowerCase(), en: [...new Set(en.map(plain))], de: de.map(plain) };
}

function conceptOfKind({ en, de }: Kind): Concept {
  return concept(en[0]!, en, de);
}
