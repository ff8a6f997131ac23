/**
 * Checkpoints of a training: everything that going on needs, in one safetensors file a checkpoint, with the
 * configuration and the place in the training beside the numbers. A file has its name only when it is whole.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { openWeights, readTensor, writeSafetensors } from '../../checkpoint/index.ts';
import { syncFolder } from '../../disk/whole-file.ts';
import type { RuntimeTensor } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import type { FloatTensor } from '../../graph/tensor.ts';
import type { EnergyUse } from './energy.ts';
import { writing } from './whole-file.ts';

/** `checkpoints` of a training's configuration. With both intervals, whichever is over first counts. */
export const checkpointsSchema = z
  .strictObject({
    /** Steps between two checkpoints. */
    everySteps: z.int().positive().optional(),
    /** Minutes between two checkpoints. @default 5 without `everySteps` */
    everyMinutes: z.number().positive().optional(),
    /** Newest checkpoints that are kept; the best one stays besides. */
    keepLast: z.int().positive().default(2),
  })
  .transform((given) =>
    given.everySteps === undefined && given.everyMinutes === undefined
      ? { ...given, everyMinutes: 5 }
      : given,
  );

/** Where a training stands, as a checkpoint tells it. */
export interface TrainingProgress {
  /** Steps done. */
  step: number;
  /** Minutes of training so far, those before a resumption included. */
  minutes: number;
  /** Kilowatt-hours so far. */
  kilowattHours: number;
  /** How these were found, see EnergyUse; nothing before the first reading, and in checkpoints of old. */
  energyMethods?: EnergyUse['method'][] | undefined;
  /** Of the data that were trained on, see identityOfData. */
  data?: string | undefined;
  /** The best evaluation so far. */
  best?: { step: number; score: number };
  /** Figures since the last line of the log: their sums over so many steps. */
  window: { steps: number; sums: Record<string, number> };
}

export interface TrainingCheckpoint {
  /** Parameters, moments and averages under the names that the training step has for them. */
  state: Map<string, FloatTensor>;
  progress: TrainingProgress;
  /** The configuration in full, as JSON. */
  config: string;
}

const formatName = 'eidos training checkpoint 1';
const pattern = /^step-(\d+)\.safetensors$/;

const progressSchema = z.object({
  step: z.int().nonnegative(),
  minutes: z.number().nonnegative(),
  kilowattHours: z.number().nonnegative(),
  energyMethods: z.array(z.enum(['counters', 'estimate'])).optional(),
  data: z.string().optional(),
  best: z.object({ step: z.int(), score: z.number() }).optional(),
  window: z.object({ steps: z.int().nonnegative(), sums: z.record(z.string(), z.number()) }),
});

/**
 * Writes a checkpoint. Whatever happens meanwhile, those before stay as they are.
 * @returns its path
 * @throws EidosError `write_failed`
 */
export async function writeCheckpoint(
  folder: string,
  state: Readonly<Record<string, RuntimeTensor>>,
  { progress, config }: Pick<TrainingCheckpoint, 'progress' | 'config'>,
): Promise<string> {
  const path = join(folder, `step-${String(progress.step).padStart(8, '0')}.safetensors`);
  const entries = Object.entries(state).map(([name, { data, shape }]) => ({
    name,
    type: 'float32' as const,
    shape: [...shape],
    data: data as Float32Array,
  }));
  const notes = { format: formatName, progress: JSON.stringify(progress), config };
  await writing(path, async () => {
    await mkdir(folder, { recursive: true });
    await writeSafetensors(path, entries, notes);
  });
  await syncFolder(folder);
  return path;
}

/** Steps and paths of all checkpoints, the oldest first; none where the folder is not there. */
export async function listCheckpoints(folder: string): Promise<{ step: number; path: string }[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .flatMap((name) => {
      const step = pattern.exec(name)?.[1];
      return step === undefined ? [] : [{ step: Number(step), path: join(folder, name) }];
    })
    .sort((a, b) => a.step - b.step);
}

/**
 * Reads a checkpoint.
 * @throws EidosError `invalid_checkpoint` for a file that is no checkpoint of a training or was damaged
 */
export async function readCheckpoint(path: string): Promise<TrainingCheckpoint> {
  const { tensors, metadata } = await openWeights(path);
  const progress = parse(metadata.progress);
  if (metadata.format !== formatName || progress === undefined || metadata.config === undefined) {
    throw new EidosError(
      'invalid_checkpoint',
      `${path} is no checkpoint of a training that this version of eidos can go on with: remove it to go on from the one before.`,
    );
  }
  const state = new Map<string, FloatTensor>();
  for (const [name, stored] of tensors) {
    state.set(name, { data: await readTensor(stored), shape: stored.shape });
  }
  return { state, progress, config: metadata.config };
}

function parse(text: string | undefined): TrainingProgress | undefined {
  try {
    const { best, ...rest } = progressSchema.parse(JSON.parse(text ?? ''));
    return best === undefined ? rest : { ...rest, best };
  } catch {
    return undefined;
  }
}

/** Removes what the policy does not keep. */
export async function tidyCheckpoints(
  folder: string,
  { keepLast, best }: { keepLast: number; best?: number | undefined },
): Promise<void> {
  const checkpoints = await listCheckpoints(folder);
  const old = checkpoints.slice(0, -keepLast).filter(({ step }) => step !== best);
  for (const { path } of old) await rm(path, { force: true });
}
