/** Whole trainings of the original PyTorch code, step by step: losses, gradient norms, rates and final parameters. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Checkpoint,
  openCheckpoint,
  openWeights,
  readBytes,
  readParameter,
  readTensor,
} from '../../../src/checkpoint/index.ts';
import { createEngine, type Engine } from '../../../src/engine/engine.ts';
import { elementCount } from '../../../src/graph/tensor.ts';
import { optimizerSchema } from '../../../src/train/step/config.ts';
import { type OpenStep, openStep } from '../../../src/train/step/open-step.ts';
import type { Tensors } from '../../../src/train/step/program.ts';
import { learningRateAt } from '../../../src/train/step/schedule.ts';
import { sharedFixtures } from '../../fixtures.ts';
import { publishedArrays } from '../../parity/model.ts';
import { number } from './toy.ts';

interface Row {
  lr: number;
  loss: number;
  grad_norm: number;
  logit_scale: number;
  logit_scale_grad?: number;
}

interface Trace {
  lr: number;
  warmup: number;
  steps: number;
  weight_decay: number;
  betas: [number, number];
  eps: number;
  clip_grad_norm: number;
  rows: Row[];
  final_parameters: Record<string, { norm: number; sum: number; first: number[] }>;
}

let engine: Engine;
beforeAll(() => {
  engine = createEngine({ threads: 1 });
});
afterAll(() => engine.close());

const folder = `${sharedFixtures}training/`;

async function traceOf<T extends object = Trace>(name: string): Promise<T> {
  return JSON.parse(await readFile(`${sharedFixtures}${name}/trace.json`, 'utf8')) as T;
}

interface Steps {
  rows: { loss: number; gradientNorm: number; logitScale: number; scaleGradient: number; rate: number }[];
  /** After the last step, under published names. */
  parameters: Awaited<ReturnType<typeof publishedArrays>>;
}

/** Trains as the trace says, from the weights and with the batches of the folder `training`. */
async function train(trace: Trace, how: { sigmoid?: boolean; chunk?: number } = {}): Promise<Steps> {
  const initial = await openCheckpoint(`${folder}initial.safetensors`, { activation: 'quick_gelu' });
  const { tensors } = await openWeights(`${folder}batches.safetensors`);
  const pixels = { ...tensors.get('pixels')!, data: await readTensor(tensors.get('pixels')!) };
  const tokens = tensors.get('tokens')!;
  const ids = new BigInt64Array((await readBytes(tokens)).slice().buffer);
  const [count, batch] = pixels.shape as [number, number];
  const optimizer = optimizerSchema.parse({
    learningRate: trace.lr,
    schedule: { kind: 'cosine', warmupSteps: trace.warmup },
    beta1: trace.betas[0],
    beta2: trace.betas[1],
    epsilon: trace.eps,
    weightDecay: trace.weight_decay,
    maxGradientNorm: trace.clip_grad_norm,
  });
  const architecture = how.sigmoid
    ? { ...initial.architecture, probability: 'sigmoid' as const, logitBias: true }
    : initial.architecture;
  const step = await openStep(engine, architecture, { batch, optimizer, chunk: how.chunk });
  const given = how.sigmoid ? { logit_scale: Math.log(10), logit_bias: -10 } : {};
  await step.setState(await firstState(step, initial, given));

  const rows: Steps['rows'] = [];
  for (let at = 1; at <= trace.steps; at++) {
    const cut = <T extends Float32Array | BigInt64Array>(all: T): T => {
      const length = all.length / count;
      const place = (at - 1) % count;
      return all.slice(place * length, (place + 1) * length) as T;
    };
    const rate = learningRateAt(optimizer, { step: at, minutes: 0 }, { steps: trace.steps });
    const told = await step.run(
      {
        pixels: { type: 'float32', data: cut(pixels.data), shape: pixels.shape.slice(1) },
        tokens: { type: 'int64', data: cut(ids), shape: tokens.shape.slice(1) },
      },
      { step: at, learningRate: rate, seed: 0 },
    );
    rows.push({
      rate,
      loss: number(told, 'loss'),
      gradientNorm: number(told, 'gradient_norm'),
      logitScale: -Math.log(number(told, 'temperature')),
      scaleGradient: Number(told.gradient_norms!.data[step.trained.indexOf('logit_scale')]),
    });
  }
  const state = await step.getState(step.parameters.map(({ name }) => name));
  const arrays = new Map(
    Object.entries(state).map(([name, { data, shape }]) => [name, { data: data as Float32Array, shape }]),
  );
  return { rows, parameters: publishedArrays({ ...initial, architecture }, arrays) };
}

async function firstState(
  step: OpenStep,
  { parameters }: Checkpoint,
  given: Record<string, number>,
): Promise<Tensors> {
  const state: Tensors = {};
  for (const { name, shape } of step.parameters) {
    const data = name in given ? [given[name]!] : await readParameter(parameters.get(name)!);
    state[name] = { type: 'float32', data: Float32Array.from(data), shape };
    for (const moment of ['mean', 'square']) {
      state[`${moment}:${name}`] = { type: 'float32', data: new Float32Array(elementCount(shape)), shape };
    }
  }
  return state;
}

function expectRows(steps: Steps, rows: Row[], tolerance: { loss: number; norm: number }): void {
  for (const [i, row] of rows.entries()) {
    const { rate, loss, gradientNorm, logitScale, scaleGradient } = steps.rows[i]!;
    expect(rate, `rate of step ${i}`).toBeCloseTo(row.lr, 9);
    expect(Math.abs(loss - row.loss), `loss of step ${i}`).toBeLessThan(tolerance.loss);
    expect(Math.abs(gradientNorm / row.grad_norm - 1), `norm of step ${i}`).toBeLessThan(tolerance.norm);
    expect(Math.abs(logitScale - row.logit_scale), `scale of step ${i}`).toBeLessThan(1e-4);
    if (row.logit_scale_grad === undefined) continue;
    expect(Math.abs(scaleGradient - Math.abs(row.logit_scale_grad)), `its gradient, step ${i}`).toBeLessThan(
      1e-3,
    );
  }
}

function expectParameters({ parameters }: Steps, final: Trace['final_parameters'], tolerance: number): void {
  for (const [name, { norm, first }] of Object.entries(final)) {
    const data = Array.from(parameters.get(name)?.data ?? [Number.NaN]);
    first.forEach((value, i) => {
      expect(Math.abs(data[i]! - value), `${name}[${i}]`).toBeLessThan(tolerance);
    });
    expect(Math.abs(Math.hypot(...data) - norm), `norm of ${name}`).toBeLessThan(tolerance);
  }
}

describe.skipIf(sharedFixtures === undefined)('beside the original', { timeout: 120_000 }, () => {
  test('twenty steps with the symmetric cross-entropy', async () => {
    const trace = await traceOf('training');
    const steps = await train(trace);
    for (const [i, { loss }] of trace.rows.entries()) {
      const relative = Math.abs(steps.rows[i]!.loss / loss - 1);
      expect(relative, `loss of step ${i}`).toBeLessThan(i < 5 ? 1e-4 : 1e-3);
    }
    expectRows(steps, trace.rows, { loss: 2e-3, norm: 5e-3 });
    const { tensors } = await openWeights(`${folder}final.safetensors`);
    for (const [name, tensor] of tensors) {
      const wanted = await readTensor(tensor);
      const got = steps.parameters.get(name)!.data;
      const worst = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(got[i]))), 0);
      expect(worst, name).toBeLessThan(2e-3);
    }
  });

  test('five steps with the sigmoid loss', async () => {
    const trace = await traceOf('training-siglip');
    const steps = await train(trace, { sigmoid: true });
    expectRows(steps, trace.rows, { loss: 2e-4, norm: 1e-3 });
    expectParameters(steps, trace.final_parameters, 2e-4);
  });

  test('eight steps in two chunks each, which equal those of the whole batch', async () => {
    const trace = await traceOf<Omit<Trace, 'rows'> & { micro_batch: number; rows: Record<string, Row[]> }>(
      'training-accumulation',
    );
    const whole = trace.rows['one pass over the whole batch']!;
    const cached = trace.rows['cached features, scale counted once']!;
    const steps = await train({ ...trace, rows: cached }, { chunk: trace.micro_batch });
    expectRows(steps, cached, { loss: 1e-4, norm: 1e-3 });
    expectRows(steps, whole, { loss: 1e-4, norm: 1e-3 });
    expectParameters(steps, trace.final_parameters, 2e-4);
  });
});
