/** Going on with a training: it must be the same one. */
import { join } from 'node:path';
import { exists } from '../../disk/exists.ts';
import { EidosError } from '../../errors.ts';
import { type TrainingConfig, trainingSchema } from '../config.ts';
import { readCheckpoint, type TrainingCheckpoint } from './checkpoints.ts';
import type { TrainingEvent } from './events.ts';
import { newestCheckpoint } from './keeper.ts';
import type { TrainingPlaces } from './places.ts';

/** Fields that may differ when a training goes on; of these `until` alone changes what follows: the learning rates. */
const free: ReadonlySet<string> = new Set<keyof TrainingConfig>([
  'output',
  'until',
  'threads',
  'logEverySteps',
  'checkpoints',
  'evaluation',
  'energy',
]);

export interface EarlierPart {
  checkpoint: TrainingCheckpoint;
  path: string;
  /** Whether the sets that are measured are others than before. */
  measuresAnew: boolean;
}

/**
 * The newest checkpoint of an earlier part of the training, or nothing where it begins.
 * @throws EidosError `invalid_option` where the folder has a training or a model and this is not to go on with it
 */
export async function earlierPart(
  places: TrainingPlaces,
  config: TrainingConfig,
  resume: boolean,
  onEvent: (event: TrainingEvent) => void,
): Promise<EarlierPart | undefined> {
  const path = await newestCheckpoint(places.checkpoints);
  if (!resume) {
    if (path !== undefined) {
      throw new EidosError(
        'invalid_option',
        `${places.output} holds a training already: go on with --resume, or name another "output".`,
      );
    }
    await requireNoModel(places.output);
    return undefined;
  }
  if (path === undefined) {
    await requireNoModel(places.output);
    onEvent({ kind: 'warning', message: `${places.checkpoints} holds no checkpoint: the training begins.` });
    return undefined;
  }
  const checkpoint = await readCheckpoint(path);
  const before = withDefaults(JSON.parse(checkpoint.config) as TrainingConfig);
  requireSameTraining(before, config, checkpoint.progress.step);
  const measuresAnew = JSON.stringify(before.evaluation?.sets) !== JSON.stringify(config.evaluation?.sets);
  if (checkpoint.progress.best !== undefined && measuresAnew) {
    const { step } = checkpoint.progress.best;
    const message = `"evaluation.sets" have changed: the score of step ${step}, the best until now, says nothing beside others. The training measures anew, and the model of that step gives way to the newest.`;
    onEvent({ kind: 'warning', message });
    delete checkpoint.progress.best;
  }
  return { checkpoint, path, measuresAnew };
}

/**
 * A model without a checkpoint beside it cannot be gone on with, and its weights may be all that is left of a training.
 * @throws EidosError `invalid_option`
 */
async function requireNoModel(output: string): Promise<void> {
  if (!(await exists(join(output, 'model.safetensors')))) return;
  throw new EidosError(
    'invalid_option',
    `${output} holds a model already, and no checkpoint to go on from: name another "output" for the new one. To teach this one more, name it as "initialise.from".`,
  );
}

/** Fields that are new to eidos were at their defaults. */
function withDefaults(earlier: TrainingConfig): TrainingConfig {
  return trainingSchema.safeParse(earlier).data ?? earlier;
}

/**
 * A warm-up may differ once it is behind: as with `until`, from which that of a folder's training follows, the rates that
 * come are then others.
 * @param step steps done
 * @throws EidosError `invalid_option` naming the fields that differ
 */
export function requireSameTraining(earlier: TrainingConfig, now: TrainingConfig, step: number): void {
  const isWarm = [earlier, now].every(({ optimizer }) => step >= optimizer.schedule.warmupSteps);
  const before = isWarm ? withWarmup(earlier, now.optimizer.schedule.warmupSteps) : earlier;
  const fields = new Set([...Object.keys(before), ...Object.keys(now)] as (keyof TrainingConfig)[]);
  const differing = [...fields]
    .filter((field) => !free.has(field))
    .flatMap((field) => differences(before[field], now[field], field));
  if (differing.length === 0) return;
  throw new EidosError(
    'invalid_option',
    `--resume goes on with the same training, but the configuration differs: ${differing.slice(0, 5).join('; ')}. Give them as they were, or begin another training with this one as "initialise.from".`,
  );
}

function withWarmup(config: TrainingConfig, warmupSteps: number): TrainingConfig {
  const { optimizer } = config;
  return { ...config, optimizer: { ...optimizer, schedule: { ...optimizer.schedule, warmupSteps } } };
}

function differences(before: unknown, now: unknown, place: string): string[] {
  if (JSON.stringify(before) === JSON.stringify(now)) return [];
  if (!isObject(before) || !isObject(now)) {
    return [`"${place}" was ${shown(before)} and is ${shown(now)}`];
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...keys].flatMap((key) => differences(before[key], now[key], `${place}.${key}`));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
