import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commandLine, printedLines, runEidos } from '../command.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { jsonLines, square, writeFiles } from './tiny-sets.ts';

let model: string;
let folder: string;

beforeAll(async () => {
  model = await writeTinyModel();
  folder = await mkdtemp(join(tmpdir(), 'eidos-evaluate-cli-'));
  const [red, green, blue] = await Promise.all([square('red'), square('green'), square('blue')]);
  const rows = [
    {
      file: 'a.png',
      split: 'test',
      label: 'red_square',
      domain: 'photo',
      en: ['the red square'],
      de: 'a dog',
    },
    { file: 'b.png', split: 'test', label: 'green_square', domain: 'photo', en: 'the green square' },
    {
      file: 'c.png',
      split: 'test',
      label: 'blue_square',
      domain: 'sketch',
      en: ['the blue square', 'a cat'],
    },
    { file: 'twin.png', split: 'test', label: 'blue_square', domain: 'sketch', en: 'a dog' },
  ];
  await writeFiles(folder, {
    'set/index.jsonl': jsonLines(rows),
    'set/exclude-test.txt': 'twin.png\n',
    'set/a.png': red,
    'set/b.png': green,
    'set/c.png': blue,
    'set/twin.png': blue,
    'broken/index.jsonl': jsonLines(rows),
    'broken/a.png': red,
    'broken/b.png': green,
    'broken/c.png': blue,
    'broken/twin.png': 'no picture',
    'words.tsv': 'red_square\ta dog | a cat\n',
  });
});
afterAll(async () => {
  await rm(model, { recursive: true });
  await rm(folder, { recursive: true });
});

const evaluate = (...args: string[]) => runEidos(folder, ['evaluate', '--model', model, ...args]);

describe.skipIf(!existsSync(commandLine))('eidos evaluate', () => {
  test('--help tells the forms of data sets, the metrics and how labels are written', () => {
    const { status, stdout } = evaluate('--help');
    expect(status).toBe(0);
    for (const word of [
      'index.jsonl',
      'index.json ',
      'CLASS/',
      'exclude-PART.txt',
      'accuracy@5',
      '<TAB>',
      'Wilson',
    ]) {
      expect(stdout).toContain(word);
    }
  });

  test('gives a JSON line a metric, with these fields in this order', () => {
    const { status, stdout, stderr } = evaluate('--dataset', 'set', '--json');
    expect(stderr).toBe('');
    expect(status).toBe(0);
    const answers = printedLines(stdout);
    expect(answers.map(({ metric, n }) => [metric, n])).toEqual([
      ['accuracy@1', 3],
      ['text_to_image_recall@1', 4],
      ['image_to_text_recall@1', 3],
    ]);
    for (const answer of answers) {
      expect(Object.keys(answer)).toEqual([
        'dataset',
        'split',
        'metric',
        'language',
        'value',
        'interval',
        'n',
      ]);
      expect(answer).toMatchObject({ dataset: 'set', split: 'test', language: 'en' });
      const [lower, upper] = answer.interval as [number, number];
      expect(lower).toBeLessThanOrEqual(answer.value as number);
      expect(upper).toBeGreaterThanOrEqual(answer.value as number);
    }
  });

  test('prints a table, with what was left out', () => {
    const { status, stdout } = evaluate('--dataset', 'set', '--templates', 'paper', '--each-template');
    expect(status).toBe(0);
    expect(stdout).toContain('set, test: 3 pictures, 3 classes, 1 left out by exclude-test.txt');
    expect(stdout).toMatch(/^ {2}accuracy@1 +[\d.]+ % +[\d.]+ – +[\d.]+ % {2}3$/m);
    expect(stdout.match(/^ {2}accuracy@1 {2}\S/gm)).toHaveLength(11);
  });

  test('takes parts, fields, labels, templates and languages', () => {
    const chosen = evaluate(
      '--dataset',
      'set',
      '--where',
      'domain=photo',
      '--labels-file',
      'words.tsv',
      '--json',
    );
    expect(printedLines(chosen.stdout)[0]).toMatchObject({
      where: { domain: 'photo' },
      metric: 'accuracy@1',
      n: 2,
    });
    const german = evaluate(
      '--dataset',
      'set',
      '--language',
      'de',
      '--template',
      'the {}',
      '--json',
      '--quiet',
    );
    expect(german.stderr).toBe('');
    expect(printedLines(german.stdout)).toMatchObject([{ metric: 'accuracy@1', language: 'de' }]);
  });

  test('names pictures that it could not read, and ends with status 1', () => {
    const { status, stdout } = evaluate('--dataset', 'broken', '--json');
    expect(status).toBe(1);
    expect(printedLines(stdout).at(-1)).toMatchObject({
      image: 'twin.png',
      error: { code: 'invalid_image' },
    });
    const readable = evaluate('--dataset', 'broken');
    expect(readable.stdout).toContain('3 pictures, 3 classes, 1 unreadable');
    expect(readable.stderr).toContain('twin.png');
  });

  test('refuses what cannot be meant, by name', () => {
    for (const [message, ...args] of [
      ['--dataset', '--split', 'test'],
      ['"val"', '--dataset', 'set', '--split', 'val'],
      ['--where', '--dataset', 'set', '--where', 'domain'],
      ['--template', '--dataset', 'set', '--template', '{}', '--templates', 'cifar'],
      ['none.tsv', '--dataset', 'set', '--labels-file', 'none.tsv'],
      ['--splitt', '--dataset', 'set', '--splitt', 'test'],
    ] as [string, ...string[]][]) {
      const { status, stderr } = evaluate(...args);
      expect(stderr, args.join(' ')).toContain(message);
      expect(stderr, args.join(' ')).not.toMatch(/\n\s+at /);
      expect(status, args.join(' ')).toBe(2);
    }
  });
});
