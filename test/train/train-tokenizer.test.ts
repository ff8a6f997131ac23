import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import { trainBytePairVocabulary } from '../../src/text/train-vocabulary.ts';
import { trainTokenizer } from '../../src/train/index.ts';
import { sampleSentences } from '../text/sample-sentences.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

async function* inTurn(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

describe('a tokenizer of a corpus', () => {
  const lines = sampleSentences(400);
  const sizes = { size: 680, contextLength: 16 };

  test('is the same from lines at once and one after the other, in any order', async () => {
    const { files } = trainBytePairVocabulary(lines, sizes);
    expect((await trainTokenizer(lines, sizes)).files).toEqual(files);
    expect((await trainTokenizer(inTurn([...lines].reverse()), sizes)).files).toEqual(files);
  });

  test('has 8,192 tokens and 32 a row where nothing is said, or what the corpus gives', async () => {
    const { tokenizer, vocabularySize } = await trainTokenizer(lines);
    expect(tokenizer.contextLength).toBe(32);
    expect(vocabularySize).toBeGreaterThan(680);
    expect(vocabularySize).toBeLessThan(8192);
  });

  test('refuses a string in place of lines, and wrong sizes before it reads a line', async () => {
    let read = 0;
    const counted = (function* () {
      for (const line of lines) {
        read++;
        yield line;
      }
    })();
    await expect(trainTokenizer(counted, { size: 100 })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('size is 100'),
    });
    await expect(trainTokenizer(counted, { contextLength: 2 })).rejects.toThrow('contextLength is 2');
    expect(read).toBe(0);
    await expect(trainTokenizer('a dog\na cat')).rejects.toMatchObject({ code: 'invalid_option' });
  });
});

const example = (await readFile(join(root, 'docs/training.md'), 'utf8')).match(
  /^```js\n([^`]*trainTokenizer[\s\S]*?)^```$/m,
)?.[1];

test.skipIf(!existsSync(join(root, 'dist/train/index.js')))(
  'the example of the documentation writes a folder that eidos and Hugging Face’s library read alike',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'eidos-tokenizer-'));
    try {
      await mkdir(join(folder, 'node_modules'));
      await symlink(root, join(folder, 'node_modules/eidos'), 'junction');
      await writeFile(join(folder, 'corpus.txt'), sampleSentences(400).join('\n'));
      await writeFile(join(folder, 'example.mjs'), example!);
      const { status, stdout, stderr } = spawnSync(process.execPath, ['example.mjs'], {
        cwd: folder,
        encoding: 'utf8',
      });
      expect([status, stderr]).toEqual([0, '']);
      const tokenizer = await loadTokenizer(join(folder, 'my-tokenizer'));
      expect(Number(stdout)).toBe(tokenizer.vocabularySize);
      const json = async (name: string) =>
        JSON.parse(await readFile(join(folder, 'my-tokenizer', name), 'utf8'));
      const library = new LibraryTokenizer(await json('tokenizer.json'), await json('tokenizer_config.json'));
      for (const sentence of [...sampleSentences(100, 7), 'Köln, 日本 & ẞ']) {
        const { startToken, endToken } = tokenizer;
        expect([startToken, ...tokenizer.encode(sentence), endToken]).toEqual(library.encode(sentence).ids);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
