/** A training from its configuration to the model's folder. */

import { clearUnfinished } from '../disk/whole-file.ts';
import { EidosError } from '../errors.ts';
import { unreadBelow } from '../image/paths.ts';
import type { UnreadFormats } from '../image/unread.ts';
import { readTrainingConfig, type TrainingConfig, type TrainingConfigInput } from './config.ts';
import { identityOfData, type TrainingData } from './data/training-data.ts';
import { aloneInFolder } from './run/alone.ts';
import { beginTraining, findFirstModel, imageSizeOf } from './run/beginning.ts';
import type { TrainingProgress } from './run/checkpoints.ts';
import { withClassifier } from './run/classifier.ts';
import {
  learnTokenizer,
  type OpenedBatches,
  openTrainingBatches,
  openTrainingData,
  sizesOf,
  stepClasses,
  stepOptions,
} from './run/data.ts';
import { type EnergyUse, openEnergyMeter } from './run/energy.ts';
import { openEvaluatedSets } from './run/evaluation.ts';
import type { TrainingEvent } from './run/events.ts';
import { factsOf } from './run/facts.ts';
import { createKeeper } from './run/keeper.ts';
import { nothingLearned } from './run/learned.ts';
import { type LoopEnd, runLoop } from './run/loop.ts';
import { withImageFeatures } from './run/measuring.ts';
import { type EvaluationLine, type MetricsLog, openMetricsLog } from './run/metrics-log.ts';
import { withNearness } from './run/nearness.ts';
import { type Network, openNetwork } from './run/network.ts';
import { type TrainingPlaces, trainingPlaces } from './run/places.ts';
import { requirePublishable } from './run/publish.ts';
import { requireTrainable } from './run/rehearsal.ts';
import { earlierPart } from './run/resumption.ts';
import { writeWholeFile } from './run/whole-file.ts';

export interface TrainOptions {
  /** Whether to go on from the newest checkpoint of the output folder; without one it begins. @default false */
  resume?: boolean;
  /** Lets the step that runs end, saves, and returns; before the first step it ends with an error. */
  signal?: AbortSignal;
  /** Threads of the network, over what the configuration says. */
  threads?: number;
  /** Where relative paths of a configuration that is an object begin. @default the working directory */
  folder?: string;
  onEvent?: (event: TrainingEvent) => void;
}

export interface TrainingResult {
  /** `stopped` where the signal came first. */
  ended: LoopEnd;
  step: number;
  minutes: number;
  /** The folder of the model. */
  model: string;
  checkpoint: string;
  report: string;
  energy: EnergyUse;
  /** Why the training has learned nothing, if it has not, and what to do. */
  nothingLearned?: string;
  /** Samples that could not be trained on. */
  broken: { count: number; examples: readonly string[] };
  /** Files in the folders of the data whose formats are not read, by what the format is called. */
  notRead: UnreadFormats;
  /** The step whose weights the folder has, where sets were measured. */
  bestStep?: number;
  lastEvaluation?: EvaluationLine;
}

/**
 * Trains a model. What it writes: the model in `output`, and below `output/training` the configuration, checkpoints,
 * `metrics.jsonl` and `report.html`.
 * @param config a JSON file, or the configuration itself
 * @throws EidosError `invalid_option`, `not_found`, `invalid_image` for what is wrong with configuration or data,
 * the first also where another process trains into the folder; `aborted` where the signal came before the first step;
 * `not_finite`, `write_failed`, `engine_failed`, after which the newest checkpoint is still there
 */
export async function train(
  config: string | TrainingConfigInput,
  options: TrainOptions = {},
): Promise<TrainingResult> {
  const full = await readTrainingConfig(config, options);
  options.onEvent?.({ kind: 'config', config: full });
  const places = trainingPlaces(full.output);
  return aloneInFolder(places, options, () => trainAlone(full, places, options));
}

async function trainAlone(
  full: TrainingConfig,
  places: TrainingPlaces,
  options: TrainOptions,
): Promise<TrainingResult> {
  const { onEvent = () => undefined, signal, resume = false } = options;
  const threads = options.threads ?? full.threads.network;
  const earlier = await earlierPart(places, full, resume, onEvent);
  const sets = full.evaluation === undefined ? [] : await openEvaluatedSets(full.evaluation);
  const progress = earlier?.checkpoint.progress ?? beginningOfAll();
  const energy = await openEnergyMeter(full.energy, {
    kilowattHours: progress.kilowattHours,
    methods: progress.energyMethods,
  });

  const firstModel = await findFirstModel(full);
  requireTrainable(full, firstModel);
  const found = await openTrainingData(full, imageSizeOf(full, firstModel), onEvent, signal);
  const begun = await beginTraining(full, firstModel, earlier && places.output, (wanted) =>
    learnTokenizer(found, wanted),
  );
  const model = await withClassifier(begun, full, found.names?.classes ?? 0);
  const seen = await withImageFeatures(found, full, model, { threads, signal, onEvent });
  const data = await withNearness(seen, full, { signal, onEvent });
  noteData(progress, data, onEvent);

  const opened: { batches?: OpenedBatches; network?: Network; log?: MetricsLog } = {};
  try {
    opened.network = await openNetwork(model.architecture, stepOptions(full, sizesOf(data)), {
      // A checkpoint has what the step reads; words of classes may be embedded by a tower that no part of the loss trains.
      values: new Map([...model.firstValues, ...(earlier?.checkpoint.state ?? [])]),
      seed: full.seed,
      threads,
      ...stepClasses(full, data, model.tokenizer),
    });
    requirePublishable(model, opened.network.stateNames);
    const configText = JSON.stringify(full, undefined, 2);
    for (const folder of [places.output, places.training, places.checkpoints]) await clearUnfinished(folder);
    await writeWholeFile(places.config, `${configText}\n`);
    opened.log = await openMetricsLog(places.metrics, progress.step);
    opened.batches = await openTrainingBatches(data, full, model, progress.step);
    const facts = factsOf(full, data, model, opened.network);
    const keeper = createKeeper({
      config: full,
      configText,
      places,
      network: opened.network,
      model,
      sets,
      threads,
      log: opened.log,
      energy,
      facts,
      lastCheckpoint: earlier?.path,
      measuresAnew: earlier?.measuresAnew ?? false,
      signal,
      onEvent,
    });
    onEvent({ kind: 'begun', step: progress.step, facts, report: places.report });
    try {
      await keeper.begin(progress);
      const left = await runLoop(opened.network, opened.batches, full, progress, keeper, signal);
      if (progress.step === 0) throw new EidosError('aborted', 'Training was aborted before its first step.');
      const { ended, checkpoint } = await keeper.finish(progress, left);
      const lastEvaluation = opened.log.lines.findLast((line) => line.kind === 'evaluation');
      const failure = ended === 'done' ? nothingLearned(opened.log.lines, full.batch) : undefined;
      return {
        ended,
        step: progress.step,
        minutes: progress.minutes,
        model: places.output,
        checkpoint,
        report: places.report,
        energy: await energy.read(),
        ...(failure === undefined ? {} : { nothingLearned: failure }),
        broken: opened.batches.broken(),
        notRead: await unreadBelow(full.data.sources.flatMap(({ path }) => path)),
        ...(progress.best === undefined ? {} : { bestStep: progress.best.step }),
        ...(lastEvaluation === undefined ? {} : { lastEvaluation }),
      };
    } catch (error) {
      await keeper.fail(progress, error);
      throw error;
    }
  } finally {
    await opened.log?.close();
    await opened.batches?.close();
    await opened.network?.close();
  }
}

/** Says where a training goes on with other pictures than it had, or in another order. */
function noteData(
  progress: TrainingProgress,
  data: TrainingData,
  onEvent: (event: TrainingEvent) => void,
): void {
  const identity = identityOfData(data);
  if (progress.data !== undefined && progress.data !== identity) {
    const message = `The pictures are not those of the steps before: ${data.size} now. The training goes on, with other batches than it would have had.`;
    onEvent({ kind: 'warning', message });
  }
  progress.data = identity;
}

function beginningOfAll(): TrainingProgress {
  return { step: 0, minutes: 0, kilowattHours: 0, window: { steps: 0, sums: {} } };
}
