import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readWordList } from '../../src/cli/word-lists.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-words-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function wordsOf(content: string | Uint8Array): Promise<string[]> {
  const file = join(folder, 'words.txt');
  await writeFile(file, content);
  return readWordList('--labels-file', file);
}

test('lines are words, without blank ones, a byte order mark and the ends of Windows', async () => {
  expect(await wordsOf('\uFEFFein Apfel\r\n\r\n  Öl \n\t\nthe sea, at night')).toEqual([
    'ein Apfel',
    'Öl',
    'the sea, at night',
  ]);
  expect(await wordsOf('dogs\ra drum\r\na sunset\nlast\r')).toEqual(['dogs', 'a drum', 'a sunset', 'last']);
  expect(await wordsOf('')).toEqual([]);
});

test.each([
  ['a picture', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0x0a, 0x41])],
  ['Latin-1', Buffer.from('Öl\n', 'latin1')],
  ['UTF-16 with a mark', Buffer.from('\uFEFFcat\n', 'utf16le')],
  ['UTF-16 without one', Buffer.from('cat\n', 'utf16le')],
])('%s is refused by name', async (_, content) => {
  await expect(wordsOf(content)).rejects.toMatchObject({
    code: 'invalid_option',
    message: expect.stringMatching(/^--labels-file .*words\.txt is no text in UTF-8/),
  });
});

test('a folder and a file that is missing are told apart', async () => {
  await expect(readWordList('--vocabulary', folder)).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('it is a folder'),
  });
  await expect(readWordList('--vocabulary', join(folder, 'none.txt'))).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('there is no such file'),
  });
});
