/** Trainings that learn from sentences without pictures, alone or beside pictures. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openCheckpoint, readParameter } from '../../../src/checkpoint/index.ts';
import { loadClip } from '../../../src/clip/load.ts';
import { initialValues } from '../../../src/graph/initialise.ts';
import { parametersOfClip } from '../../../src/models/parameters.ts';
import {
  readTrainingConfig,
  type StepLine,
  type TrainingConfigInput,
  train,
} from '../../../src/train/index.ts';
import { listCheckpoints, readCheckpoint } from '../../../src/train/run/checkpoints.ts';
import { colourNames, stepLines, tinyTraining, trainUntil, writeColourFolders } from './tiny-training.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder: string;
let pictures: string;
const width = 5;
/** 'a red square', 'red', …; what a teacher says of each goes by its colour. */
const sentences = colourNames.flatMap((name) => [`a ${name} square`, name, `the ${name} one`, `so ${name}`]);
const vectors = Float32Array.from(
  sentences.flatMap((_, i) =>
    Array.from(
      { length: width },
      (_, k) => Math.cos(2 * (1 + Math.floor(i / 4)) * (k + 1) + Math.floor(i / 4)) + 0.1 * Math.sin(i + k),
    ),
  ),
);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-sentences-'));
  pictures = join(folder, 'colours');
  await writeColourFolders(pictures, 3);
  await writeFile(join(folder, 'said.txt'), sentences.join('\n'));
  // The header of NumPy's format, of 128 bytes.
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${sentences.length}, ${width}), }`;
  const start = Buffer.from(`\x93NUMPY\x01\x00v\x00${header.padEnd(117)}\n`, 'latin1');
  await writeFile(join(folder, 'said.npy'), Buffer.concat([start, new Uint8Array(vectors.buffer)]));
});
afterAll(() => rm(folder, { recursive: true }));

const said = () => ({ path: join(folder, 'said.txt'), vectors: join(folder, 'said.npy') });
const alone = (name: string, changes: Partial<TrainingConfigInput> = {}) =>
  tinyTraining(pictures, join(folder, name), {
    data: { sentences: [said()] },
    loss: { contrastive: { weight: 0 }, sentences: { batch: 8, relations: { temperature: 0.2 } } },
    regularisation: { stochasticDepth: { text: 0.1 } },
    ...changes,
  });
const steps = (name: string): Promise<StepLine[]> => stepLines(join(folder, name));

const parametersOf = async (model: string) => {
  const { parameters, architecture } = await openCheckpoint(model);
  const values = new Map<string, number[]>();
  for (const [name, stored] of parameters) values.set(name, [...(await readParameter(stored))]);
  return { values, architecture };
};

describe('a training of sentences alone', () => {
  test('teaches the text tower, and the rest of the model is as random as it begins', async () => {
    const facts: string[] = [];
    const result = await train(alone('alone', { until: { steps: 60 }, optimizer: { learningRate: 0.02 } }), {
      onEvent: (event) => {
        if (event.kind === 'begun') facts.push(...event.facts);
      },
    });
    expect(facts).toEqual([
      '16 sentences from said (16)',
      expect.stringContaining('numbers learn'),
      '60 steps of 8 sentences',
    ]);
    const lines = await steps('alone');
    expect(lines[0]!.parts.sentences).toBeGreaterThan(0.5);
    expect(lines.at(-1)!.parts.sentences).toBeLessThan(0.15);
    expect(lines.at(-1)!.parts['sentences.relations']).toBeLessThan(
      lines[0]!.parts['sentences.relations']! / 2,
    );
    expect(lines[0]).toMatchObject({ picturesPerSecond: 0, sentencesPerSecond: expect.any(Number) });
    const report = await readFile(result.report, 'utf8');
    expect(report).toContain('Sentences per second');
    expect(report).not.toContain('Pictures per second');

    const { values, architecture } = await parametersOf(result.model);
    for (const parameter of parametersOfClip(architecture)) {
      const first = [...initialValues(parameter, 1)];
      const now = values.get(parameter.name)!;
      if (!parameter.name.startsWith('text.')) expect(now, parameter.name).toEqual(first);
    }
    const clip = await loadClip(result.model, { threads: 1 });
    const { data, shape } = await clip.embedTexts(['a red square', 'so red', 'a blue square']);
    await clip.close();
    const near = (a: number, b: number) =>
      Array.from({ length: shape[1]! }, (_, i) => data[a * shape[1]! + i]! * data[b * shape[1]! + i]!).reduce(
        (sum, x) => sum + x,
      );
    expect(near(0, 1)).toBeGreaterThan(near(0, 2) + 0.2);
  });

  test('that was stopped goes on exactly', async () => {
    await train(alone('straight'));
    await trainUntil(alone('halting'), 5);
    await train(alone('halting'), { resume: true });
    const figures = (lines: StepLine[]) => lines.map(({ loss, gradientNorm }) => [loss, gradientNorm]);
    expect(figures(await steps('halting'))).toEqual(figures(await steps('straight')));
    const state = async (name: string) =>
      (await readCheckpoint((await listCheckpoints(join(folder, name, 'training/checkpoints'))).at(-1)!.path))
        .state;
    expect(await state('halting')).toEqual(await state('straight'));
  });

  test('leaves the image tower of the model that it begins with as it was', async () => {
    const { model } = await train(tinyTraining(pictures, join(folder, 'first'), { until: { steps: 2 } }));
    const second = await train({
      ...alone('second', { until: { steps: 3 } }),
      initialise: { from: model },
      architecture: undefined,
      tokenizer: undefined,
    });
    const [before, after] = await Promise.all([model, second.model].map(parametersOf));
    for (const [name, values] of before!.values) {
      const isText = name.startsWith('text.');
      // A key's bias has no gradient, and gains of one may come back.
      if (!isText) expect(after!.values.get(name), name).toEqual(values);
    }
    expect(after!.values.get('text.token_embedding')).not.toEqual(before!.values.get('text.token_embedding'));
  });
});

test('sentences stand beside pictures in every step, and change nothing of how these are drawn', async () => {
  const both = (name: string, weight: number) =>
    tinyTraining(pictures, join(folder, name), {
      data: { ...tinyTraining(pictures, '').data, sentences: [said()] },
      loss: { sentences: { batch: 8, weight } },
      regularisation: {},
      until: { steps: 4 },
    });
  await train(both('both', 2));
  await train(both('pictures alone', 0));
  const [together, without] = await Promise.all(['both', 'pictures alone'].map(steps));
  // The first step is from the same weights.
  expect(together![0]!.parts.contrastive).toBeCloseTo(without![0]!.parts.contrastive!, 5);
  expect(together![0]!.loss).toBeCloseTo(
    together![0]!.parts.contrastive! + 2 * together![0]!.parts.sentences!,
    5,
  );
  expect(together![3]!.parts.sentences).toBeLessThan(together![0]!.parts.sentences!);
  expect(without![0]!.parts).not.toHaveProperty('sentences');
  expect(together![0]!.picturesPerSecond).toBeCloseTo(together![0]!.sentencesPerSecond!, 3);

  await trainUntil(both('both in parts', 2), 2);
  await train(both('both in parts', 2), { resume: true });
  expect((await steps('both in parts')).map(({ loss }) => loss)).toEqual(together!.map(({ loss }) => loss));
});

test('what contradicts itself about sentences is refused by name, before anything is read', async () => {
  const cases: [Partial<TrainingConfigInput>, string[]][] = [
    [{ loss: {} }, ['"loss.contrastive.weight": must be 0 where there are no pictures']],
    [{ loss: { contrastive: { weight: 0 } } }, ['every part has the weight 0']],
    [{ data: {} }, ['"data.sources": is empty, and so is "sentences"']],
    [{ chunk: 4, batch: 8 }, ['"chunk": does nothing where there are no pictures']],
    [
      { regularisation: { stochasticDepth: { image: 0.1 } } },
      ['"regularisation.stochasticDepth.image": does nothing'],
    ],
    [
      { data: { sentences: [{ path: 'a.txt' }] } },
      ['"data.sentences.0.vectors": is missing', 'data.textTeacher.command'],
    ],
    [
      { data: { sentences: [{ path: 'a.txt', vectors: false }] } },
      ['"loss.sentences": is about a text teacher'],
    ],
    [
      { data: { sentences: [{ path: 'a.txt' }], textTeacher: { command: ['a'] } } },
      ['"data.textTeacher.width": is missing'],
    ],
    [
      { loss: { contrastive: { weight: 0 }, pairs: {} }, data: { sentences: [said()] } },
      ['"loss.pairs": is about sentences in two languages'],
    ],
    [
      {
        loss: { contrastive: { weight: 0 }, sentences: { map: false } },
        data: { sentences: [said()], textTeacher: { width } },
      },
      ['loss.sentences.map is false', `have ${width} numbers`],
    ],
  ];
  for (const [changes, parts] of cases) {
    const refused = train(alone('refused', changes));
    for (const part of parts) {
      await expect(refused, part).rejects.toMatchObject({
        code: 'invalid_option',
        message: expect.stringContaining(part),
      });
    }
  }
});

test('paths of sentences begin at the configuration, and so does the command', async () => {
  const { data } = await readTrainingConfig(
    {
      ...alone('paths'),
      data: {
        sentences: [
          { path: 'a.txt', vectors: 'a.npy' },
          { path: 'b.txt', vectors: false },
        ],
        textTeacher: { command: ['python3', 'embed.py'], width: 4, cache: 'kept' },
      },
    },
    { folder: '/somewhere' },
  );
  expect(data.sentences.map(({ path, vectors }) => [path, vectors])).toEqual([
    ['/somewhere/a.txt', '/somewhere/a.npy'],
    ['/somewhere/b.txt', false],
  ]);
  expect(data.textTeacher).toEqual({
    command: ['python3', 'embed.py'],
    folder: '/somewhere',
    width: 4,
    cache: '/somewhere/kept',
  });
  // Kept in full, the configuration says the same from elsewhere.
  const again = await readTrainingConfig({ ...alone('paths'), data }, { folder: '/elsewhere' });
  expect(again.data.textTeacher).toEqual(data.textTeacher);
});
