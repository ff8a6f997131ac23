/** The tokenizers of CLIP's relatives, from each form in which their vocabularies are published: every id of the original. */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import { sharedFixtures } from '../fixtures.ts';

interface Cases {
  call: { max_length: number };
  pad_id: number;
  padding_side: 'left' | 'right';
  cases: { text: string; ids: number[]; plain: number[]; decoded: string }[];
}

const root = `${sharedFixtures}tokenizers/`;
const work = mkdtempSync(join(tmpdir(), 'eidos-tokenizers-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** The forms of a vocabulary; each is read as if the others were not there. */
const forms: readonly (readonly string[])[] = [
  ['tokenizer.json'],
  ['tokenizer_old_form.json'],
  ['vocab.json', 'merges.txt'],
  ['vocab.txt'],
  ['spiece.model'],
  ['sentencepiece.bpe.model'],
  ['tokenizer.model'],
];
const beside = ['tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json'];

const rows =
  sharedFixtures === undefined
    ? []
    : readdirSync(root, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .flatMap(({ name }) => {
          const there = readdirSync(root + name);
          return forms
            .filter((form) => form.every((file) => there.includes(file)))
            .map((form) => [name, form] as const);
        });

describe.skipIf(sharedFixtures === undefined)('tokenizers of published families', () => {
  test.each(rows)('%s from %s', async (family, form) => {
    const folder = mkdtempSync(join(work, `${family}-`));
    for (const file of [...form, ...beside]) {
      if (!readdirSync(root + family).includes(file)) continue;
      copyFileSync(join(root, family, file), join(folder, file.replace('_old_form', '')));
    }
    const {
      call,
      cases,
      pad_id: pad,
      padding_side: side,
    } = JSON.parse(readFileSync(join(root, family, 'cases.json'), 'utf8')) as Cases;
    const tokenizer = await loadTokenizer(folder, { contextLength: call.max_length });
    for (const { text, ids, plain, decoded } of cases) {
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(plain);
      const padding = Array<number>(call.max_length - ids.length).fill(pad);
      const row = side === 'left' ? [...padding, ...ids] : [...ids, ...padding];
      expect(Array.from(tokenizer.tokenize([text]).data, Number), JSON.stringify(text)).toEqual(row);
      // Ours ends at the first end token, wherever that came from; bytes of half a character are no text.
      if (/[<\uFEFF]|\[sep\]/i.test(text) || family.startsWith('gemma') || family === 'siglip2') continue;
      expect(tokenizer.decode(ids), JSON.stringify(text)).toBe(decoded);
    }
  });
});
