import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openWeights } from '../../../src/checkpoint/index.ts';
import { loadClip } from '../../../src/clip/load.ts';
import { createZeroShotClassifier } from '../../../src/tasks/classify/classify.ts';
import {
  type EvaluationLine,
  folderConfig,
  readMetricsLog,
  readTrainingConfig,
  type StepLine,
  savedConfig,
  type TrainingConfigInput,
  type TrainingEvent,
  train,
} from '../../../src/train/index.ts';
import { listCheckpoints, readCheckpoint } from '../../../src/train/run/checkpoints.ts';
import { smallResnet, stepLines, tinyTraining, trainUntil, writeColourFolders } from './tiny-training.ts';

// Seconds each where a processor is free; other work beside it must not make them fail.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let folder: string;
let pictures: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-train-'));
  pictures = join(folder, 'colours');
  await writeColourFolders(pictures);
});
afterAll(() => rm(folder, { recursive: true }));

const config = (name: string, changes: Partial<TrainingConfigInput> = {}) =>
  tinyTraining(pictures, join(folder, name), changes);
const steps = (name: string): Promise<StepLine[]> => stepLines(join(folder, name));
const checkpointsOf = (name: string) => listCheckpoints(join(folder, name, 'training/checkpoints'));

describe('a training', () => {
  test('warns once of a batch larger than its data, with both numbers and the way out', async () => {
    const warnings = async (name: string, batch: number): Promise<string[]> => {
      const messages: string[] = [];
      await train(config(name, { batch, until: { steps: 2 } }), {
        onEvent: (event) => {
          if (event.kind === 'warning') messages.push(event.message);
        },
      });
      return messages;
    };
    expect(await warnings('as many', 24)).toEqual([]);
    expect(await warnings('too many', 25)).toEqual([
      expect.stringMatching(/"batch" is 25, but the data have 24 pictures: .*Make "batch" 24 or less/),
    ]);
  });

  test('of words beside a teacher’s features, from nothing, gives a model whose text tower has learned', async () => {
    const features = join(folder, 'words.u8');
    await writeFile(
      features,
      Uint8Array.from({ length: 24 * 4 }, (_, i) => (i * 37) % 256),
    );
    const { model } = await train(
      config('words alone', {
        data: { sources: [{ path: pictures, features }], teacher: { width: 4 } },
        imageTower: { kind: 'teacher', size: 4 },
        regularisation: {},
        until: { steps: 3 },
      }),
    );
    const clip = await loadClip(model);
    const { data } = await clip.embedTexts(['red', 'blue']);
    expect(data.every(Number.isFinite)).toBe(true);
    await clip.close();
  });

  test('has its folder alone, and one that never begins leaves no folder behind', async () => {
    const wanted = config('parents/alone', { until: { steps: 2 } });
    let second: Promise<unknown> | undefined;
    await train(wanted, {
      onEvent: (event) => {
        if (event.kind === 'begun') second = train(wanted).catch((error: unknown) => error);
      },
    });
    expect(await second).toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining(`is writing into ${join(folder, 'parents/alone')}`),
    });
    expect(await readdir(join(folder, 'parents/alone/training'))).not.toContain('.lock');
    expect(await train({ ...wanted, until: { steps: 3 } }, { resume: true })).toMatchObject({ step: 3 });

    const nothing = { sources: [{ path: join(folder, 'no-such-pictures') }] };
    await expect(train(config('never/begun', { data: nothing }))).rejects.toThrow('no-such-pictures');
    expect(await readdir(folder)).not.toContain('never');
  });

  test('makes a folder of pictures a model that tells them apart, and measures it meanwhile', async () => {
    const events: TrainingEvent[] = [];
    let meanwhile = '';
    const result = await train(
      config('whole', {
        until: { steps: 60 },
        regularisation: {},
        evaluation: { everySteps: 20, sets: [{ dataset: pictures, templates: ['a {} square'] }] },
      }),
      {
        onEvent: (event) => {
          events.push(event);
          // An evaluation renews the report, and the step after it is told before anything else does.
          if (event.kind === 'step' && event.step === 21) {
            meanwhile = readFileSync(join(folder, 'whole/training/report.html'), 'utf8');
          }
        },
      },
    );
    expect(result).toMatchObject({ ended: 'done', step: 60, broken: { count: 0 } });
    const lines = await steps('whole');
    expect(lines).toHaveLength(60);
    expect(lines.at(-1)!.loss).toBeLessThan(lines[0]!.loss - 0.3);
    expect(lines[0]).toMatchObject({ step: 1, steps: 1, parts: { contrastive: lines[0]!.loss } });

    const evaluations = events.filter((event) => event.kind === 'evaluation');
    expect(evaluations.map(({ step }) => step)).toEqual([20, 40, 60]);
    const best = Math.max(...evaluations.map(({ score }) => score));
    expect(best).toBeGreaterThan(0.9);
    const firstBest = evaluations.find(({ score }) => score === best)!;
    expect(result.bestStep).toBe(firstBest.step);
    expect((await checkpointsOf('whole')).map(({ step }) => step)).toContain(firstBest.step);
    const { metadata } = await openWeights(join(result.model, 'model.safetensors'));
    expect(JSON.parse(metadata.eidos_training!)).toMatchObject({ step: firstBest.step });

    const clip = await loadClip(result.model, { threads: 1 });
    try {
      const classifier = await createZeroShotClassifier(clip, ['red', 'green', 'blue', 'yellow'], {
        templates: ['a {} square'],
      });
      const answers = await classifier.classify([join(pictures, 'blue/3.png'), join(pictures, 'red/1.png')]);
      expect(answers.map((answer) => 'results' in answer && answer.results[0]?.label)).toEqual([
        'blue',
        'red',
      ]);
    } finally {
      await clip.close();
    }
    const saved = JSON.parse(await readFile(join(result.model, 'training/config.json'), 'utf8'));
    expect(saved).toMatchObject({
      batch: 8,
      seed: 1,
      energy: { wattsPerCore: 12 },
      data: { maxBrokenShare: 0.01 },
    });
    const html = await readFile(result.report, 'utf8');
    expect(html).toContain('24 pictures from colours (24); 4 classes');
    expect(html).toContain('<strong>Done</strong> at step 60');
    expect(html).not.toContain('http-equiv="refresh"');
    expect(meanwhile).toContain('<strong>Running</strong> at step 20');
    expect(meanwhile).toContain('http-equiv="refresh"');
    expect(await readdir(join(result.model, 'training'))).not.toContain('candidate');
    expect(result.energy.kilowattHours).toBeGreaterThan(0);
  });

  test('names pictures by cached words of classes, which are renewed, and goes on exactly with them', async () => {
    const cached = (name: string) =>
      config(name, {
        loss: { classification: { classes: 'cached', renewEverySteps: 4, temperature: 0.1 } },
        checkpoints: { everySteps: 1, keepLast: 100 },
      });
    await train(cached('named'));
    const lines = await steps('named');
    expect(lines.at(-1)!.parts.classification).toBeLessThan(lines[0]!.parts.classification! - 0.1);
    const rows = async (name: string, step: number) => {
      const { path } = (await checkpointsOf(name)).find((checkpoint) => checkpoint.step === step)!;
      return (await readCheckpoint(path)).state.get('classification.embeddings')!;
    };
    expect((await rows('named', 1)).shape).toEqual([4, 8]);
    expect(await rows('named', 4)).toEqual(await rows('named', 1));
    expect(await rows('named', 5)).not.toEqual(await rows('named', 4));

    // Between two renewals, where the words are older than the text tower.
    await trainUntil(cached('named in parts'), 6);
    await train(cached('named in parts'), { resume: true });
    const losses = (all: StepLine[]) => all.map(({ loss }) => loss);
    expect(losses(await steps('named in parts'))).toEqual(losses(lines));
  });

  test('names pictures in the words of a text tower that nothing trains, also when it goes on', async () => {
    const first = await train(config('words'));
    const named = (name: string) => ({
      ...config(name, {
        initialise: { from: first.model },
        loss: {
          contrastive: { weight: 0 },
          classification: { classes: 'cached', renewEverySteps: 4, temperature: 0.1 },
        },
        optimizer: { learningRate: 0.01 },
        regularisation: {},
      }),
      architecture: undefined,
      tokenizer: undefined,
    });
    await train(named('named alone'));
    await trainUntil(named('named alone in parts'), 6);
    await train(named('named alone in parts'), { resume: true });
    const losses = async (name: string) => (await steps(name)).map(({ loss }) => loss);
    expect(await losses('named alone')).toHaveLength(12);
    expect(await losses('named alone in parts')).toEqual(await losses('named alone'));
  });

  test('that was stopped goes on exactly: the same losses, the same weights', async () => {
    await train(config('straight'));
    const stopped = await trainUntil(config('halting'), 5);
    expect(stopped).toMatchObject({ ended: 'stopped', step: 5 });
    await loadClip(stopped.model).then((clip) => clip.close());
    await trainUntil({ ...config('halting') }, 9).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'invalid_option', message: expect.stringContaining('--resume') });
    });
    const result = await train(config('halting'), { resume: true });
    expect(result).toMatchObject({ ended: 'done', step: 12 });

    const figures = (lines: StepLine[]) =>
      lines.map(({ step, loss, gradientNorm, temperature, learningRate }) => ({
        step,
        loss,
        gradientNorm,
        temperature,
        learningRate,
      }));
    expect(figures(await steps('halting'))).toEqual(figures(await steps('straight')));
    const [one, other] = await Promise.all(
      ['straight', 'halting'].map(async (name) => readCheckpoint((await checkpointsOf(name)).at(-1)!.path)),
    );
    expect(other!.state).toEqual(one!.state);
    expect([...one!.state.keys()].filter((name) => name.startsWith('ema:')).length).toBeGreaterThan(10);
    const weights = (name: string) => readFile(join(folder, name, 'model.safetensors'));
    // Behind the notes in the header the numbers are the same.
    expect((await weights('halting')).subarray(-2000)).toEqual((await weights('straight')).subarray(-2000));
  });

  test('goes on where its folder has been moved to', async () => {
    await trainUntil(config('here', { until: { steps: 6 } }), 3);
    await rename(join(folder, 'here'), join(folder, 'there'));
    const moved = await savedConfig(join(folder, 'there'), { resume: true });
    const result = await train(moved, { resume: true });
    expect(result).toMatchObject({ step: 6, model: join(folder, 'there') });
    await expect(readdir(join(folder, 'here'))).rejects.toThrow('ENOENT');
  });

  test('has lines over several steps that do not change by a stop between', async () => {
    const every = { logEverySteps: 4 };
    await train(config('lines', every));
    const controller = new AbortController();
    let checked = 0;
    // Asked before every step: true from the third time on stops after two steps.
    const signal = new Proxy(controller.signal, {
      get: (target, key) => (key === 'aborted' ? ++checked > 2 : Reflect.get(target, key)),
    });
    const stopped = await train(config('cut lines', every), { signal });
    expect(stopped).toMatchObject({ ended: 'stopped', step: 2 });
    await train(config('cut lines', every), { resume: true });
    const losses = async (name: string) =>
      (await steps(name)).map(({ step, steps, loss }) => [step, steps, loss]);
    expect(await losses('cut lines')).toEqual(await losses('lines'));
  });

  test('is another one when its configuration is: what differs is named', async () => {
    await cp(join(folder, 'straight'), join(folder, 'other'), { recursive: true });
    const resume = (changes: Partial<TrainingConfigInput>) =>
      train(config('other', changes), { resume: true });
    await expect(resume({ seed: 2, batch: 4 })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(/"batch" was 8 and is 4; "seed" was 1 and is 2/),
    });
    await expect(resume({ regularisation: { patchDropout: 0.5 } })).rejects.toThrow(
      '"regularisation.patchDropout" was 0.25 and is 0.5',
    );
    expect(await resume({ until: { steps: 14 }, logEverySteps: 2 })).toMatchObject({
      ended: 'done',
      step: 14,
    });
  });

  test('does not write over a model, nor over another training', async () => {
    await expect(train(config('straight'))).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('holds a training already'),
    });
    await cp(join(folder, 'straight'), join(folder, 'model'), { recursive: true });
    const refused = { code: 'invalid_option', message: expect.stringContaining('holds a model already') };
    await rm(join(folder, 'model/training/checkpoints'), { recursive: true });
    await expect(train(config('model'))).rejects.toMatchObject(refused);
    await expect(train(config('model'), { resume: true })).rejects.toMatchObject(refused);
    await rm(join(folder, 'model/training'), { recursive: true });
    await expect(train(config('model'))).rejects.toMatchObject(refused);
  });

  test('knows its best step from the checkpoint, also where that was saved before it was measured', async () => {
    const evaluation = { everySteps: 50, sets: [{ dataset: pictures }] };
    const wanted = config('late', { until: { steps: 2 }, checkpoints: { everySteps: 2 }, evaluation });
    expect(await train(wanted)).toMatchObject({ bestStep: 2 });
    const best = async () => (await readCheckpoint((await checkpointsOf('late')).at(-1)!.path)).progress.best;
    expect(await best()).toMatchObject({ step: 2 });

    // Of other sets the step that is there is measured before it goes on, and where nothing is left to be done, too.
    const said: string[] = [];
    const onEvent = (event: TrainingEvent): void => {
      if (event.kind === 'warning') said.push(event.message);
      if (event.kind === 'evaluation') said.push(`${event.step} of ${event.measurements[0]?.n}`);
    };
    for (const number of [8, 4]) {
      const anew = { everySteps: 50, sets: [{ dataset: pictures, pictures: number }] };
      await train({ ...wanted, until: { steps: 3 }, evaluation: anew }, { resume: true, onEvent });
    }
    const changed = expect.stringContaining('"evaluation.sets" have changed');
    expect(said).toEqual([changed, '2 of 8', '3 of 8', changed, '3 of 4']);
  });

  test('tells that its pictures are others when it goes on, and may warm up otherwise once that is behind', async () => {
    const own = join(folder, 'own colours');
    await writeColourFolders(own, 3);
    const wanted = (number: number, warmupSteps: number) =>
      tinyTraining(own, join(folder, 'grown'), {
        until: { steps: number },
        optimizer: { learningRate: 0.01, schedule: { kind: 'cosine', warmupSteps } },
      });
    await train(wanted(2, 2));
    await writeColourFolders(own, 4);
    const messages: string[] = [];
    const onEvent = (event: TrainingEvent): void => {
      if (event.kind === 'warning') messages.push(event.message);
    };
    await train(wanted(3, 3), { resume: true, onEvent }).catch((error: Error) =>
      messages.push(error.message),
    );
    expect(messages).toEqual([expect.stringContaining('"optimizer.schedule.warmupSteps" was 2 and is 3')]);
    expect(await train(wanted(3, 1), { resume: true, onEvent })).toMatchObject({ step: 3 });
    expect(messages.slice(1)).toEqual([expect.stringContaining('other batches than it would have had')]);
  });

  test('of one picture alone is refused', async () => {
    const [name] = await readdir(join(pictures, 'red'));
    await cp(join(pictures, 'red', name!), join(folder, 'single/red/a.png'), { recursive: true });
    const training = tinyTraining(join(folder, 'single'), join(folder, 'of one'), {
      batch: 4,
      until: { steps: 1 },
    });
    await expect(train(training)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(/one picture \(.*a\.png.*teaches nothing/),
    });
  });

  test('of one class alone warns that it can learn nothing', async () => {
    const messages: string[] = [];
    const trainOn = (path: string) =>
      train(tinyTraining(path, join(folder, 'one class'), { batch: 4, until: { steps: 1 } }), {
        onEvent: (event) => {
          if (event.kind === 'warning') messages.push(event.message);
        },
      });
    await trainOn(join(pictures, 'red')).catch((error: Error) => messages.push(error.message));
    await cp(join(pictures, 'red'), join(folder, 'alone/red'), { recursive: true });
    await trainOn(join(folder, 'alone'));
    expect(messages).toEqual([
      expect.stringContaining('is empty or no data that eidos knows'),
      expect.stringContaining('have the same words ("red")'),
    ]);
  });

  test('that is stopped before it could measure makes up for it when it goes on', async () => {
    const evaluation = { everySteps: 2, sets: [{ dataset: pictures }] };
    const wanted = config('unmeasured', { until: { steps: 4 }, evaluation });
    expect(await trainUntil(wanted, 2)).toMatchObject({ ended: 'stopped', step: 2 });
    const measured: number[] = [];
    const controller = new AbortController();
    const onEvent = (event: TrainingEvent): void => {
      if (event.kind === 'evaluation') measured.push(event.step);
      if (event.kind === 'step' && event.step === 4) controller.abort();
    };
    // The last step is done, its measurement is not.
    const stopped = await train(wanted, { resume: true, signal: controller.signal, onEvent });
    expect(stopped).toMatchObject({ ended: 'stopped', step: 4 });
    expect(measured).toEqual([2]);
    expect(await train(wanted, { resume: true, onEvent })).toMatchObject({ ended: 'done', step: 4 });
    expect(measured).toEqual([2, 4]);
  });

  test('can be stopped before its first step, while its data are prepared', async () => {
    const controller = new AbortController();
    const sources = ['one', 'two'].map((name) => ({ path: pictures, name }));
    const wanted = config('unprepared', { data: { sources, cache: join(folder, 'cache') } });
    const prepared: string[] = [];
    const onEvent = (event: TrainingEvent): void => {
      if (event.kind !== 'preparing') return;
      prepared.push(event.what);
      controller.abort();
    };
    await expect(train(wanted, { signal: controller.signal, onEvent })).rejects.toMatchObject({
      code: 'aborted',
    });
    expect(prepared).toEqual(['Packing the pictures of one']);
    // Nor is anything saved where nothing is to be prepared.
    const signal = AbortSignal.abort();
    await expect(train(config('unbegun'), { signal })).rejects.toMatchObject({ code: 'aborted' });
    await expect(checkpointsOf('unbegun')).resolves.toEqual([]);
  });

  test('that no step can be made of is refused before its data are prepared', async () => {
    const cases: [Partial<TrainingConfigInput>, string][] = [
      [{ freeze: ['txet'] }, 'freeze: "txet" is the name of no parameter'],
      [{ freeze: ['image', 'text', 'logit_*'] }, 'every parameter is frozen'],
      [
        { architecture: { ...config('x').architecture!, image: smallResnet } },
        'patchDropout is for Vision Transformers',
      ],
      [
        { architecture: { ...config('x').architecture!, image: smallResnet }, regularisation: {}, chunk: 4 },
        'chunk',
      ],
    ];
    for (const [changes, message] of cases) {
      const events: string[] = [];
      const wanted = config('impossible', {
        data: { sources: [{ path: pictures }], cache: join(folder, 'never') },
        ...changes,
      });
      await expect(train(wanted, { onEvent: ({ kind }) => events.push(kind) })).rejects.toMatchObject({
        code: 'invalid_option',
        message: expect.stringContaining(message),
      });
      expect(events, message).toEqual(['config']);
    }
  });

  test('begins with a model, of which a tower may stay as it is', async () => {
    const {
      architecture: _,
      tokenizer: __,
      ...rest
    } = config('tuned', {
      initialise: { from: join(folder, 'straight') },
      freeze: ['text'],
      until: { steps: 2 },
    });
    await train(rest);
    const before = await readCheckpoint((await checkpointsOf('straight')).at(-1)!.path);
    const after = await readCheckpoint((await checkpointsOf('tuned')).at(-1)!.path);
    const name = 'text.blocks.0.mlp.up.weight';
    const text = [...after.state.keys()].filter((key) => key.startsWith('text.'));
    expect(text).toContain(name);
    // The folder has the averages, which were published.
    for (const key of text)
      expect(after.state.get(key)?.data, key).toEqual(before.state.get(`ema:${key}`)?.data);
    expect([...after.state.keys()].filter((key) => key.startsWith('mean:text.'))).toEqual([]);
    const image = 'image.blocks.0.mlp.up.weight';
    expect(after.state.get(image)?.data).not.toEqual(before.state.get(`ema:${image}`)?.data);
  });

  test('begins with the checkpoint of another, averages and all', async () => {
    const { architecture: _, tokenizer: __, ...rest } = config('branch', { until: { steps: 1 } });
    const { path } = (await checkpointsOf('straight')).at(-1)!;
    await train({
      ...rest,
      initialise: { from: path },
      optimizer: { learningRate: 1e-12, schedule: { kind: 'constant', warmupSteps: 0 } },
    });
    const before = await readCheckpoint(path);
    const after = await readCheckpoint((await checkpointsOf('branch')).at(-1)!.path);
    const name = 'image.blocks.1.mlp.up.weight';
    expect(after.state.get(name)?.data[7]).toBeCloseTo(before.state.get(`ema:${name}`)!.data[7]!, 6);
    expect(after.state.get(name)?.data[7]).not.toBeCloseTo(before.state.get(name)!.data[7]!, 6);
  });

  test('may compare with a sigmoid and classify by the words of classes, in towers that only eidos knows', async () => {
    const { architecture } = config('x');
    const result = await train(
      config('sigmoid', {
        architecture: {
          ...architecture!,
          image: {
            kind: 'convnext',
            imageSize: 16,
            patchSize: 4,
            widths: [8, 16],
            blocks: [1, 1],
            kernelSize: 3,
          },
        },
        probability: 'sigmoid',
        loss: { contrastive: { weight: 1 }, classification: { weight: 0.5, temperature: 0.1 } },
        regularisation: {},
        until: { steps: 2 },
      }),
    );
    const [, last] = await steps('sigmoid');
    expect(Object.keys(last!.parts)).toEqual(['contrastive', 'classification']);
    expect(last!.loss).toBeCloseTo(last!.parts.contrastive! + 0.5 * last!.parts.classification!, 4);
    const clip = await loadClip(result.model, { threads: 1 });
    expect(clip.config).toMatchObject({ layout: 'eidos', architecture: { probability: 'sigmoid' } });
    await clip.close();
  });

  test('whose model is larger than its memory goes chunk by chunk', async () => {
    const noise = { regularisation: {} };
    await train(config('at once', { ...noise, until: { steps: 3 } }));
    await train(config('chunks', { ...noise, until: { steps: 3 }, chunk: 4 }));
    const [whole, chunks] = [await steps('at once'), await steps('chunks')];
    for (const [at, { loss }] of whole.entries()) expect(chunks[at]!.loss).toBeCloseTo(loss, 4);
  });
});

describe('a training that goes wrong', () => {
  test('by a loss that is no number ends with step, batch and gradients named, and keeps the last checkpoint', async () => {
    const wild = config('wild', {
      optimizer: { learningRate: 1e30, schedule: { kind: 'constant', warmupSteps: 0 } },
      checkpoints: { everySteps: 1 },
    });
    const error = await train(wild).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'not_finite' });
    const { message } = error as Error;
    expect(message).toMatch(/The loss of step \d+ is (NaN|-?Infinity)/);
    expect(message).toMatch(/Its batch: .*(red|green|blue|yellow)\/\d\.png/);
    expect(message).toMatch(/image\.|text\./);
    const [last] = (await checkpointsOf('wild')).slice(-1);
    expect(message).toContain(last!.path);
    expect(await readFile(join(folder, 'wild/training/report.html'), 'utf8')).toContain('Ended by an error');
  });

  test('for want of data says so', async () => {
    await expect(
      train(config('none', { data: { sources: [{ path: join(folder, 'nowhere') }] } })),
    ).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('nowhere'),
    });
    const empty = await mkdtemp(join(folder, 'empty-'));
    await expect(train(config('none', { data: { sources: [{ path: empty }] } }))).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining(empty),
    });
    await expect(
      train(config('none', { evaluation: { everySteps: 5, sets: [{ dataset: empty }] } })),
    ).rejects.toMatchObject({ message: expect.stringContaining(empty) });
    const labelsFile = join(folder, 'labels.tsv');
    await writeFile(labelsFile, 'crimson\tred\n');
    await expect(
      train(config('none', { evaluation: { everySteps: 5, sets: [{ dataset: pictures, labelsFile }] } })),
    ).rejects.toMatchObject({ message: expect.stringContaining('"crimson"') });
    await expect(readdir(join(folder, 'none'))).rejects.toThrow('ENOENT');
  });

  test('for an image tower of other features than the data have', async () => {
    const features = join(folder, 'features.u8');
    await writeFile(features, new Uint8Array(24 * 4).fill(9));
    const data = { sources: [{ path: pictures, features }], teacher: { width: 4 } };
    const imageTower = { kind: 'teacher' as const, size: 1280 };
    await expect(train(config('blind', { data, imageTower, regularisation: {} }))).rejects.toMatchObject({
      code: 'config_mismatch',
      message: '"imageTower.size" is 1280, but the data have 4 features a picture.',
    });
  });

  test('for a tokenizer that is not the model’s names both', async () => {
    const { architecture: _, ...rest } = config('alien', { initialise: { from: join(folder, 'straight') } });
    await expect(
      train({ ...rest, tokenizer: { train: { size: 600, contextLength: 10 } } }),
    ).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(/"tokenizer" has \d+ tokens and rows of 10/),
    });
  });
});

describe('a configuration', () => {
  test('comes from a file, with paths from its folder and all defaults', async () => {
    await writeFile(
      join(folder, 'train.json'),
      JSON.stringify({
        output: 'out/model',
        data: { sources: [{ path: 'colours' }] },
        until: { minutes: 3 },
        initialise: { from: 'straight' },
        evaluation: { everySteps: 5, sets: [{ dataset: '../sets/cifar10' }] },
      }),
    );
    const full = await readTrainingConfig(join(folder, 'train.json'));
    expect(full.output).toBe(join(folder, 'out/model'));
    expect(full.data.sources[0]?.path).toBe(pictures);
    expect(full.initialise?.from).toBe(join(folder, 'straight'));
    expect(full.evaluation?.sets[0]?.dataset).toBe(join(folder, '../sets/cifar10'));
    expect(full).toMatchObject({
      batch: 64,
      loss: { contrastive: { weight: 1 } },
      optimizer: { beta2: 0.98, schedule: { kind: 'cosine' } },
      checkpoints: { keepLast: 2, everyMinutes: 5 },
    });
    // What was completed is complete: it comes back as it is.
    expect(await readTrainingConfig(full)).toEqual(full);
    const named = await readTrainingConfig({
      ...config('x'),
      initialise: { from: 'openai/clip-vit-base-patch32' },
    });
    expect(named.initialise?.from).toBe('openai/clip-vit-base-patch32');
  });

  test.each([
    [{ bach: 3 }, '"bach" is no field; did you mean "batch"?'],
    [{ optimizer: { learnRate: 3 } }, '"optimizer.learnRate" is no field; did you mean "learningRate"?'],
    [{ until: { epochs: 3 } }, '"until.epochs" is no field; there are steps, minutes.'],
    [
      { architecture: { image: { kind: 'vitt' } } },
      '"architecture.image.kind" must be one of "vit", "resnet",',
    ],
    [{ data: { sources: [] } }, '"data.sources"'],
    [
      { data: { sources: [{ path: 'x', wieght: 2 }] } },
      '"data.sources.0.wieght" is no field; did you mean "weight"?',
    ],
    [
      { evaluation: { everySteps: 5, sets: [{ dataset: 'x', language: 'fr' }] } },
      '"evaluation.sets.0.language" must be one of "en", "de"',
    ],
    [{ chunk: 3 }, '"chunk": is 3, but "batch" 8 must be a multiple of it.'],
    [{ loss: { similarities: { between: 'pairs' } } }, '"loss.similarities.between": must be "images"'],
    [{ loss: { features: {} } }, '"loss.features": is about a teacher'],
    [{ imageTower: { kind: 'teacher', size: 4 } }, '"imageTower": is about a teacher'],
    [
      { data: { sources: [{ path: 'x', features: 'x.u8' }] } },
      '"data.sources.0.features": is about a teacher',
    ],
    [
      { data: { sources: [{ path: 'x' }], captions: { templates: { en: 'a photo' } } } },
      '"data.captions.templates.en": "a photo" is neither a set of templates',
    ],
    [
      { evaluation: { everySteps: 5, sets: [{ dataset: 'x', templates: 'cifra' }] } },
      '"evaluation.sets.0.templates": "cifra" is neither a set of templates',
    ],
    [
      {
        architecture: {
          embeddingSize: 8,
          image: { kind: 'convnext', imageSize: 16, patchSize: 4, widths: [8], blocks: [1], kernelSize: 4 },
          text: { width: 16, layers: 1 },
        },
      },
      '"architecture.image.kernelSize": must be odd',
    ],
  ])('with a fault is refused: %j', async (changes, message) => {
    const wanted = { ...config('faulty'), ...changes } as TrainingConfigInput;
    await expect(readTrainingConfig(wanted)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining(message),
    });
  });

  test('of a folder warms up within its steps, however few', async () => {
    for (const steps of [1, 10, 300]) {
      const wanted = folderConfig({ folder: pictures, output: 'x', steps });
      const { optimizer } = await readTrainingConfig(wanted);
      expect(optimizer.schedule.warmupSteps).toBeLessThanOrEqual(Math.max(1, steps / 10));
    }
  });

  test('that is no JSON, or not there, is refused by its path', async () => {
    await writeFile(join(folder, 'broken.json'), '{ "batch": ');
    await expect(readTrainingConfig(join(folder, 'broken.json'))).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('broken.json is no JSON'),
    });
    await expect(readTrainingConfig(join(folder, 'none.json'))).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('none.json'),
    });
  });
});

test('evaluations say what they are of', async () => {
  const lines = await readMetricsLog(join(folder, 'whole/training/metrics.jsonl'));
  const evaluation = lines.find((line): line is EvaluationLine => line.kind === 'evaluation');
  expect(evaluation?.measurements[0]).toMatchObject({ dataset: 'colours', metric: 'accuracy@1', n: 24 });
  expect(lines.some(({ kind }) => kind === 'energy')).toBe(true);
});
