import { describe, expect, test } from 'vitest';
import type { LogLine, StepLine } from '../../../src/train/run/metrics-log.ts';
import { plot, shortNumber } from '../../../src/train/run/plot.ts';
import { duration, htmlReport } from '../../../src/train/run/report.ts';

const step = (at: number): StepLine => ({
  kind: 'step',
  step: at,
  minutes: at / 60,
  steps: 10,
  loss: 3 / at,
  parts: { contrastive: 2 / at, features: 1 / at },
  gradientNorm: 1,
  temperature: 0.05,
  learningRate: 1e-3,
  picturesPerSecond: 123.4,
  waiting: 0.02,
});
const lines: LogLine[] = [
  step(10),
  step(20),
  {
    kind: 'evaluation',
    step: 20,
    minutes: 1,
    score: 0.5,
    measurements: [
      {
        dataset: 'a <b>',
        split: 'test',
        metric: 'accuracy@1',
        language: 'de',
        value: 0.5,
        interval: [0.4, 0.6],
        n: 90,
      },
    ],
  },
  {
    kind: 'energy',
    step: 20,
    minutes: 1,
    method: 'estimate',
    basis: 'time of busy cores × 12 W',
    kilowattHours: 0.0123,
    gramsCarbonDioxide: 5.9,
  },
];
const facts = {
  name: 'my model',
  config: '{"a": "</pre>"}',
  summary: ['7 pictures'],
  state: 'Running',
  at: { step: 21, minutes: 1 / 3 },
};

describe('the report', () => {
  const html = htmlReport(lines, { ...facts, best: 20, reloadSeconds: 30 });

  test('tells where the training stands, its figures with intervals, its energy and its configuration', () => {
    for (const text of [
      'Running</strong> at step 21 after 20 s: loss 0.150, 123.4 pictures/s',
      '7 pictures',
      '0.0123 kWh, 5.9 g CO₂e; time of busy cores × 12 W.',
      'At step 20, the best until now, whose model is in the folder:',
      '<td>a &lt;b&gt; test accuracy@1 (de)</td><td>50.0 %</td><td>40.0 to 60.0 %</td><td>90</td>',
      '&quot;&lt;/pre&gt;&quot;',
    ]) {
      expect(html).toContain(text);
    }
    for (const title of ['Loss', 'Temperature', 'Learning rate', 'Pictures per second']) {
      expect(html).toContain(`<figcaption>${title}</figcaption>`);
    }
  });

  test('stands alone, and reloads itself only while the training runs', () => {
    expect(html).not.toMatch(/(src|href)=|url\(|<script/);
    expect(html).toContain('http-equiv="refresh"');
    expect(htmlReport(lines, facts)).not.toContain('http-equiv="refresh"');
  });

  test('is a page before the first figures, too', () => {
    const empty = htmlReport([], facts);
    expect(empty).toContain('No figures yet.');
    expect(empty).not.toContain('Evaluation');
  });
});

describe('a plot', () => {
  const points = (count: number, value: (i: number) => number) =>
    Array.from({ length: count }, (_, i) => [i, value(i)] as const);

  test('puts the largest value at the top and the last step at the right', () => {
    const svg = plot(
      [
        {
          name: 'a',
          points: [
            [0, 0],
            [10, 50],
            [20, 100],
          ],
        },
      ],
      { title: 't', xName: 'x' },
    );
    expect(svg).toContain('d="M64 206L344 109L624 12"');
    for (const label of ['>0<', '>20<', '>40<', '>100<']) expect(svg).toContain(label);
  });

  test('has a legend only for several series, and gaps where there is no number', () => {
    const one = plot([{ name: 'a', points: points(3, () => 1) }], { title: 't', xName: 'x' });
    expect(one).not.toContain('legend');
    const gap = points(5, (i) => (i === 2 ? Number.NaN : i));
    const two = plot(
      [
        { name: 'a', points: gap },
        { name: 'b & c', points: gap },
      ],
      { title: 't', xName: 'x' },
    );
    expect(two).toContain('b &amp; c');
    expect(two.match(/d="([^"]*)"/)?.[1]?.match(/M/g)).toHaveLength(2);
    expect(two).not.toContain('NaN');
  });

  test('stays small however long the training', () => {
    expect(
      plot([{ name: 'a', points: points(50_000, Math.sin) }], { title: 't', xName: 'x' }).length,
    ).toBeLessThan(20_000);
  });
});

test('numbers and times are short', () => {
  expect([0.000123456, 2.34567, 12_345, 0].map(shortNumber)).toEqual(['1.235e-4', '2.346', '12.35k', '0']);
  expect([0.5, 12.5, 125].map(duration)).toEqual(['30 s', '12 min 30 s', '2 h 5 min']);
});
