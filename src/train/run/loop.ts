/** The training loop: batches in, steps in the engine's thread, figures now and then, until it is time to end. */
import type { RuntimeTensor } from '../../engine/engine.ts';
import type { TrainingConfig } from '../config.ts';
import type { LossConfig } from '../step/config.ts';
import { learningRateAt, type Until } from '../step/schedule.ts';
import { readsPictures, textsAlone } from '../step/text-groups.ts';
import type { TrainingProgress } from './checkpoints.ts';
import { divergenceError, isFiniteStep } from './diagnosis.ts';
import type { StepLine } from './metrics-log.ts';
import type { Network, StepFigures } from './network.ts';

/** What the loop draws from: the batch of the step it was opened for, then the next ones. */
export interface BatchSource {
  next(): Promise<LoopBatch>;
}

export interface LoopBatch {
  tensors: Readonly<Record<string, RuntimeTensor>>;
  /** What its pictures are called. */
  samples(): readonly string[];
}

export interface LoopHooks {
  /** Told the figures of every `logEverySteps` steps. */
  onLine(line: StepLine): Promise<void>;
  /** Runs after each step, before the next one begins. */
  afterStep(progress: TrainingProgress): Promise<void>;
  /** For messages. */
  lastCheckpoint(): string | undefined;
}

export type LoopEnd = 'done' | 'stopped';

/**
 * Trains until the configuration's end or until the signal, which lets the step that runs come to its end.
 * @param progress where the training stands; kept up to date
 * @throws EidosError `not_finite`; what batches, engine and hooks throw
 */
export async function runLoop(
  network: Network,
  batches: BatchSource,
  config: Pick<TrainingConfig, 'batch' | 'until' | 'seed' | 'optimizer' | 'logEverySteps' | 'loss'>,
  progress: TrainingProgress,
  hooks: LoopHooks,
  signal?: AbortSignal,
): Promise<LoopEnd> {
  const { batch, until, seed, optimizer, logEverySteps, loss } = config;
  const start = performance.now() - progress.minutes * 60_000;
  const pace = { milliseconds: 0, waiting: 0, steps: 0 };
  let before: StepFigures | undefined;
  let coming = shareDone(progress, until) < 1 ? expect(batches) : undefined;
  while (coming !== undefined) {
    if (signal?.aborted) return 'stopped';
    const began = performance.now();
    const { tensors, samples } = await coming;
    const arrived = performance.now();
    const step = progress.step + 1;
    const learningRate = learningRateAt(optimizer, { step, minutes: progress.minutes }, until);
    const running = network.run(tensors, { step, learningRate, seed });
    // The engine works in a thread of its own: the next batch comes meanwhile.
    const isLast = 'steps' in until && step >= until.steps;
    coming = isLast ? undefined : expect(batches);
    const figures = await running;
    const ended = performance.now();
    if (!isFiniteStep(figures)) {
      throw divergenceError({
        step,
        figures,
        before,
        samples: samples(),
        checkpoint: hooks.lastCheckpoint(),
      });
    }
    before = figures;
    progress.step = step;
    progress.minutes = (ended - start) / 60_000;
    pace.milliseconds += ended - began;
    pace.waiting += arrived - began;
    pace.steps++;
    addUp(progress.window, figures);
    if (step % logEverySteps === 0 || isLast) {
      await hooks.onLine(lineOf(progress, figures, learningRate, pace, { batch, loss }));
      progress.window = { steps: 0, sums: {} };
      Object.assign(pace, { milliseconds: 0, waiting: 0, steps: 0 });
    }
    await hooks.afterStep(progress);
    // By time the clock has gone on meanwhile.
    if (!isLast) progress.minutes = (performance.now() - start) / 60_000;
    if (shareDone(progress, until) >= 1) coming = undefined;
  }
  return 'done';
}

/** How much of the training is behind, 0 to 1 and beyond. */
export function shareDone({ step, minutes }: { step: number; minutes: number }, until: Until): number {
  return 'steps' in until ? step / until.steps : minutes / until.minutes;
}

/** A batch that nobody waits for any more may fail in silence. */
function expect(batches: BatchSource): Promise<LoopBatch> {
  const coming = batches.next();
  coming.catch(() => undefined);
  return coming;
}

function addUp(window: TrainingProgress['window'], { loss, parts }: StepFigures): void {
  window.steps++;
  for (const [name, value] of Object.entries({ loss, ...prefixed(parts) })) {
    window.sums[name] = (window.sums[name] ?? 0) + value;
  }
}

const partPrefix = 'part:';

function prefixed(parts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).map(([name, value]) => [`${partPrefix}${name}`, value]));
}

function lineOf(
  { step, minutes, window }: TrainingProgress,
  { gradientNorm, temperature }: StepFigures,
  learningRate: number,
  pace: { milliseconds: number; waiting: number; steps: number },
  { batch, loss }: { batch: number; loss: LossConfig },
): StepLine {
  const sentences = textsAlone(loss);
  const perSecond = (count: number): number => (pace.steps * count * 1000) / pace.milliseconds;
  const parts = Object.entries(window.sums).filter(([name]) => name.startsWith(partPrefix));
  return {
    kind: 'step',
    step,
    minutes,
    steps: window.steps,
    loss: (window.sums.loss ?? Number.NaN) / window.steps,
    parts: Object.fromEntries(
      parts.map(([name, sum]) => [name.slice(partPrefix.length), sum / window.steps]),
    ),
    gradientNorm,
    ...(temperature === undefined ? {} : { temperature }),
    learningRate,
    picturesPerSecond: perSecond(readsPictures(loss) ? batch : 0),
    ...(sentences === 0 ? {} : { sentencesPerSecond: perSecond(sentences) }),
    waiting: pace.waiting / pace.milliseconds,
  };
}
