/** The training loop: batches in, steps in the engine's thread, a line of figures now and then, snapshots. */
import { createEngine, type RuntimeTensor } from '../engine/engine.ts';
import { lower } from '../engine/onnx/lower.ts';
import { initialValues } from '../graph/initialise.ts';
import { elementCount, type FloatTensor } from '../graph/tensor.ts';
import { inputsOf, parametersOf } from '../graph/value.ts';
import type { ClipArchitecture } from '../models/architecture.ts';
import type { Batch } from './first-model/data/batches.ts';
import { lossSchema, optimizerSchema } from './step/config.ts';
import { type AdamWOptions, stepScalars } from './step/optimizer.ts';
import { type TrainingStep, trainingStep } from './step/step.ts';

export interface TrainingOptions extends AdamWOptions {
  /** Pairs in a batch. */
  batch: number;
  /** Highest learning rate, reached after the warm-up. */
  learningRate: number;
  /** Steps in which the learning rate rises from zero. @default 100 */
  warmupSteps?: number;
  /**
   * How long training goes on, by time or by steps; the learning rate follows half a cosine over it. By time, a run
   * ends when it is due on a machine whose speed is not known before; by steps, it is the same on every machine.
   */
  until: { minutes: number } | { steps: number };
  /** Steps between two lines of figures. @default 10 */
  logEvery?: number;
  /** Minutes between two snapshots; one is made at the end too. @default 3 */
  snapshotMinutes?: number;
  seed?: number;
  threads?: number;
  /** Weight of foretelling a teacher's features beside, and how many features a batch brings. */
  distillation?: { weight: number; features: number };
  /** Largest norm of all gradients together. @default no limit */
  maxGradientNorm?: number;
  /** First values of parameters that begin otherwise than the architecture says, by name. */
  firstValues?: ReadonlyMap<string, Float32Array>;
}

/** Where a run stands. */
export interface Progress {
  step: number;
  /** Minutes of training so far, those before a resumption included. */
  minutes: number;
}

export interface LogLine extends Progress {
  loss: number;
  /** Its part about the teacher, weighted. */
  auxiliaryLoss?: number;
  gradientNorm: number;
  logitScale: number;
  learningRate: number;
  picturesPerSecond: number;
}

export interface TrainingHooks {
  onLog?(line: LogLine): void;
  /** Gets all parameters and moments under the names that they have in the training step. */
  onSnapshot?(state: Map<string, FloatTensor>, progress: Progress): Promise<void>;
}

/** Where an earlier run ended. */
export interface Resumption {
  state: ReadonlyMap<string, FloatTensor>;
  progress: Progress;
}

/**
 * Trains until the end that the options name.
 * @throws EidosError `engine_failed`, and what the batches and hooks throw.
 */
export async function train(
  architecture: ClipArchitecture,
  batches: Iterator<Batch>,
  options: TrainingOptions,
  hooks: TrainingHooks = {},
  resumption?: Resumption,
): Promise<Progress> {
  const { batch, until, logEvery = 10, snapshotMinutes = 3 } = options;
  const { distillation, weightDecay, maxGradientNorm } = options;
  const step = trainingStep(architecture, {
    batch,
    targets: true,
    features: distillation?.features,
    loss: lossSchema.parse(distillation === undefined ? {} : { features: { weight: distillation.weight } }),
    optimizer: optimizerSchema.parse({ weightDecay, maxGradientNorm }),
  });
  const engine = createEngine(options.threads === undefined ? {} : { threads: options.threads });
  try {
    const session = await engine.compile(lower(step.results));
    await session.setState(
      resumption === undefined ? firstState(step, options) : runtimeState(resumption.state),
    );
    const fetches = ['loss', 'gradient_norm', 'temperature'];
    if (distillation !== undefined) fetches.push('loss:features');
    const inputs = new Set(inputsOf(Object.values(step.results)).map(({ attributes }) => attributes.name));
    const stateNames = step.feedback.map(([, name]) => name);
    const progress = { ...(resumption?.progress ?? { step: 0, minutes: 0 }) };
    const before = progress.minutes;
    const start = performance.now();
    let lastSnapshot = progress.minutes;
    let losses: number[] = [];
    let auxiliaryLosses: number[] = [];
    let lastLog = start;

    const snapshot = async (): Promise<void> => {
      if (hooks.onSnapshot === undefined) return;
      const tensors = await session.getState(stateNames);
      const state = Object.entries(tensors).map(([name, { data, shape }]): [string, FloatTensor] => [
        name,
        { data: data as Float32Array, shape: [...shape] },
      ]);
      await hooks.onSnapshot(new Map(state), { ...progress });
    };

    let next = batches.next().value as Batch;
    while (shareDone(progress, until) < 1) {
      progress.step++;
      const learningRate = learningRateAt(progress, options);
      const readByProgram = Object.fromEntries(Object.entries(next).filter(([name]) => inputs.has(name)));
      const scalars = Object.entries(stepScalars(progress.step, learningRate, options));
      const feeds: Record<string, RuntimeTensor> = {
        ...readByProgram,
        ...Object.fromEntries(scalars.map(([name, value]) => [name, scalar(value)])),
      };
      const running = session.run(feeds, {
        fetches,
        feedback: step.feedback,
        transfer: Object.keys(readByProgram),
      });
      // The engine works in its own thread: the next batch is made meanwhile.
      next = batches.next().value as Batch;
      const outputs = await running;
      const now = performance.now();
      progress.minutes = before + (now - start) / 60_000;
      losses.push(Number(outputs.loss?.data[0]));
      const foretelling = outputs['loss:features']?.data[0];
      if (foretelling !== undefined) auxiliaryLosses.push(Number(foretelling) * (distillation?.weight ?? 1));
      if (progress.step % logEvery === 0) {
        hooks.onLog?.({
          ...progress,
          loss: mean(losses),
          ...(auxiliaryLosses.length === 0 ? {} : { auxiliaryLoss: mean(auxiliaryLosses) }),
          gradientNorm: Number(outputs.gradient_norm?.data[0]),
          logitScale: 1 / Number(outputs.temperature?.data[0]),
          learningRate,
          picturesPerSecond: (losses.length * batch * 1000) / (now - lastLog),
        });
        losses = [];
        auxiliaryLosses = [];
        lastLog = now;
      }
      if (progress.minutes - lastSnapshot >= snapshotMinutes && shareDone(progress, until) < 1) {
        lastSnapshot = progress.minutes;
        await snapshot();
      }
    }
    await snapshot();
    return progress;
  } finally {
    await engine.close();
  }
}

/** Linear warm-up by steps, then half a cosine down to zero. */
export function learningRateAt(
  progress: Progress,
  { learningRate, until, warmupSteps = 100 }: Pick<TrainingOptions, 'learningRate' | 'until' | 'warmupSteps'>,
): number {
  const warmup = Math.min(1, progress.step / warmupSteps);
  const done = Math.min(1, shareDone(progress, until));
  return learningRate * warmup * 0.5 * (1 + Math.cos(Math.PI * done));
}

/** How much of the training is behind, 0 to 1. */
function shareDone({ step, minutes }: Progress, until: TrainingOptions['until']): number {
  return 'steps' in until ? step / until.steps : minutes / until.minutes;
}

function firstState(
  { parameters, results }: TrainingStep,
  { seed = 1, firstValues }: TrainingOptions,
): Record<string, RuntimeTensor> {
  const state: Record<string, RuntimeTensor> = {};
  const nodes = new Map(parametersOf(Object.values(results)).map((node) => [node.attributes.name, node]));
  for (const { name, shape } of parameters) {
    state[name] = {
      type: 'float32',
      data: firstValues?.get(name) ?? initialValues(nodes.get(name)!, seed),
      shape,
    };
    for (const moment of ['mean', 'square']) {
      state[`${moment}:${name}`] = { type: 'float32', data: new Float32Array(elementCount(shape)), shape };
    }
  }
  return state;
}

function runtimeState(state: ReadonlyMap<string, FloatTensor>): Record<string, RuntimeTensor> {
  return Object.fromEntries([...state].map(([name, tensor]) => [name, { type: 'float32', ...tensor }]));
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function scalar(value: number): RuntimeTensor {
  return { type: 'float32', data: Float32Array.of(value), shape: [] };
}
