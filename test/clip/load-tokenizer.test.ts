/** The tokenizer alone, as users of the library get it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'eidos-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the bundled model’s, with rows as long as its context', async () => {
  const tokenizer = await loadTokenizer();
  const rows = tokenizer.tokenize(['a dog', 'a cat on a mat']);
  expect(rows.shape).toEqual([2, tokenizer.contextLength]);
  expect(tokenizer.encode('a dog').length).toBeGreaterThan(1);
  expect(tokenizer.decode(tokenizer.encode('a dog')).trim()).toBe('a dog');
});

test('a folder that holds a vocabulary and no weights', async () => {
  const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'dog', '##s', '.'];
  writeFileSync(join(folder, 'vocab.txt'), `${words.join('\n')}\n`);
  const tokenizer = await loadTokenizer(folder, { contextLength: 8 });
  expect(tokenizer.encode('A DOGS.')).toEqual([5, 6, 7, 8]);
  expect(Array.from(tokenizer.tokenize(['a dog']).data, Number)).toEqual([2, 5, 6, 3, 3, 3, 3, 3]);
  expect((await loadTokenizer(folder)).contextLength).toBe(77);
});

test('what is no source and what is no option are refused by name', async () => {
  await expect(loadTokenizer(3 as unknown as string)).rejects.toThrow(/loadTokenizer takes a folder/);
  await expect(loadTokenizer(folder, { length: 3 } as object)).rejects.toThrow(/"length"/);
  await expect(loadTokenizer(join(folder, 'none'))).rejects.toMatchObject({ code: 'not_found' });
});
