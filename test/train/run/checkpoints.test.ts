import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../../../src/checkpoint/index.ts';
import { clearUnfinished } from '../../../src/disk/whole-file.ts';
import {
  listCheckpoints,
  readCheckpoint,
  type TrainingProgress,
  tidyCheckpoints,
  writeCheckpoint,
} from '../../../src/train/run/checkpoints.ts';
import { openMetricsLog, readMetricsLog, type StepLine } from '../../../src/train/run/metrics-log.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-checkpoints-'));
});
afterAll(() => rm(folder, { recursive: true }));

const progressAt = (step: number): TrainingProgress => ({
  step,
  minutes: 0.1 + 0.2,
  kilowattHours: 1e-7,
  window: { steps: 2, sums: { loss: 0.1 + 0.7 } },
});
const stateOf = (value: number) => ({
  a: { type: 'float32' as const, data: Float32Array.of(value, -value), shape: [2] },
  'mean:a': { type: 'float32' as const, data: Float32Array.of(1e-30, Number.NaN), shape: [2] },
  logit_scale: { type: 'float32' as const, data: Float32Array.of(2.5), shape: [] },
});

describe('a checkpoint', () => {
  test('comes back to the bit, with its configuration and the place in the training', async () => {
    const progress = { ...progressAt(7), best: { step: 5, score: 0.25 } };
    const path = await writeCheckpoint(join(folder, 'one'), stateOf(0.1), { progress, config: '{"é":1}' });
    const read = await readCheckpoint(path);
    expect(read.progress).toEqual(progress);
    expect(read.config).toBe('{"é":1}');
    expect([...read.state.keys()]).toEqual(['a', 'mean:a', 'logit_scale']);
    expect(read.state.get('a')).toEqual({ data: Float32Array.of(0.1, -0.1), shape: [2] });
    expect(read.state.get('mean:a')?.data).toEqual(Float32Array.of(1e-30, Number.NaN));
    expect(read.state.get('logit_scale')?.shape).toEqual([]);
  });

  test('of another kind, or cut off, is refused by name', async () => {
    const place = join(folder, 'two');
    const path = await writeCheckpoint(place, stateOf(1), { progress: progressAt(1), config: '{}' });
    await truncate(path, 300);
    await expect(readCheckpoint(path)).rejects.toMatchObject({
      code: 'invalid_checkpoint',
      message: expect.stringContaining('step-00000001'),
    });
    const other = join(place, 'model.safetensors');
    await writeSafetensors(other, [{ name: 'a', type: 'float32', shape: [1], data: Float32Array.of(1) }]);
    await expect(readCheckpoint(other)).rejects.toMatchObject({
      code: 'invalid_checkpoint',
      message: expect.stringContaining(other),
    });
  });

  test('that cannot be written says where and what to do', async () => {
    await writeFile(join(folder, 'file'), '');
    const writing = writeCheckpoint(join(folder, 'file', 'below'), stateOf(1), {
      progress: progressAt(1),
      config: '{}',
    });
    await expect(writing).rejects.toMatchObject({
      code: 'write_failed',
      message: expect.stringMatching(/step-00000001.*name another "output"/),
    });
  });
});

test('the policy keeps the newest and the best; what was never finished is cleared away', async () => {
  const place = join(folder, 'many');
  for (const step of [5, 100, 20, 1000, 15]) {
    await writeCheckpoint(place, stateOf(step), { progress: progressAt(step), config: '{}' });
  }
  await writeFile(join(place, 'step-00000016.safetensors.123.0123abcd.tmp'), 'half');
  await writeFile(join(place, 'config.json.77.tmp'), 'half');
  await writeFile(join(place, 'notes.tmp'), 'mine');
  await tidyCheckpoints(place, { keepLast: 2, best: 15 });
  await clearUnfinished(place);
  expect((await listCheckpoints(place)).map(({ step }) => step)).toEqual([15, 100, 1000]);
  expect((await readdir(place)).sort()).toEqual([
    'notes.tmp',
    'step-00000015.safetensors',
    'step-00000100.safetensors',
    'step-00001000.safetensors',
  ]);
  expect(await listCheckpoints(join(folder, 'nowhere'))).toEqual([]);
});

describe('the log', () => {
  const line = (step: number): StepLine => ({
    kind: 'step',
    step,
    minutes: step / 3,
    steps: 10,
    loss: 1 / step,
    parts: {},
    gradientNorm: 1,
    learningRate: 0.1,
    picturesPerSecond: 100,
    waiting: 0,
  });

  test('goes on after the step that a training goes on from', async () => {
    const path = join(folder, 'metrics.jsonl');
    const log = await openMetricsLog(path, 0);
    for (const step of [10, 20, 30]) await log.append(line(step));
    await log.close();
    await writeFile(path, '{"kind":"step","step":40', { flag: 'a' }); // cut off by a kill
    expect(await readMetricsLog(path)).toEqual([10, 20, 30].map(line));
    const again = await openMetricsLog(path, 20);
    await again.append(line(25));
    await again.close();
    expect(await readMetricsLog(path)).toEqual([10, 20, 25].map(line));
    expect(again.lines).toHaveLength(3);
  });

  test('of a new training begins empty', async () => {
    const path = join(folder, 'metrics.jsonl');
    await (await openMetricsLog(path, 0)).close();
    expect(await readMetricsLog(path)).toEqual([]);
  });
});
