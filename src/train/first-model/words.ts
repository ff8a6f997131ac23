/** The sentences that the first model's vocabulary is learned from. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { fillTemplate, promptTemplates } from '../../text/templates.ts';
import { type ClassNames, readJsonLines } from './data/names.ts';

interface CaptionRow {
  split?: string;
  en: string[] | string;
  de?: string[] | string;
}

/** English and German captions (train parts), translations, names, and the templates around them. */
export async function vocabularySentences(data: string, names: ClassNames): Promise<string[]> {
  const flickr8k = await readJsonLines<CaptionRow>(join(data, 'flickr8k/index.jsonl'));
  const traffic = await readJsonLines<CaptionRow>(join(data, 'voc-traffic/index.jsonl'));
  const flickr30k = await readJsonLines<CaptionRow>(join(data, 'text/captions-en-de.jsonl.gz'));
  const pairs = gunzipSync(await readFile(join(data, 'text/translations-en-de.tsv.gz'))).toString('utf8');
  const captions = [...flickr8k, ...traffic, ...flickr30k]
    .filter(({ split }) => split === undefined || split === 'train')
    .flatMap(({ en, de }) => [en, de ?? []].flat());
  // A name counts a few times, or the captions' everyday words would leave no token to the rare ones.
  const words = names.words();
  const templates = Object.values(promptTemplates).flatMap((set) =>
    set.map((text) => fillTemplate(text, '')),
  );
  return [
    ...captions,
    ...pairs.split('\n').flatMap((line) => line.split('\t').slice(0, 2)),
    ...Array.from({ length: 3 }, () => words).flat(),
    ...Array.from({ length: 20 }, () => templates).flat(),
  ];
}
