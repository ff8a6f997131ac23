import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test, vi } from 'vitest';
import { readTrainingConfig, train, trainingSchema } from '../../../src/train/index.ts';
import { lossSchema, optimizerSchema } from '../../../src/train/step/config.ts';

// Seconds each where a processor is free; other work beside it must not make them fail.
vi.setConfig({ testTimeout: 300_000 });

const root = fileURLToPath(new URL('../../../', import.meta.url));

test('the example trains the bundled model on the photographs of the repository', async () => {
  const output = await mkdtemp(join(tmpdir(), 'eidos-example-'));
  try {
    const config = await readTrainingConfig(join(root, 'examples/training/train.json'));
    const result = await train({
      ...config,
      output,
      until: { steps: 1 },
      threads: { ...config.threads, network: 1 },
    });
    expect(result).toMatchObject({ ended: 'done', step: 1, broken: { count: 0 } });
    const report = await readFile(result.report, 'utf8');
    expect(report).toContain('9 pictures from captions (9)');
  } finally {
    await rm(output, { recursive: true });
  }
});

test('configurations and fields in the documentation are right', async () => {
  const text = await readFile(join(root, 'docs/training.md'), 'utf8');
  const configs = [...text.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, code]) => JSON.parse(code!));
  expect(configs.length).toBeGreaterThan(0);
  for (const config of configs) expect((await readTrainingConfig(config)).batch).toBe(config.batch ?? 64);
  const table = text.slice(text.indexOf('| field |'), text.indexOf('A model from scratch'));
  for (const field of Object.keys(trainingSchema.shape)) expect(table).toContain(`\`${field}\``);
  const details = text.slice(text.indexOf('| field of `loss`'), text.indexOf('What each part minimises'));
  const { classification, distillation, sentences, pairs, ...parts } = lossSchema.shape;
  const named = Object.entries({ classification, distillation, sentences, pairs }).flatMap(([part, schema]) =>
    Object.keys(schema.unwrap().shape).map((field) => `${part}.${field}`),
  );
  const wanted = [...Object.keys(parts), ...named, ...Object.keys(optimizerSchema.shape)];
  for (const field of wanted.filter((name) => !name.endsWith('.weight'))) {
    expect(details).toMatch(new RegExp(`\`${field}[\`.]`));
  }
});
