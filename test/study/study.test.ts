/** The studies of prompts and of limits on a set whose right answers are known, as a library and as commands. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openDataset } from '../../src/evaluate/index.ts';
import { type Clip, loadClip } from '../../src/index.ts';
import { studyLimits, studyPrompts } from '../../src/study/index.ts';
import { printedLines, runEidos } from '../command.ts';
import { plainPicture } from '../server/requests.ts';

const folder = mkdtempSync(join(tmpdir(), 'eidos-study-'));
const set = join(folder, 'colours');
let clip: Clip;

const colours: Record<string, [number, number, number]> = {
  red: [220, 20, 20],
  green: [20, 180, 30],
  blue: [20, 40, 220],
};

beforeAll(async () => {
  for (const [name, colour] of Object.entries(colours)) {
    mkdirSync(join(set, name), { recursive: true });
    for (let number = 0; number < 14; number++) {
      const shade = colour.map((value) => Math.min(255, value + number * 3)) as [number, number, number];
      writeFileSync(join(set, name, `${number}.png`), plainPicture(shade));
    }
  }
  clip = await loadClip();
});
afterAll(async () => {
  await clip.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('prompts', () => {
  test('each prompt has what `evaluate` measures for it, and the plain name is what others are compared with', async () => {
    const dataset = await openDataset(set);
    const study = await studyPrompts(clip, dataset, { templates: ['a plain {} surface', 'the colour {}'] });
    expect(study.prompts.map(({ template }) => template)).toEqual([
      '{}',
      'a plain {} surface',
      'the colour {}',
    ]);
    const [plain] = study.prompts;
    expect(plain).toMatchObject({ difference: 0, p: 1, pHolm: 1, n: 42 });
    for (const { accuracy, low, high, difference, p, pHolm } of study.prompts) {
      expect(low).toBeLessThanOrEqual(accuracy);
      expect(high).toBeGreaterThanOrEqual(accuracy);
      expect(difference).toBeCloseTo(accuracy - plain!.accuracy, 12);
      expect(pHolm).toBeGreaterThanOrEqual(p);
    }
    const { evaluate } = await import('../../src/evaluate/index.ts');
    const { measurements } = await evaluate(clip, dataset, {
      templates: ['{}', 'a plain {} surface', 'the colour {}'],
      eachTemplate: true,
    });
    for (const { template, metric, value } of measurements) {
      if (metric !== 'accuracy@1') continue;
      const own = study.prompts.find((one) => one.template === template)?.accuracy ?? study.ensemble.accuracy;
      expect(own).toBeCloseTo(value, 12);
    }
    expect(study.winners.map((one) => one.class).sort()).toEqual(['blue', 'green', 'red']);
  });

  test('the paper’s prompts come in its order with its figures, and its slip changes the numbers', async () => {
    const dataset = await openDataset(set);
    const rows = await studyPrompts(clip, dataset);
    expect(rows.prompts).toHaveLength(11);
    expect(rows.prompts[0]).toMatchObject({ template: 'A {}', paper: 0.672 });
    expect(rows.prompts.at(-1)).toMatchObject({ template: 'An {} is waiting', paper: 0.733 });
    const slip = await studyPrompts(clip, dataset, { normalize: 'classes' });
    expect(slip.prompts.map(({ accuracy }) => accuracy)).not.toEqual(
      rows.prompts.map(({ accuracy }) => accuracy),
    );
  });

  test('the command prints a line a prompt and a summary, and writes a page that needs nothing else', () => {
    const report = join(folder, 'prompts.html');
    const { status, stdout } = runEidos(folder, [
      'study',
      'prompts',
      '--dataset',
      set,
      '--template',
      'a <{}> wall',
      '--json',
      '--report',
      report,
    ]);
    expect(status).toBe(0);
    const lines = printedLines(stdout);
    expect(lines).toHaveLength(3);
    for (const key of ['study', 'template', 'accuracy', 'low', 'high', 'n', 'difference', 'p', 'pHolm']) {
      expect(lines[0]).toHaveProperty(key);
    }
    expect(lines.at(-1)).toMatchObject({ study: 'prompts', summary: true });
    const page = readFileSync(report, 'utf8');
    expect(page).toContain('a &lt;{}&gt; wall');
    expect(page).toContain('<svg');
    expect(page).not.toMatch(/(src|href)="http|<script/);
  });
});

describe('limits', () => {
  test('the fit lessens surprise on what it is fitted to, and sets of labels cover what they promise', async () => {
    const study = await studyLimits(clip, await openDataset(set), {
      templates: ['the colour {}'],
      errorRate: 0.2,
    });
    const figure = Object.fromEntries(study.figures.map(({ metric, value }) => [metric, value]));
    expect(study.n + study.validationPictures).toBe(42);
    expect(study.n).toBeGreaterThan(8);
    expect(figure.conformal_coverage!).toBeGreaterThan(0.6);
    expect(figure.conformal_size!).toBeGreaterThanOrEqual(1);
    expect(figure.conformal_size!).toBeLessThanOrEqual(3);
    expect(figure.ece_before!).toBeGreaterThanOrEqual(0);
    expect(figure.none_auroc!).toBeGreaterThan(0.5);
    for (const { low, high, value } of study.figures) {
      expect(low).toBeLessThanOrEqual(high);
      expect(Number.isFinite(value)).toBe(true);
    }
  });

  test('a validation part with the measured pictures is refused', async () => {
    const dataset = await openDataset(set);
    await expect(studyLimits(clip, dataset, { validation: dataset })).rejects.toThrow(
      /42 pictures of the validation part/,
    );
  });

  test('the command prints a line a figure', () => {
    const { status, stdout } = runEidos(folder, ['study', 'limits', '-d', set, '--json']);
    expect(status).toBe(0);
    const metrics = printedLines(stdout).map((line) => line.metric);
    for (const name of [
      'ece_before',
      'ece_after',
      'nll_before',
      'nll_after',
      'none_auroc',
      'none_fpr95',
      'risk_coverage_area',
      'conformal_coverage',
      'conformal_size',
    ]) {
      expect(metrics).toContain(name);
    }
  });
});

test('explanations: a method beside random orders, with its time', () => {
  const asked = ['--pictures', '2', '--method', 'grad_cam', '--json'];
  const { status, stdout } = runEidos(folder, ['study', 'explanations', '-d', set, ...asked]);
  expect(status).toBe(0);
  expect(printedLines(stdout)).toEqual([
    expect.objectContaining({
      study: 'explanations',
      method: 'grad_cam',
      n: 2,
      insertion: { value: expect.any(Number), low: expect.any(Number), high: expect.any(Number) },
      milliseconds: expect.any(Number),
    }),
  ]);
});

test('what cannot be studied is refused by name', async () => {
  const one = join(folder, 'one');
  mkdirSync(join(one, 'red'), { recursive: true });
  writeFileSync(join(one, 'red', '1.png'), plainPicture([9, 9, 9]));
  const { status, stderr } = runEidos(folder, ['study', 'prompts', '-d', one]);
  expect(status).toBe(2);
  expect(stderr).toMatch(/one class|class/);
  const dataset = await openDataset(set);
  await expect(studyPrompts(clip, dataset, { templates: ['no place'] })).rejects.toThrow(/has no \{\}/);
  await expect(studyPrompts(clip, dataset, { prompt: 'x' } as never)).rejects.toThrow(/"prompt"/);
  await expect(studyLimits(clip, dataset, { errorRate: 2 })).rejects.toThrow(/errorRate is 2/);
  expect(runEidos(folder, ['study', 'prompts', '-d', set, '--templates', 'nowhere.txt']).status).toBe(2);
  expect(runEidos(folder, ['study', 'prompts', '-d', set, '--report', 'x.pdf']).status).toBe(2);
});
