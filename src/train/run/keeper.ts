/** What happens between the steps of a training: checkpoints, evaluations, the model's folder, the report. */
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../disk/whole-file.ts';
import { EidosError } from '../../errors.ts';
import type { TrainingConfig } from '../config.ts';
import { listCheckpoints, type TrainingProgress, tidyCheckpoints, writeCheckpoint } from './checkpoints.ts';
import type { EnergyMeter } from './energy.ts';
import { type EvaluationResult, evaluateModel, type OpenedSet } from './evaluation.ts';
import type { TrainingEvent } from './events.ts';
import { type LoopEnd, shareDone } from './loop.ts';
import type { MetricsLog, StepLine } from './metrics-log.ts';
import type { Network } from './network.ts';
import type { TrainingPlaces } from './places.ts';
import { type PublishedModel, publishedNames, publishModel } from './publish.ts';
import { htmlReport, type ReportFacts } from './report.ts';
import { writeWholeFile, writing } from './whole-file.ts';

export interface KeeperParts {
  config: TrainingConfig;
  /** The configuration in full, as JSON. */
  configText: string;
  places: TrainingPlaces;
  network: Network;
  model: PublishedModel;
  sets: readonly OpenedSet[];
  /** Of the network, also where it is measured. */
  threads: number | undefined;
  log: MetricsLog;
  energy: EnergyMeter;
  facts: readonly string[];
  /** The newest checkpoint of an earlier part of the training. */
  lastCheckpoint: string | undefined;
  /** Whether other sets are measured than in that part. */
  measuresAnew: boolean;
  /** Ends an evaluation in the middle. */
  signal: AbortSignal | undefined;
  onEvent: (event: TrainingEvent) => void;
}

export interface Keeper {
  /** Makes up for an evaluation that the end of an earlier part of the training cut short, or that was of other sets. */
  begin(progress: TrainingProgress): Promise<void>;
  onLine(line: StepLine): Promise<void>;
  afterStep(progress: TrainingProgress): Promise<void>;
  lastCheckpoint(): string | undefined;
  /**
   * Measures the last step where the training is done, saves where it stands, and says in the report how it ended.
   * @returns the checkpoint's path, and `stopped` where the signal came during that last measurement
   */
  finish(progress: TrainingProgress, ended: LoopEnd): Promise<{ ended: LoopEnd; checkpoint: string }>;
  /** Says in the report what went wrong. The disk may be what it was, so that this may fail in silence. */
  fail(progress: TrainingProgress, error: unknown): Promise<void>;
}

/** Milliseconds between two renewals of the report. */
const reportPause = 10_000;

export function createKeeper(parts: KeeperParts): Keeper {
  const { config, places, network, log, energy, signal, onEvent } = parts;
  const { everySteps, everyMinutes, keepLast } = config.checkpoints;
  let lastPath = parts.lastCheckpoint;
  let saved: { step: number; best: number | undefined } | undefined;
  let savedMinutes: number | undefined;
  const lastEvaluated = log.lines.findLast(({ kind }) => kind === 'evaluation')?.step ?? 0;
  let evaluatedStep = parts.measuresAnew ? -1 : lastEvaluated;
  let publishedStep = -1;
  let reported = 0;

  async function save(progress: TrainingProgress): Promise<string> {
    const best = progress.best?.step;
    if (lastPath !== undefined && saved?.step === progress.step && saved.best === best) return lastPath;
    const use = await energy.read();
    progress.kilowattHours = use.kilowattHours;
    progress.energyMethods = energy.methods;
    const { step, minutes } = progress;
    await log.append({ kind: 'energy', step, minutes, ...use });
    lastPath = await writeCheckpoint(places.checkpoints, await network.getState(), {
      progress,
      config: parts.configText,
    });
    saved = { step, best };
    savedMinutes = minutes;
    await tidyCheckpoints(places.checkpoints, { keepLast, best });
    onEvent({ kind: 'checkpoint', step, path: lastPath });
    return lastPath;
  }

  async function publish(folder: string, { step, minutes }: TrainingProgress): Promise<void> {
    const names = publishedNames(parts.model.architecture, new Set(network.stateNames));
    const wanted = [...names.values()].filter((name) => network.stateNames.includes(name));
    const notes = { eidos_training: JSON.stringify({ step, minutes }) };
    await publishModel(folder, parts.model, await network.getState(wanted), notes);
  }

  /** Before the first evaluation the newest model is the best one known. */
  async function saveAndPublish(progress: TrainingProgress): Promise<string> {
    const path = await save(progress);
    const isNewest = parts.sets.length === 0 || progress.best === undefined;
    if (isNewest && publishedStep !== progress.step) {
      await publish(places.output, progress);
      publishedStep = progress.step;
    }
    return path;
  }

  async function evaluateNow(progress: TrainingProgress): Promise<void> {
    if (parts.sets.length === 0 || evaluatedStep === progress.step) return;
    // A model in the folder without a checkpoint beside it could not be gone on with.
    if (lastPath === undefined) await save(progress);
    await publish(places.candidate, progress);
    const result = await evaluateUnlessStopped();
    if (result === undefined) return rm(places.candidate, { recursive: true, force: true });
    const { measurements, score } = result;
    evaluatedStep = progress.step;
    const { step, minutes } = progress;
    const line = { kind: 'evaluation' as const, step, minutes, measurements, score };
    await log.append(line);
    const isBest = progress.best === undefined || score > progress.best.score;
    if (isBest) {
      progress.best = { step, score };
      await moveFiles(places.candidate, places.output);
      // The best one can only be gone back to if it is kept.
      await save(progress);
    }
    await rm(places.candidate, { recursive: true, force: true });
    onEvent({ ...line, isBest });
  }

  /** Nothing where the signal came meanwhile. */
  async function evaluateUnlessStopped(): Promise<EvaluationResult | undefined> {
    try {
      return await evaluateModel(places.candidate, parts.sets, { threads: parts.threads, signal });
    } catch (error) {
      if (signal?.aborted && error instanceof EidosError && error.code === 'aborted') return undefined;
      throw error;
    }
  }

  function isEvaluated({ step }: TrainingProgress): boolean {
    return config.evaluation !== undefined && step > 0 && step % config.evaluation.everySteps === 0;
  }

  async function report(progress: TrainingProgress, state: string, running: boolean): Promise<void> {
    reported = performance.now();
    // Counters of the hardware go round within the hour, and checkpoints may be further apart.
    await energy.read();
    const facts: ReportFacts = {
      name: places.name,
      config: parts.configText,
      summary: parts.facts,
      state,
      at: progress,
      best: progress.best?.step,
      ...(running ? { reloadSeconds: 30 } : {}),
    };
    await writeWholeFile(places.report, htmlReport(log.lines, facts));
  }

  return {
    lastCheckpoint: () => lastPath,

    async begin(progress) {
      if (isEvaluated(progress) || (parts.measuresAnew && progress.step > 0)) await evaluateNow(progress);
    },

    async onLine(line) {
      await log.append(line);
      const done = shareDone(line, config.until);
      const minutesLeft =
        'minutes' in config.until ? config.until.minutes - line.minutes : remaining(line, done);
      onEvent({ ...line, done, minutesLeft: Math.max(0, minutesLeft) });
    },

    async afterStep(progress) {
      const { step, minutes } = progress;
      savedMinutes ??= minutes;
      const isMeasured = isEvaluated(progress);
      if (isMeasured) await evaluateNow(progress);
      const isDue =
        (everySteps !== undefined && step % everySteps === 0) ||
        (everyMinutes !== undefined && minutes - savedMinutes >= everyMinutes);
      if (isDue) await saveAndPublish(progress);
      if (isMeasured || isDue || performance.now() - reported > reportPause) {
        await report(progress, 'Running', true);
      }
    },

    async finish(progress, ended) {
      if (ended === 'done') await evaluateNow(progress);
      const isMeasured = parts.sets.length === 0 || evaluatedStep === progress.step;
      const really = ended === 'done' && isMeasured ? 'done' : 'stopped';
      const checkpoint = await saveAndPublish(progress);
      await report(progress, really === 'done' ? 'Done' : 'Stopped; --resume goes on', false);
      return { ended: really, checkpoint };
    },

    async fail(progress, error) {
      const message = error instanceof Error ? error.message : String(error);
      await report(progress, `Ended by an error: ${message}`, false).catch(() => undefined);
    },
  };
}

/** Minutes left at the mean pace so far. */
function remaining({ minutes }: StepLine, done: number): number {
  return done > 0 ? (minutes / done) * (1 - done) : Number.NaN;
}

async function moveFiles(from: string, to: string): Promise<void> {
  await writing(to, async () => {
    for (const name of await readdir(from)) await rename(join(from, name), join(to, name));
  });
  await syncFolder(to);
}

/** The newest checkpoint of a folder. */
export async function newestCheckpoint(folder: string): Promise<string | undefined> {
  return (await listCheckpoints(folder)).at(-1)?.path;
}
