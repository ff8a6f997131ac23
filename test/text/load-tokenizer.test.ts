import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import { trainBytePairVocabulary } from '../../src/text/train-vocabulary.ts';
import { sharedFixtures } from '../fixtures.ts';
import { sampleSentences } from './sample-sentences.ts';

const { files, tokenizer: trained } = trainBytePairVocabulary(sampleSentences(200), {
  size: 600,
  contextLength: 20,
});

describe('finding the tokenizer of a model', () => {
  let root: string;
  const folder = (name: string, contents: Record<string, string | Buffer> = {}): string => {
    const path = join(root, name);
    mkdirSync(path, { recursive: true });
    for (const [file, content] of Object.entries(contents)) writeFileSync(join(path, file), content);
    return path;
  };
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'eidos-tokenizer-'));
  });
  afterAll(() => rmSync(root, { recursive: true }));

  const ids = trained.encode('Zwei Männer beside the café');

  test('in the folder, beside the weights, in a subfolder, by any of its files', async () => {
    const whole = folder('whole', { ...files, 'model.safetensors': '' });
    const pair = folder('pair', { 'vocab.json': files['vocab.json'], 'merges.txt': files['merges.txt'] });
    const sub = folder('sub');
    folder('sub/tokenizer', files);
    for (const source of [
      whole,
      join(whole, 'model.safetensors'),
      join(whole, 'tokenizer.json'),
      pair,
      join(pair, 'merges.txt'),
      join(pair, 'missing.bin'),
      sub,
      [folder('empty'), whole],
    ]) {
      const tokenizer = await loadTokenizer(source);
      expect(tokenizer.encode('Zwei Männer beside the café')).toEqual(ids);
    }
    expect((await loadTokenizer(whole)).contextLength).toBe(20);
    expect((await loadTokenizer(whole, { contextLength: 9 })).contextLength).toBe(9);
    expect((await loadTokenizer(whole, { padToken: 0 })).padToken).toBe(0);
  });

  test('else in further folders, else by the caller’s function, which is asked only then', async () => {
    const none = folder('none', { 'ViT-B-32.pt': '' });
    const cache = folder('cache', files);
    const found = await loadTokenizer(join(none, 'ViT-B-32.pt'), {
      search: [folder('other'), cache],
      fetchVocabulary: () => Promise.reject(new Error('must not be called')),
    });
    expect(found.encode('Zwei Männer beside the café')).toEqual(ids);
    let calls = 0;
    const fetchVocabulary = (): Promise<string> => {
      calls++;
      return Promise.resolve(cache);
    };
    await loadTokenizer(none, { fetchVocabulary });
    expect(calls).toBe(1);
    await expect(
      loadTokenizer(none, { fetchVocabulary: () => Promise.reject(new Error('no network')) }),
    ).rejects.toThrow('no network');
  });

  test('when there is none, the message says where it looked and what to do', async () => {
    const none = folder('nothing');
    const other = folder('nothing-either');
    await expect(loadTokenizer(none, { search: [other] })).rejects.toMatchObject({
      code: 'invalid_tokenizer',
      message: expect.stringMatching(
        /nothing, .*nothing-either.*tokenizer\.json.*vocab\.json with merges\.txt.*bpe_simple_vocab_16e6\.txt\.gz.*Put the vocabulary/,
      ),
    });
    await expect(loadTokenizer([])).rejects.toThrow(/no folder was given/);
    await expect(loadTokenizer(folder('piece', { 'spiece.model': '' }))).rejects.toThrow(
      /spiece\.model: it is no model of SentencePiece/,
    );
  });

  test('what is malformed is named with its folder', async () => {
    await expect(loadTokenizer(folder('broken', { 'tokenizer.json': '{' }))).rejects.toMatchObject({
      code: 'invalid_tokenizer',
      message: expect.stringMatching(/broken: tokenizer\.json: not JSON/),
    });
    await expect(loadTokenizer(folder('small', files), { vocabularySize: 49408 })).rejects.toMatchObject({
      code: 'config_mismatch',
      message: expect.stringMatching(/small: tokenizer\.json has 600.*49408/),
    });
    const name = 'bpe_simple_vocab_16e6.txt.gz';
    await expect(loadTokenizer(folder('no-gzip', { [name]: 'no gzip' }))).rejects.toThrow(
      /cannot be unpacked/,
    );
    // A few kilobytes that unpack to a hundred megabytes.
    const bomb = gzipSync(Buffer.alloc(100_000_000, 'a'));
    await expect(loadTokenizer(folder('bomb', { [name]: bomb }))).rejects.toThrow(/cannot be unpacked/);
    await expect(loadTokenizer(folder('cut', { [name]: gzipSync('a b\n') }))).rejects.toThrow(/has 1 merges/);
  });

  test.skipIf(sharedFixtures === undefined)('OpenAI’s list of merges, by OpenAI’s rules', async () => {
    const name = 'bpe_simple_vocab_16e6.txt.gz';
    const path = folder('openai');
    copyFileSync(`${sharedFixtures}tokenizer/${name}`, join(path, name));
    for (const source of [path, join(path, name)]) {
      const tokenizer = await loadTokenizer(source, { contextLength: 8, vocabularySize: 49408 });
      expect(Array.from(tokenizer.tokenize(['a photo of a cat &amp;']).data, Number)).toEqual([
        49406, 320, 1125, 539, 320, 2368, 261, 49407,
      ]);
    }
    await expect(loadTokenizer(path, { vocabularySize: 2014 })).rejects.toMatchObject({
      code: 'config_mismatch',
    });
  });
});
