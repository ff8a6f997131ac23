import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  openCheckpoint,
  openWeights,
  readBytes,
  readParameter,
  readTensor,
} from '../../src/checkpoint/index.ts';
import { createEngine, type Engine, type RuntimeTensor } from '../../src/engine/engine.ts';
import { lower } from '../../src/engine/onnx/lower.ts';
import { elementCount } from '../../src/graph/tensor.ts';
import { stepScalars, trainingStep } from '../../src/train/step.ts';
import { sharedFixtures } from '../fixtures.ts';

const fixture = `${sharedFixtures}training/`;
let engine: Engine;
beforeAll(() => {
  engine = createEngine();
});
afterAll(() => engine.close());

interface Trace {
  lr: number;
  warmup: number;
  betas: [number, number];
  eps: number;
  weight_decay: number;
  clip_grad_norm: number;
  logit_scale_max: number;
  steps: { step: number; lr: number; loss: number; grad_norm: number; logit_scale: number }[] | number;
  trace: { step: number; lr: number; loss: number; grad_norm: number; logit_scale: number }[];
}

describe.skipIf(sharedFixtures === undefined)('twenty steps against the original', () => {
  test('loss, gradient norm, logit scale and final parameters', { timeout: 120_000 }, async () => {
    const trace = JSON.parse(await readFile(`${fixture}trace.json`, 'utf8')) as Trace & {
      log?: Trace['trace'];
    };
    const steps = Object.values(trace).find(
      (v): v is Trace['trace'] => Array.isArray(v) && typeof v[0] === 'object',
    )!;
    const initial = await openCheckpoint(`${fixture}initial.safetensors`, { activation: 'quick_gelu' });
    const { tensors } = await openWeights(`${fixture}batches.safetensors`);
    const pixels = tensors.get('pixels')!;
    const tokens = tensors.get('tokens')!;
    const [batches, batch] = pixels.shape as [number, number];
    const options = {
      batch,
      beta1: trace.betas[0],
      beta2: trace.betas[1],
      epsilon: trace.eps,
      weightDecay: trace.weight_decay,
      maxGradientNorm: trace.clip_grad_norm,
      maxLogitScale: trace.logit_scale_max,
    };
    const program = trainingStep(initial.architecture, options);
    const session = await engine.compile(lower(program.results));

    const state: Record<string, RuntimeTensor> = {};
    for (const { name, shape } of program.parameters) {
      const data = await readParameter(initial.parameters.get(name)!);
      state[name] = { type: 'float32', data: data as Float32Array, shape };
      for (const moment of ['mean', 'square']) {
        state[`${moment}:${name}`] = { type: 'float32', data: new Float32Array(elementCount(shape)), shape };
      }
    }
    await session.setState(state);

    const allPixels = await readTensor(pixels);
    const allTokens = new BigInt64Array((await readBytes(tokens)).slice().buffer);
    const cut = <T extends Float32Array | BigInt64Array>(all: T, i: number): T => {
      const length = all.length / batches;
      return all.slice((i % batches) * length, ((i % batches) + 1) * length) as T;
    };
    for (const { step, lr, loss, grad_norm, logit_scale } of steps) {
      const scalars = Object.entries(stepScalars(step + 1, lr, options)).map(([name, number]) => [
        name,
        { type: 'float32', data: Float32Array.of(number), shape: [] } as RuntimeTensor,
      ]);
      const feeds = {
        pixels: { type: 'float32', data: cut(allPixels, step), shape: pixels.shape.slice(1) },
        tokens: { type: 'int64', data: cut(allTokens, step), shape: tokens.shape.slice(1) },
        ...Object.fromEntries(scalars),
      } as Record<string, RuntimeTensor>;
      const fetches = ['loss', 'gradient_norm', 'temperature'];
      const out = await session.run(feeds, { fetches, feedback: program.feedback });
      const number = (name: string): number => Number(out[name]!.data[0]);
      const tolerance = step < 5 ? 1e-4 : 1e-3;
      expect(Math.abs(number('loss') / loss - 1), `loss of step ${step}`).toBeLessThan(tolerance);
      expect(Math.abs(number('gradient_norm') / grad_norm - 1), `norm of step ${step}`).toBeLessThan(
        5 * tolerance,
      );
      expect(Math.abs(-Math.log(number('temperature')) - logit_scale), `scale of step ${step}`).toBeLessThan(
        1e-4,
      );
    }
    const final = await openCheckpoint(`${fixture}final.safetensors`, { activation: 'quick_gelu' });
    const got = await session.getState(program.parameters.map(({ name }) => name));
    for (const { name } of program.parameters) {
      const wanted = await readParameter(final.parameters.get(name)!);
      const difference = Math.max(...wanted.map((value, i) => Math.abs(value - Number(got[name]!.data[i]))));
      expect(difference, name).toBeLessThan(2e-3);
    }
  });
});
