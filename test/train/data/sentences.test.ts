/** Sentences without pictures: what is read of files, which vectors belong to them, and what batches are made of them. */
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { halfFloatOf, halfFloatValues } from '../../../src/graph/half-floats.ts';
import { dataSchema } from '../../../src/train/data/config.ts';
import { openSentences, type SentenceSource } from '../../../src/train/data/sentences/open-sentences.ts';
import { openTextBatches } from '../../../src/train/data/sentences/text-batches.ts';
import { textsIn } from '../../../src/train/data/sentences/text-list.ts';
import { createVectorReader } from '../../../src/train/data/sentences/vectors.ts';
import { jsonLines, temporaryFolder, tokenizer } from './tiny-data.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder.path, name);

/** Writes files and opens them as the data of a configuration; paths begin at the folder. */
async function open(
  files: Record<string, string | Uint8Array>,
  sentences: object[],
  { vectors = false, ...more }: { vectors?: boolean; textTeacher?: object; cache?: string } = {},
): Promise<SentenceSource[]> {
  for (const [name, content] of Object.entries(files)) await writeFile(at(name), content);
  const config = dataSchema.parse({ sentences, ...more });
  return openSentences(
    {
      ...config,
      sentences: config.sentences.map((one) => ({
        ...one,
        path: at(one.path),
        ...(typeof one.vectors === 'string' ? { vectors: at(one.vectors) } : {}),
      })),
    },
    { vectors },
  );
}

const halves = (numbers: readonly number[]): Uint8Array =>
  new Uint8Array(Uint16Array.from(numbers, halfFloatOf).buffer);

/** A file of NumPy's, as numpy.save writes it. */
function numpy(type: string, shape: string, data: Uint8Array, order = 'False'): Uint8Array {
  const header = `{'descr': '${type}', 'fortran_order': ${order}, 'shape': ${shape}, }`;
  const length = Math.ceil((header.length + 11) / 64) * 64 - 10;
  const start = Buffer.from(`\x93NUMPY\x01\x00${' '.repeat(2)}${header.padEnd(length - 1)}\n`, 'latin1');
  start.writeUInt16LE(length, 8);
  return Buffer.concat([start, data]);
}

const refused = (code: string, ...parts: string[]) => ({
  code,
  message: expect.stringMatching(
    new RegExp(parts.map((part) => part.replace(/[.*()[\]]/g, '\\$&')).join('[^]*')),
  ),
});

describe('sentences of a file', () => {
  const spoken = ({ texts, languages, language, line, row }: SentenceSource) =>
    [...textsIn(texts)].map((text, i) => `${line[i]}/${row[i]} ${languages[language[i]!]} ${text}`);

  test('are lines of text; empty ones and those that are no UTF-8 have a row of vectors all the same', async () => {
    const text = Buffer.concat([
      Buffer.from('\ufeffa dog \n\nzwei Hunde\r\n'),
      Buffer.from([0x61, 0xff, 10]),
      Buffer.from('a ø cat'),
    ]);
    const [plain, packed] = await open({ 'a.txt': text, 'b.txt.gz': gzipSync(text) }, [
      { path: 'a.txt' },
      { path: 'b.txt.gz', languages: ['de'], weight: 3 },
    ]);
    expect(spoken(plain!)).toEqual(['0/0 en a dog', '2/2 en zwei Hunde', '4/4 en a ø cat']);
    expect(plain).toMatchObject({ name: 'a', rows: 5, weight: 1 });
    expect(plain!.broken).toEqual([
      { name: `${at('a.txt')}, line 4`, reason: expect.stringContaining('UTF-8') },
    ]);
    expect(spoken(packed!)[1]).toBe('2/2 de zwei Hunde');
    expect(packed).toMatchObject({ name: 'b', weight: 3 });
  });

  test('are the columns of a table', async () => {
    const table = 'a dog\tein Hund\n\t"eine\tKatze"\nonly one\n\na "cat"\teine Katze\n';
    const [one] = await open({ 'a.tsv': table }, [{ path: 'a.tsv', languages: ['en', 'de'] }]);
    expect(spoken(one!)).toEqual([
      '0/0 en a dog',
      '0/1 de ein Hund',
      '1/3 de eine\tKatze',
      '4/8 en a "cat"',
      '4/9 de eine Katze',
    ]);
    expect(one!.rows).toBe(10);
    expect(one!.broken).toEqual([
      { name: `${at('a.tsv')}, line 3`, reason: expect.stringContaining('1 columns') },
    ]);
  });

  test('are fields of JSON lines in the languages that are named, and of the part for training', async () => {
    const lines = jsonLines([
      { de: ['ein Hund', '', 'Hunde'], en: 'a dog', fr: 'un chien', split: 'train' },
      { en: 'a test', split: 'test' },
      { en: ['a cat', 'cats', 7], split: 'train' },
    ]);
    const files = { 'a.jsonl': lines, 'b.jsonl': '"plain"\n\n{"en": "of no part"}\n' };
    const [parted, plain] = await open(files, [
      { path: 'a.jsonl', languages: ['en', 'de'] },
      { path: 'b.jsonl' },
    ]);
    expect(spoken(parted!)).toEqual([
      '0/0 en a dog',
      '0/1 de ein Hund',
      '0/3 de Hunde',
      '2/5 en a cat',
      '2/6 en cats',
    ]);
    expect(parted!.rows).toBe(7);
    expect(spoken(plain!)).toEqual(['0/0 en plain', '2/1 en of no part']);
    const [test] = await open(files, [{ path: 'a.jsonl', split: 'test' }]);
    expect(spoken(test!)).toEqual(['1/1 en a test']);
  });

  test('of other kinds, or of another number of languages, are refused', async () => {
    const files = { 'a.csv': 'a', 'a.txt': 'a\n', 'a.tsv': 'a\tb\tc\n', 'blank.txt': '\n \n' };
    const cases: [Record<string, string>, object, ReturnType<typeof refused>][] = [
      [files, { path: 'no.txt' }, refused('not_found', 'no.txt')],
      [files, { path: 'a.csv' }, refused('invalid_option', 'a.csv', '.tsv')],
      [
        files,
        { path: 'a.txt', languages: ['en', 'de'] },
        refused('invalid_option', 'a line of it is one sentence'),
      ],
      [files, { path: 'a.tsv' }, refused('invalid_option', 'line 1', '3 columns', '"languages"')],
      [
        files,
        { path: 'a.tsv', languages: ['en', 'de', 'fr'], split: 'train' },
        refused('invalid_option', 'no parts'),
      ],
      [files, { path: 'blank.txt' }, refused('invalid_option', 'no sentence in en')],
      [{ 'a.jsonl': '{"de": 1}\n' }, { path: 'a.jsonl' }, refused('invalid_option', 'no sentence')],
      [{ 'a.jsonl': '{"en": "a"}\n{' }, { path: 'a.jsonl' }, refused('invalid_option', 'line 2 is no JSON')],
      [{ 'a.jsonl': '["a"]\n' }, { path: 'a.jsonl' }, refused('invalid_option', 'line 1', 'an object')],
      [
        { 'a.jsonl': '{"en": "a", "split": "test"}' },
        { path: 'a.jsonl' },
        refused('not_found', 'none is for training'),
      ],
    ];
    for (const [written, source, error] of cases) {
      await expect(open(written, [source]), JSON.stringify(source)).rejects.toMatchObject(error);
    }
    expect(dataSchema.safeParse({ sentences: [{ path: 'a', languages: ['en', 'en'] }] }).success).toBe(false);
  });
});

describe('vectors of a file', () => {
  const text = { 'v.txt': 'one\n\nthree\n' };
  const rows = [3, 4, Number.EPSILON, 0, 0, -2];
  const read = ({ vectors }: SentenceSource): number[][] => {
    const reader = createVectorReader(vectors!.file);
    const target = new Float32Array(2 * vectors!.rows.length);
    for (const [i, row] of vectors!.rows.entries()) reader.write(row, target, i);
    reader.close();
    return [...vectors!.rows.keys()].map((i) => [...target.subarray(2 * i, 2 * i + 2)]);
  };

  test('are halves without a header, or NumPy’s, made as long as one', async () => {
    const singles = new Uint8Array(Float32Array.from(rows).buffer);
    const files = {
      ...text,
      'v.f16': halves(rows),
      'half.npy': numpy('<f2', '(3, 2)', halves(rows)),
      'single.npy': numpy('<f4', '(3, 2)', singles),
    };
    for (const vectors of ['v.f16', 'half.npy', 'single.npy']) {
      const textTeacher = vectors.endsWith('.npy') ? {} : { width: 2 };
      const [source] = await open(files, [{ path: 'v.txt', vectors }], { vectors: true, textTeacher });
      expect(source!.vectors!.file, vectors).toMatchObject({ width: 2, rows: 3 });
      const [first, second] = read(source!);
      expect(first).toEqual([expect.closeTo(0.6, 6), expect.closeTo(0.8, 6)]);
      expect(second).toEqual([0, -1]);
    }
    const [unasked] = await open(files, [{ path: 'v.txt', vectors: 'v.f16' }], { textTeacher: { width: 2 } });
    expect(unasked!.vectors).toBeUndefined();
    const [silent] = await open(files, [{ path: 'v.txt', vectors: false }], { vectors: true });
    expect(silent!.vectors).toBeUndefined();
  });

  test('of another size, another kind, or with what is no number, are refused', async () => {
    const nothing = halves([1, 2, 3, Number.NaN, 5, 6]);
    const endless = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, Number.POSITIVE_INFINITY).buffer);
    const cases: [string, Uint8Array | undefined, object, ReturnType<typeof refused>][] = [
      ['no.f16', undefined, { width: 2 }, refused('not_found', 'no.f16')],
      ['a.f16', halves(rows), {}, refused('invalid_option', 'a.f16', 'data.textTeacher.width')],
      [
        'a.f16',
        halves(rows.slice(1)),
        { width: 2 },
        refused('config_mismatch', '10 bytes', '3 rows of 2', 'have 12'),
      ],
      ['a.f16', nothing, { width: 2 }, refused('invalid_option', 'row 1, counted from 0', 'NaN')],
      ['a.npy', numpy('<f4', '(3, 2)', endless), {}, refused('invalid_option', 'row 2')],
      [
        'a.npy',
        numpy('<f2', '(3, 2)', halves(rows)),
        { width: 3 },
        refused('config_mismatch', '2 numbers a row', 'width is 3'),
      ],
      [
        'a.npy',
        numpy('<f2', '(2, 3)', halves(rows)),
        {},
        refused('config_mismatch', '2 rows', 'sentences are 3'),
      ],
      ['a.npy', numpy('<f2', '(3, 2)', halves([1])), {}, refused('invalid_option', 'its shape (3, 2)')],
      ['a.npy', numpy('<f8', '(3, 2)', halves(rows)), {}, refused('invalid_option', 'type <f8')],
      ['a.npy', numpy('<f2', '(3, 2)', halves(rows), 'True'), {}, refused('invalid_option', 'Fortran')],
      ['a.npy', numpy('<f2', '(6,)', halves(rows)), {}, refused('invalid_option', 'two dimensions')],
      ['a.npy', halves(rows), {}, refused('invalid_option', 'no .npy file')],
    ];
    for (const [vectors, content, textTeacher, error] of cases) {
      const files = content === undefined ? text : { ...text, [vectors]: content };
      const opening = open(files, [{ path: 'v.txt', vectors }], { vectors: true, textTeacher });
      await expect(opening, JSON.stringify(error)).rejects.toMatchObject(error);
    }
    const files = {
      ...text,
      'a.npy': numpy('<f2', '(3, 2)', halves(rows)),
      'b.npy': numpy('<f2', '(3, 1)', halves([1, 2, 3])),
    };
    const sources = [
      { path: 'v.txt', vectors: 'a.npy' },
      { path: 'v.txt', vectors: 'b.npy' },
    ];
    await expect(open(files, sources, { vectors: true })).rejects.toMatchObject(
      refused('config_mismatch', 'one teacher'),
    );
  });
});

describe('a command that is asked', () => {
  /** Says of a sentence its length and its first letter, notes that it was asked, and obeys a word. */
  const teacher = `
const { appendFileSync } = require('node:fs');
appendFileSync('asked', 'x');
let input = '';
process.stdin.on('data', (chunk) => { input += chunk; }).on('end', () => {
  const texts = input.trim().split('\\n').map((line) => JSON.parse(line));
  appendFileSync('asked', texts.join('|'));
  const [, , what] = process.argv;
  if (what === 'fails') { console.error('one\\ntwo\\nno such model'); process.exit(3); }
  const rows = Float32Array.from(texts.flatMap((text) => [text.length, text.charCodeAt(0), what === 'nan' ? NaN : 0]));
  process.stdout.write(Buffer.from(rows.buffer).subarray(0, what === 'short' ? -4 : undefined));
});
if (what = process.argv[2], what === 'early') process.exit(0);
if (what === 'waits') setInterval(() => {}, 1000);
`;
  const ask = (what: string, more: { textTeacher?: object; cache?: string } = {}) =>
    open({ 'ask.txt': 'a\n\nbb\na\n', 'teacher.cjs': teacher }, [{ path: 'ask.txt' }], {
      vectors: true,
      textTeacher: {
        command: [process.execPath, 'teacher.cjs', what],
        folder: folder.path,
        width: 3,
        cache: at('cache'),
      },
      ...more,
    });
  const asked = () => readFile(at('asked'), 'utf8').catch(() => '');

  test('says once what it knows of every different sentence, and that is kept', async () => {
    for (let time = 0; time < 2; time++) {
      const [source] = await ask('well');
      const { file, rows } = source!.vectors!;
      expect([...rows]).toEqual([0, 1, 0]);
      const target = new Float32Array(6);
      const reader = createVectorReader(file);
      for (const row of [0, 1]) reader.write(row, target, row);
      reader.close();
      const [a, b] = [Math.hypot(1, 97), Math.hypot(2, 98)];
      for (const [i, value] of [1 / a, 97 / a, 0, 2 / b, 98 / b, 0].entries()) {
        expect(target[i]).toBeCloseTo(value, 4);
      }
    }
    expect(await asked()).toBe('xa|bb');
    expect(await readdir(at('cache'))).toHaveLength(1);
  });

  test('that fails, or gives something else, is told of with its last words', async () => {
    const cases = [
      ['fails', 'status 3', 'no such model'],
      ['short', 'gave 20 bytes', '2 rows of 3 32-bit floats have 24'],
      ['nan', 'row (0, counted from 0)', 'NaN'],
      ['early', 'gave 0 bytes'],
    ] as const;
    for (const [what, ...parts] of cases) {
      await expect(ask(what), what).rejects.toMatchObject(
        refused('engine_failed', `teacher.cjs ${what}`, ...parts),
      );
    }
    const textTeacher = { command: ['no-such-program'], folder: folder.path, width: 3, cache: at('cache') };
    await expect(ask('', { textTeacher })).rejects.toMatchObject(
      refused('engine_failed', 'no-such-program', 'cannot be run'),
    );
    // Nothing half is left behind.
    expect(await readdir(at('cache'))).toHaveLength(1);
    await expect(
      ask('well', {
        textTeacher: { ...textTeacher, command: [process.execPath, 'teacher.cjs'], cache: at('ask.txt') },
      }),
    ).rejects.toMatchObject(refused('write_failed', 'textTeacher.cache'));
  });

  test('is stopped by the signal', async () => {
    await writeFile(at('teacher.cjs'), teacher);
    const config = dataSchema.parse({
      sentences: [{ path: at('ask.txt') }],
      textTeacher: {
        command: [process.execPath, 'teacher.cjs', 'waits'],
        folder: folder.path,
        width: 3,
        cache: at('c'),
      },
    });
    const controller = new AbortController();
    const opening = openSentences(config, { vectors: true, signal: controller.signal });
    setTimeout(() => controller.abort(), 300);
    await expect(opening).rejects.toMatchObject({ code: 'aborted' });
    expect(existsSync(at('c'))).toBe(true);
    expect(await readdir(at('c'))).toEqual([]);
  });
});

describe('batches of sentences', () => {
  const words = Array.from({ length: 7 }, (_, i) => `a red square ${i}`);
  const more = Array.from({ length: 30 }, (_, i) => `ein Quadrat ${i}`);
  const numbers = (count: number, seed: number) =>
    Array.from({ length: 3 * count }, (_, i) => Math.sin(seed + i));
  const files = {
    'few.txt': words.join('\n'),
    'many.txt': more.join('\n'),
    'none.txt': 'never drawn',
    'few.f16': halves(numbers(7, 1)),
    'many.f16': halves(numbers(30, 5)),
  };
  const opened = () =>
    open(
      files,
      [
        { path: 'few.txt', vectors: 'few.f16', weight: 3 },
        { path: 'none.txt', vectors: false },
        { path: 'many.txt', vectors: 'many.f16' },
      ],
      { vectors: true, textTeacher: { width: 3 } },
    );
  const batches = async (seed = 1, sentences = 64) =>
    openTextBatches(await opened(), { sentences, translations: 0, tokenizer, seed });

  test('hold the tokens and the unit vectors of the sentences that they name', async () => {
    const made = await batches();
    const { sentence_tokens: tokens, sentence_vectors: vectors } = await made.make(3);
    const texts = made.textsOf(3);
    expect(tokens).toEqual({ type: 'int64', data: tokenizer.tokenize(texts).data, shape: [64, 16] });
    const wanted = texts.flatMap((text) => {
      const place = words.indexOf(text);
      const all = place >= 0 ? numbers(7, 1) : numbers(30, 5);
      const own = (place >= 0 ? place : more.indexOf(text)) * 3;
      const row = all.slice(own, own + 3).map((value) => halfFloatValues()[halfFloatOf(value)]!);
      return row.map((value) => value / Math.hypot(...row));
    });
    expect(vectors!.shape).toEqual([64, 3]);
    for (const [i, value] of wanted.entries()) expect(vectors!.data[i]).toBeCloseTo(value, 6);
    made.close();
  });

  test('follow from seed and step alone, by the weights of the files, each gone through in turn', async () => {
    const [made, again, other] = await Promise.all([batches(), batches(), batches(2)]);
    expect(await again.make(5)).toEqual(await made.make(5));
    expect(other.textsOf(5)).not.toEqual(made.textsOf(5));
    // 64 batches of 64 are a block, in which every file has its share to one sentence.
    const drawn = Array.from({ length: 64 }, (_, step) => made.textsOf(step)).flat();
    const counts = new Map<string, number>();
    for (const text of drawn) counts.set(text, (counts.get(text) ?? 0) + 1);
    const of = (all: readonly string[]) => all.map((text) => counts.get(text) ?? 0);
    expect(of(words).reduce((a, b) => a + b)).toBe(3072);
    expect(of(more).reduce((a, b) => a + b)).toBe(1024);
    expect(Math.max(...of(words)) - Math.min(...of(words))).toBeLessThanOrEqual(1);
    expect(Math.max(...of(more)) - Math.min(...of(more))).toBeLessThanOrEqual(1);
    for (const one of [made, again, other]) one.close();
  });

  test('cannot be made where nothing has vectors', async () => {
    const [silent] = await open(files, [{ path: 'few.txt', vectors: false }], { vectors: true });
    await expect(
      openTextBatches([silent!], { sentences: 4, translations: 0, tokenizer, seed: 1 }),
    ).rejects.toMatchObject(refused('invalid_option', 'loss.sentences'));
  });
});

describe('batches of pairs in two languages', () => {
  const lines = jsonLines([
    { en: ['a dog', 'dogs'], de: ['ein Hund', 'Hunde', 'der Hund'] },
    { en: 'a cat', de: 'eine Katze', fr: 'un chat' },
    { en: 'alone' },
    { de: 'Eine Katze!', fr: 'le chat' },
  ]);
  const table = 'a house\tein Haus\n\tnur hier\na tree\tein Baum\n';
  const opened = () =>
    open({ 'p.jsonl': lines, 'p.tsv': table, 'p.txt': 'never\n' }, [
      { path: 'p.jsonl', languages: ['en', 'de', 'fr'], weight: 3 },
      { path: 'p.txt' },
      { path: 'p.tsv', languages: ['en', 'de'] },
    ]);
  const batch = 64;
  const batches = async (seed = 1) =>
    openTextBatches(await opened(), { sentences: 0, translations: batch, tokenizer, seed });
  /** What stands in one line, by language; the last two are of the table. */
  const meanings = [
    [
      ['a dog', 'dogs'],
      ['ein Hund', 'Hunde', 'der Hund'],
    ],
    [['a cat'], ['eine Katze'], ['un chat']],
    [['Eine Katze!'], ['le chat']],
    [['a house'], ['ein Haus']],
    [['a tree'], ['ein Baum']],
  ];
  const placeOf = (text: string) => {
    const meaning = meanings.findIndex((one) => one.flat().includes(text));
    return { meaning, language: meanings[meaning]!.findIndex((all) => all.includes(text)) };
  };

  test('are two sentences of a line in different languages, as tokens of the one side and of the other', async () => {
    const made = await batches();
    const { translation_tokens: tokens } = await made.make(2);
    const pairs = made.textsOf(2).map((text) => text.split(' = ') as [string, string]);
    const sides = [...pairs.map(([one]) => one), ...pairs.map(([, other]) => other)];
    expect(tokens).toEqual({ type: 'int64', data: tokenizer.tokenize(sides).data, shape: [2 * batch, 16] });
    for (const [one, other] of pairs) {
      expect(placeOf(one).meaning).toBe(placeOf(other).meaning);
      expect(placeOf(one).language).not.toBe(placeOf(other).language);
    }
    // Every sentence comes on both sides.
    const all = Array.from({ length: 16 }, (_, step) => made.textsOf(step)).flat();
    for (const text of meanings.flat(2)) {
      expect(all.filter((pair) => pair.startsWith(`${text} = `)).length, text).toBeGreaterThan(0);
      expect(all.filter((pair) => pair.endsWith(` = ${text}`)).length, text).toBeGreaterThan(0);
    }
    const ofTable = all.filter((pair) => pair.includes('ein Haus') || pair.includes('ein Baum'));
    expect(ofTable.length / all.length).toBeCloseTo(0.25, 1);
  });

  test('are right for each other where they share a line or a sentence', async () => {
    const made = await batches();
    const { translation_targets: targets } = await made.make(0);
    const key = (text: string) => text.toLowerCase().replace(/[.!]/g, '');
    const pairs = made.textsOf(0).map((text) => text.split(' = ').map(key));
    const meaning = made.textsOf(0).map((text) => placeOf(text.split(' = ')[0]!).meaning);
    const at = (row: number, column: number) => targets!.data[row * batch + column] as number;
    for (const [row, own] of pairs.entries()) {
      let [across, down] = [0, 0];
      for (const [column, other] of pairs.entries()) {
        const isRight = meaning[row] === meaning[column] || own.some((text) => other.includes(text));
        expect(at(row, column) > 0).toBe(isRight);
        across += at(row, column);
        down += at(column, row);
      }
      expect(across).toBeCloseTo(1, 5);
      expect(down).toBeCloseTo(1, 2);
    }
    // "eine Katze" of the second line is a sentence of the fourth.
    const [second, fourth] = [1, 2].map((wanted) =>
      pairs.findIndex((pair, row) => meaning[row] === wanted && pair.includes('eine katze')),
    );
    expect(at(second!, fourth!)).toBeGreaterThan(0);
  });

  test('follow from seed and step alone', async () => {
    const [made, again, other] = await Promise.all([batches(), batches(), batches(2)]);
    expect(await again.make(7)).toEqual(await made.make(7));
    expect(other.textsOf(7)).not.toEqual(made.textsOf(7));
  });

  test('cannot be made where no line has two languages', async () => {
    const [one] = await open({ 'p.jsonl': '{"en": "a"}\n{"de": "b"}\n' }, [
      { path: 'p.jsonl', languages: ['en', 'de'] },
    ]);
    const options = { sentences: 0, translations: 4, tokenizer, seed: 1 };
    await expect(openTextBatches([one!], options)).rejects.toMatchObject(
      refused('invalid_option', 'loss.pairs', 'two languages'),
    );
  });
});
