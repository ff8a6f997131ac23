import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readTokenizerFiles, type TokenizerFiles } from '../../src/text/hugging-face.ts';
import { readOpenAiVocabulary } from '../../src/text/openai-vocabulary.ts';
import { huggingFaceRules } from '../../src/text/rules.ts';
import { sharedFixtures } from '../fixtures.ts';

interface Case {
  text: string;
  slow_with_ftfy: number[];
  slow_without_ftfy: number[];
  fast: number[];
}

interface Padded {
  texts: string[];
  input_ids: number[][];
  decoded: string[];
}

const read = (path: string): string => readFileSync(`${sharedFixtures}${path}`, 'utf8');
const file = (name: string): string => read(`tokenizer-hf/${name}`);
const configs = (): TokenizerFiles => ({
  'tokenizer_config.json': file('tokenizer_config.json'),
  'special_tokens_map.json': file('special_tokens_map.json'),
});

/** The reference here is Hugging Face's JavaScript, which makes a capital sigma at the end of a word ς; its Rust code σ. */
const finalSigma = /\p{L}Σ(?!\p{L})/u;

describe.skipIf(sharedFixtures === undefined)('CLIP in Hugging Face’s files', () => {
  const cases = sharedFixtures === undefined ? [] : (JSON.parse(file('cases.json')) as Case[]);

  test('tokenizer.json gives the ids of Hugging Face’s fast tokenizer', async () => {
    const tokenizer = await readTokenizerFiles({ 'tokenizer.json': file('tokenizer.json'), ...configs() });
    expect(cases.length).toBe(139);
    for (const { text, fast } of cases) {
      if (finalSigma.test(text)) continue;
      const ids = tokenizer.encode(text);
      expect([tokenizer.startToken, ...ids, tokenizer.endToken], JSON.stringify(text)).toEqual(fast);
    }
    expect(tokenizer.vocabularySize).toBe(2014);
    expect(tokenizer.contextLength).toBe(77);
    expect(tokenizer.padToken).toBe(2013);
  });

  test('vocab.json with merges.txt gives the same, as Hugging Face’s tools convert them first', async () => {
    const files = { 'vocab.json': file('vocab.json'), 'merges.txt': file('merges.txt') };
    for (const tokenizer of [
      await readTokenizerFiles({ ...files, ...configs() }),
      await readTokenizerFiles(files),
    ]) {
      for (const { text, fast } of cases) {
        if (finalSigma.test(text)) continue;
        const ids = tokenizer.encode(text);
        expect([tokenizer.startToken, ...ids, tokenizer.endToken], JSON.stringify(text)).toEqual(fast);
      }
      expect(tokenizer.padToken).toBe(2013);
    }
    // The slow tokenizer, with which this is not to be confused, differs in as many.
    expect(cases.filter((one) => `${one.fast}` !== `${one.slow_with_ftfy}`).length).toBe(38);
    expect(cases.filter((one) => `${one.fast}` !== `${one.slow_without_ftfy}`).length).toBe(30);
  });

  test('rows are cut and padded alike, and decode to the same texts', async () => {
    const padded = JSON.parse(file('padded.json')) as Padded;
    const tokenizer = await readTokenizerFiles(
      { 'tokenizer.json': file('tokenizer.json'), ...configs() },
      { contextLength: 16 },
    );
    const rows = tokenizer.tokenize(padded.texts);
    expect(rows.shape).toEqual([padded.texts.length, 16]);
    expect(Array.from(rows.data, Number)).toEqual(padded.input_ids.flat());
    expect(padded.input_ids.map((ids) => tokenizer.decode(ids))).toEqual(padded.decoded);
  });

  test('the whole vocabulary by Hugging Face’s rules', () => {
    const text = gunzipSync(readFileSync(`${sharedFixtures}tokenizer/bpe_simple_vocab_16e6.txt.gz`)).toString(
      'utf8',
    );
    const tokenizer = readOpenAiVocabulary(text, { rules: huggingFaceRules });
    const all = JSON.parse(read('tokenizer-ftfy/cases.json')) as { text: string; hf_fast: number[] }[];
    expect(all.length).toBe(295);
    for (const { text, hf_fast } of all) {
      if (finalSigma.test(text)) continue;
      expect([49406, ...tokenizer.encode(text), 49407], JSON.stringify(text)).toEqual(hf_fast);
    }
  });

  test('another pad token, a context of its own, and a size that is not the model’s', async () => {
    const files = { 'tokenizer.json': file('tokenizer.json') };
    const tokenizer = await readTokenizerFiles(files, {
      padToken: 0,
      contextLength: 5,
      vocabularySize: 2014,
    });
    expect(Array.from(tokenizer.tokenize(['x']).data, Number)).toEqual([2012, 343, 2013, 0, 0]);
    const zero = {
      ...files,
      'tokenizer_config.json': '{"pad_token": "!", "model_max_length": 8}',
    };
    const padded = await readTokenizerFiles(zero);
    expect(padded.padToken).toBe(0);
    expect(padded.contextLength).toBe(8);
    await expect(readTokenizerFiles(files, { vocabularySize: 49408 })).rejects.toMatchObject({
      code: 'config_mismatch',
      message: expect.stringMatching(/2014.*49408/),
    });
    await expect(readTokenizerFiles(files, { vocabularySize: 2013 })).rejects.toThrow(/2014.*2013/);
    await expect(readTokenizerFiles(files, { padToken: 2014 })).rejects.toMatchObject({
      code: 'invalid_option',
    });
    // Embedding tables with a few rows more than tokens are usual.
    await readTokenizerFiles(files, { vocabularySize: 2048 });
  });
});
