import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitFields, tableRecords } from '../../../src/train/data/separated-values.ts';
import { type TextLine, textLines } from '../../../src/train/data/text-lines.ts';
import { temporaryFolder } from './tiny-data.ts';

const folder = temporaryFolder();

async function gather<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

async function linesOf(name: string, bytes: Uint8Array | string): Promise<TextLine[]> {
  const path = join(folder.path, name);
  await writeFile(path, bytes);
  return await gather(textLines(path));
}

describe('lines', () => {
  test('are what stands between line ends, whatever the file is packed in', async () => {
    const lines = fc.array(
      fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n\uFEFF\uFFFD]/g, '')),
    );
    await fc.assert(
      fc.asyncProperty(lines, fc.constantFrom('\n', '\r\n'), fc.boolean(), async (texts, end, packed) => {
        const content = Buffer.from(texts.map((text) => `${text}${end}`).join(''));
        const read = packed ? await linesOf('a.gz', gzipSync(content)) : await linesOf('a.txt', content);
        expect(read).toEqual(texts.map((text, at) => ({ number: at + 1, text: text })));
      }),
      { endOnFailure: true, numRuns: 60 },
    );
  });

  test('in another encoding are told apart, the others are read', async () => {
    const bytes = Buffer.concat([
      Buffer.from('\uFEFFgut\n'),
      Buffer.from('schöner Käse\n', 'latin1'),
      Buffer.from('spoilt before: \uFFFD\n'),
      Buffer.from('last'),
    ]);
    expect(await linesOf('mixed.txt', bytes)).toEqual([
      { number: 1, text: 'gut' },
      { number: 2, text: undefined },
      { number: 3, text: undefined },
      { number: 4, text: 'last' },
    ]);
  });

  test('of UTF-16, of a broken archive and of no file are errors that name it', async () => {
    await expect(linesOf('wide.txt', Buffer.from('\uFEFFabc', 'utf16le'))).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('wide.txt is UTF-16'),
    });
    await expect(linesOf('broken.gz', 'no gzip')).rejects.toMatchObject({ code: 'not_found' });
    await expect(gather(textLines(join(folder.path, 'missing')))).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('missing'),
    });
  });
});

describe('separated values', () => {
  const quote = (field: string): string =>
    /[",\n]|^$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;

  test('are read back as they were written', async () => {
    const field = fc.string().map((text) => text.replaceAll('\r', ''));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(field, { minLength: 2, maxLength: 4 })), async (rows) => {
        const text = rows.map((row) => row.map(quote).join(',')).join('\n');
        const lines = text.split('\n').map((line, at) => ({ number: at + 1, text: line }));
        async function* stream() {
          yield* lines;
        }
        const read = await gather(tableRecords(stream(), ','));
        expect(read.map(({ fields }) => fields)).toEqual(rows);
      }),
      { endOnFailure: true },
    );
  });

  test('may have quotes within a field, and text after one', () => {
    expect(splitFields('a "b" c,d', ',')).toEqual(['a "b" c', 'd']);
    expect(splitFields('"a" b,c', ',')).toEqual(['a b', 'c']);
    expect(splitFields('a\t"b\tc"\t', '\t')).toEqual(['a', 'b\tc', '']);
    expect(splitFields('"never ends', ',')).toBeUndefined();
  });

  test('with a quote that never ends cost that record alone where lines follow', async () => {
    async function* stream() {
      yield { number: 1, text: '"open' };
      for (let number = 2; number <= 150; number++) yield { number, text: `row,${number}` };
    }
    const read = await gather(tableRecords(stream(), ','));
    expect(read[0]).toEqual({ line: 1, fields: undefined });
    expect(read.at(-1)).toEqual({ line: 150, fields: ['row', '150'] });
  });
});
