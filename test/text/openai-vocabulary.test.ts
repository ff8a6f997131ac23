import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readMergeLines, readOpenAiVocabulary } from '../../src/text/openai-vocabulary.ts';
import { sharedFixtures } from '../fixtures.ts';

interface Case {
  text: string;
  ids: number[];
  decoded: string;
}

interface FtfyCase {
  text: string;
  ids: number[];
  ids_without_ftfy: number[];
  changed_by_ftfy: boolean;
  ftfy_changes_ids: boolean;
}

interface Truncation {
  context_length: number;
  rows: { text: string; length: number; tokens_77: number[]; tokens_16: number[] }[];
}

const read = (path: string): Buffer => readFileSync(`${sharedFixtures}${path}`);
const json = <T>(path: string): T => JSON.parse(read(path).toString('utf8')) as T;
const vocabulary = (): string => gunzipSync(read('tokenizer/bpe_simple_vocab_16e6.txt.gz')).toString('utf8');

describe.skipIf(sharedFixtures === undefined)('CLIP’s published vocabulary by OpenAI’s rules', () => {
  const text = sharedFixtures === undefined ? '' : vocabulary();
  const tokenizer = sharedFixtures === undefined ? undefined! : readOpenAiVocabulary(text);

  test('has the tokens that the models use', () => {
    expect(tokenizer.vocabularySize).toBe(49408);
    expect(tokenizer.startToken).toBe(49406);
    expect(tokenizer.endToken).toBe(49407);
    expect(tokenizer.padToken).toBe(0);
    expect(tokenizer.contextLength).toBe(77);
  });

  test('gives the ids and texts of the original tokenizer', () => {
    const cases = json<Case[]>('tokenizer/cases.json');
    expect(cases.length).toBe(215);
    for (const { text, ids, decoded } of cases) {
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids);
      // The original leaves the space of the last word standing.
      expect(tokenizer.decode(ids, { skipSpecial: false }), JSON.stringify(text)).toBe(
        decoded.replace(/ $/, ''),
      );
    }
  });

  test('gives the ids of the original without ftfy, which changes the ids of 54 of 295 cases', () => {
    const cases = json<FtfyCase[]>('tokenizer-ftfy/cases.json');
    for (const { text, ids_without_ftfy } of cases) {
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids_without_ftfy);
    }
    expect(cases.length).toBe(295);
    expect(cases.filter((one) => one.changed_by_ftfy).length).toBe(67);
    const different = cases.filter((one) => `${tokenizer.encode(one.text)}` !== `${one.ids}`);
    expect(different.length).toBe(54);
    expect(different.every((one) => one.ftfy_changes_ids)).toBe(true);
  });

  test('cuts long texts like the original', () => {
    const { rows } = json<Truncation>('tokenizer-ftfy/truncation.json');
    const short = readOpenAiVocabulary(text, { contextLength: 16 });
    const warnings: string[] = [];
    const options = { onWarning: (message: string) => void warnings.push(message) };
    const texts = rows.map((row) => row.text);
    const long = tokenizer.tokenize(texts, options);
    expect(long.shape).toEqual([rows.length, 77]);
    expect(Array.from(long.data, Number)).toEqual(rows.flatMap((row) => row.tokens_77));
    expect(Array.from(short.tokenize(texts, options).data, Number)).toEqual(
      rows.flatMap((row) => row.tokens_16),
    );
    expect(warnings.length).toBe(2);
    for (const row of rows) expect(tokenizer.encode(row.text).length + 2).toBe(row.length);
  });

  test('starts in well under 100 ms', () => {
    const times = Array.from({ length: 3 }, () => {
      const start = process.cpuUsage();
      readOpenAiVocabulary(vocabulary());
      const { user, system } = process.cpuUsage(start);
      return (user + system) / 1000;
    });
    // Of the processor, as the clock also counts what others do. A slower one has room: here it is a tenth of this.
    expect(Math.min(...times)).toBeLessThan(400);
  });

  test('refuses a file that is cut off', () => {
    expect(() => readOpenAiVocabulary(text.slice(0, 200_000))).toThrow(/merges.*cut off/);
  });
});

test('a line of merges that is no pair is named', () => {
  expect(readMergeLines('#version: 0.2\na b\r\nc d\n\n', 'merges.txt')).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ]);
  for (const line of ['ab', 'a b c', ' a', 'a ']) {
    expect(() => readMergeLines(`#version: 0.2\n${line}\n`, 'merges.txt')).toThrow(/merges\.txt, line 2/);
  }
});
