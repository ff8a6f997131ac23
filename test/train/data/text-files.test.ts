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
      fc.asyncProperty(
        lines,
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.boolean(),
        async (texts, end, packed) => {
          const content = Buffer.from(texts.map((text) => `${text}${end}`).join(''));
          const read = packed ? await linesOf('a.gz', gzipSync(content)) : await linesOf('a.txt', content);
          expect(read).toEqual(texts.map((text, at) => ({ number: at + 1, text: text })));
        },
      ),
      { endOnFailure: true, numRuns: 60 },
    );
  });

  test('end as each of them does, also over the pieces in which a file is read', async () => {
    const piece = 64 * 1024;
    const long = 'x'.repeat(piece - 1);
    const read = await linesOf('pieces.txt', `${long}\r\nsecond\rthird\n\r\nlast\r`);
    expect(read.map(({ text }) => text)).toEqual([long, 'second', 'third', '', 'last']);
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

  const records = (lines: readonly (string | undefined)[], separator: ',' | '\t' = ',') => {
    async function* stream() {
      for (const [at, text] of lines.entries()) yield { number: at + 1, text };
    }
    return gather(tableRecords(stream(), separator));
  };
  const problems = (read: Awaited<ReturnType<typeof records>>) =>
    read.flatMap(({ line, problem }) => (problem === undefined ? [] : [line]));

  test('may have quotes within a field, and with commas nothing after a closing one', () => {
    expect(splitFields('a "b" c,d', ',')).toEqual(['a "b" c', 'd']);
    expect(splitFields('"a ""b"",",', ',')).toEqual(['a "b",', '']);
    expect(splitFields('"a" b,c', ',')).toBe('malformed');
    expect(splitFields('"never ends', ',')).toBe('open');
  });

  test('with tabs keep quotes that enclose no field, and end with the line', async () => {
    expect(splitFields('a\t"b\tc"\t', '\t')).toEqual(['a', 'b\tc', '']);
    const lines = ['a.jpg\t"Stop" says the sign', 'b.jpg\t"A dog', 'c.jpg\tA sea', 'd.jpg\tnear "home"'];
    expect((await records(lines, '\t')).map(({ fields }) => fields)).toEqual(
      lines.map((line) => line.split('\t')),
    );
  });

  test('with a quote that never ends cost that line alone, whatever follows', async () => {
    const rows = Array.from({ length: 149 }, (_, at) => `row,${at + 2}`);
    const read = await records(['a,"open', ...rows]);
    expect(problems(read)).toEqual([1]);
    expect(read.slice(1).map(({ line, fields }) => [line, fields])).toEqual(
      rows.map((row, at) => [at + 2, row.split(',')]),
    );
    expect(problems(await records(['a,b', '', 'a,"open', '', 'c,d']))).toEqual([3]);
  });

  test('with a quote that ends in the middle of a later line cost the first line alone', async () => {
    const read = await records(['a,"open', 'b,"A dog, brown"', 'c,"A sea\'s', '"" shore"', 'd,"x" y', 'e,f']);
    expect(problems(read)).toEqual([1, 5]);
    expect(read.map(({ fields }) => fields)).toEqual([
      undefined,
      ['b', 'A dog, brown'],
      ['c', 'A sea\'s\n" shore'],
      undefined,
      ['e', 'f'],
    ]);
  });

  test('in another encoding do not end a quote, and cost their lines alone', async () => {
    const read = await records(['a,"open', undefined, 'b,c']);
    expect(read).toEqual([
      { line: 1, problem: expect.stringContaining('a quoted field in it never ends') },
      { line: 2, problem: 'it is no UTF-8: save the file as UTF-8' },
      { line: 3, fields: ['b', 'c'] },
    ]);
  });
});
