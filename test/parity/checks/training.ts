/** Whole training steps with AdamW: twenty with the symmetric cross-entropy, five with the sigmoid loss. */
import { type Checkpoint, openCheckpoint, readParameter } from '../../../src/checkpoint/index.ts';
import type { RuntimeTensor } from '../../../src/engine/engine.ts';
import { lower } from '../../../src/engine/onnx/lower.ts';
import { elementCount } from '../../../src/graph/tensor.ts';
import { optimizerSchema } from '../../../src/train/step/config.ts';
import { trainingStep } from '../../../src/train/step/step.ts';
import { largestDifference, type Numbers, once, type ParityCheck } from '../check.ts';
import { parityEngine } from '../engine.ts';
import { fixture, readFixtureJson, readFixtureTensors } from '../fixture-files.ts';
import { publishedArrays } from '../model.ts';

interface Trace {
  betas: [number, number];
  eps: number;
  weight_decay: number;
  clip_grad_norm: number;
  logit_scale_max: number;
  rows: { step: number; lr: number; loss: number; grad_norm: number; logit_scale: number }[];
}

interface Steps {
  loss: number[];
  gradientNorm: number[];
  logitScale: number[];
  /** After the last step, by published names. */
  parameters: Map<string, Numbers>;
}

/** Trains as the trace says, from the first weights of the folder `training`. */
async function train(trace: Trace, loss: 'softmax' | 'sigmoid'): Promise<Steps> {
  const initial = await openCheckpoint(fixture('training/initial.safetensors'), { activation: 'quick_gelu' });
  const batches = await readFixtureTensors('training/batches.safetensors');
  const pixels = batches.get('pixels')!;
  const tokens = batches.get('tokens')!;
  const [count, batch] = pixels.shape as [number, number];
  const architecture = { ...initial.architecture, probability: loss, logitBias: loss === 'sigmoid' };
  const optimizer = optimizerSchema.parse({
    beta1: trace.betas[0],
    beta2: trace.betas[1],
    epsilon: trace.eps,
    weightDecay: trace.weight_decay,
    maxGradientNorm: trace.clip_grad_norm,
    maxLogitScale: Math.exp(trace.logit_scale_max),
  });
  const program = trainingStep(architecture, { batch, optimizer });
  const session = await parityEngine().compile(lower(program.results));
  try {
    await session.setState(await firstState(initial, program.parameters, loss));
    const steps: Steps = { loss: [], gradientNorm: [], logitScale: [], parameters: new Map() };
    for (const { step, lr } of trace.rows) {
      const feeds: Record<string, RuntimeTensor> = {
        pixels: float(Float32Array.from(cut(pixels, step, count)), pixels.shape.slice(1)),
        tokens: {
          type: 'int64',
          data: BigInt64Array.from(cut(tokens, step, count), BigInt),
          shape: tokens.shape.slice(1),
        },
        ...program.inputs({ step: step + 1, learningRate: lr, seed: 0 }),
      };
      const fetches = ['loss', 'gradient_norm', 'temperature'];
      const out = await session.run(feeds, { fetches, feedback: program.feedback });
      steps.loss.push(Number(out.loss!.data[0]));
      steps.gradientNorm.push(Number(out.gradient_norm!.data[0]));
      steps.logitScale.push(-Math.log(Number(out.temperature!.data[0])));
    }
    const last = await session.getState(program.parameters.map(({ name }) => name));
    const arrays = Object.entries(last).map(([name, { data, shape }]): [string, Numbers] => [
      name,
      { data: data as Float32Array, shape },
    ]);
    return { ...steps, parameters: publishedArrays({ ...initial, architecture }, new Map(arrays)) };
  } finally {
    await session.release();
  }
}

/** The weights, the moments at zero, and for the sigmoid loss the scale and bias with which its trace begins. */
async function firstState(
  initial: Checkpoint,
  parameters: readonly { name: string; shape: readonly number[] }[],
  loss: 'softmax' | 'sigmoid',
): Promise<Record<string, RuntimeTensor>> {
  const state: Record<string, RuntimeTensor> = {};
  for (const { name, shape } of parameters) {
    const given = loss === 'sigmoid' ? { logit_scale: Math.log(10), logit_bias: -10 }[name] : undefined;
    const data =
      given === undefined ? await readParameter(initial.parameters.get(name)!) : Float32Array.of(given);
    state[name] = float(Float32Array.from(data), shape);
    for (const moment of ['mean', 'square']) {
      state[`${moment}:${name}`] = float(new Float32Array(elementCount(shape)), shape);
    }
  }
  return state;
}

function float(data: Float32Array, shape: readonly number[]): RuntimeTensor {
  return { type: 'float32', data, shape };
}

/** The batch of a step; they are used in turn. */
function cut({ data }: Numbers, step: number, count: number): number[] {
  const length = data.length / count;
  return Array.from(data).slice((step % count) * length, ((step % count) + 1) * length);
}

const weights = ['training/initial.safetensors', 'training/batches.safetensors'];
const softmaxTrace = once(async () => readFixtureJson<Trace>('training/trace.json'));
const softmax = once(async () => train(await softmaxTrace(), 'softmax'));
const sigmoidTrace = once(async () =>
  readFixtureJson<Trace & { final_parameters: Record<string, { norm: number; first: number[] }> }>(
    'training-siglip/trace.json',
  ),
);
const sigmoid = once(async () => train(await sigmoidTrace(), 'sigmoid'));

function relative(actual: readonly number[], expected: readonly number[]): number {
  return Math.max(...expected.map((value, i) => Math.abs(actual[i]! / value - 1)));
}

const cross = { folder: 'training', needs: [...weights, 'training/trace.json'] };
const pairwise = { folder: 'training-siglip', needs: [...weights, 'training-siglip/trace.json'] };

export const trainingChecks: readonly ParityCheck[] = [
  {
    ...cross,
    what: 'loss of the first five steps',
    tolerance: 1e-4,
    unit: 'relative',
    difference: async () =>
      relative(
        (await softmax()).loss.slice(0, 5),
        (await softmaxTrace()).rows.slice(0, 5).map((row) => row.loss),
      ),
  },
  {
    ...cross,
    what: 'loss of all twenty steps',
    tolerance: 1e-3,
    unit: 'relative',
    difference: async () =>
      relative(
        (await softmax()).loss,
        (await softmaxTrace()).rows.map((row) => row.loss),
      ),
  },
  {
    ...cross,
    what: 'every parameter after twenty steps',
    tolerance: 2e-3,
    needs: [...cross.needs, 'training/final.safetensors'],
    difference: async () => {
      const final = await readFixtureTensors('training/final.safetensors');
      const { parameters } = await softmax();
      return Math.max(
        ...[...final].map(([name, { data }]) =>
          largestDifference(parameters.get(name)!, { data, shape: [data.length] }),
        ),
      );
    },
  },
  {
    ...pairwise,
    what: 'loss of five steps',
    tolerance: 2e-4,
    difference: async () => {
      const { rows } = await sigmoidTrace();
      const { loss } = await sigmoid();
      return Math.max(...rows.map((row, i) => Math.abs(loss[i]! - row.loss)));
    },
  },
  {
    ...pairwise,
    what: 'gradient norms before clipping',
    tolerance: 1e-3,
    unit: 'relative',
    difference: async () =>
      relative(
        (await sigmoid()).gradientNorm,
        (await sigmoidTrace()).rows.map((row) => row.grad_norm),
      ),
  },
  {
    ...pairwise,
    what: 'parameters after five steps (first eight values and norm of each)',
    tolerance: 2e-4,
    difference: async () => {
      const { parameters } = await sigmoid();
      const { final_parameters: final } = await sigmoidTrace();
      return Math.max(
        ...Object.entries(final).map(([name, { norm, first }]) => {
          const data = Array.from(parameters.get(name)?.data ?? [Number.NaN]);
          const values = [...data.slice(0, first.length), Math.hypot(...data)];
          return largestDifference({ data: values, shape: [] }, { data: [...first, norm], shape: [] });
        }),
      );
    },
  },
];
