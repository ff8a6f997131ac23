/** The whole configuration of a training: every field with its default, read from a file or an object. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { EidosError } from '../errors.ts';
import { dataSchema, resolveDataPaths, resolveTokenizerPaths, tokenizerSchema } from './data/config.ts';
import { architectureSchema, preprocessingSchema } from './run/architecture-config.ts';
import { checkpointsSchema } from './run/checkpoints.ts';
import { refuseContradictions } from './run/contradictions.ts';
import { energySchema } from './run/energy.ts';
import { evaluationSchema, resolveEvaluationPaths } from './run/evaluation-config.ts';
import { checked } from './run/explain.ts';
import { trainingPlaces } from './run/places.ts';
import {
  freezeSchema,
  type ImageTowerConfig,
  imageTowerSchema,
  type LossConfig,
  lossSchema,
  optimizerSchema,
  regularisationSchema,
} from './step/config.ts';

const path = z.string().min(1);

/** Pairs in a batch: its targets alone are then 4 GB. */
const mostPairs = 32_768;

const fieldsSchema = z.strictObject({
  /** The folder that gets the model, which `loadClip` opens, and below `training` all that belongs to the training. */
  output: path,
  /** What is trained on. */
  data: dataSchema,
  /** What to begin with: folders, names that `loadClip` knows, or checkpoints of trainings. */
  initialise: z
    .strictObject({
      /** @default the bundled model where there is no `architecture`, otherwise random numbers */
      from: path.optional(),
      /** The towers that begin with its weights; the others begin at random. @default both, and the temperature */
      only: z
        .array(z.enum(['image', 'text']))
        .min(1)
        .optional(),
      /**
       * What the image tower begins with in place of that: a model, or the weights of an image net that has no text
       * tower. A projection begins anew where the file has none of its shape.
       */
      image: z.strictObject({ from: path }).optional(),
    })
    .optional(),
  /** The model. @default that of `initialise.from`; without both, the bundled model goes on learning */
  architecture: architectureSchema.optional(),
  /** @default that of `initialise.from`, otherwise CLIP's */
  preprocessing: preprocessingSchema.prefault({}),
  /** @default that of `initialise.from`; a vocabulary of 8,192 learned from the captions for a new architecture */
  tokenizer: tokenizerSchema.optional(),
  /** How embeddings are compared by the contrastive loss. @default the model's; `softmax` for a new architecture */
  probability: z.enum(['softmax', 'sigmoid']).optional(),
  /** Where embeddings of pictures come from. */
  imageTower: imageTowerSchema,
  /** Parts of the model that stay as they are. */
  freeze: freezeSchema,
  /** Pairs of picture and caption in a step. */
  batch: z
    .int()
    .min(2)
    .max(
      mostPairs,
      `must be ${mostPairs} at most: which caption fits which picture takes a number for every two`,
    )
    .default(64),
  /** Pairs that go through the towers at once; fewer than `batch` need less memory and more time. @default batch */
  chunk: z.int().min(1).optional(),
  /** How long: the learning rate follows its schedule over it. Only by steps is a training the same everywhere. */
  until: z.union([
    z.strictObject({ steps: z.int().positive() }),
    z.strictObject({ minutes: z.number().positive() }),
  ]),
  loss: lossSchema.prefault({}),
  optimizer: optimizerSchema.prefault({}),
  regularisation: regularisationSchema.prefault({}),
  /** Everything random follows from it. */
  seed: z.int().nonnegative().default(1),
  /** Threads of the network, and workers that prepare pictures. @default all processors; one worker */
  threads: z
    .strictObject({ network: z.int().positive().optional(), data: z.int().positive().default(1) })
    .prefault({}),
  /** Steps between two lines of figures. */
  logEverySteps: z.int().positive().default(10),
  checkpoints: checkpointsSchema.prefault({}),
  evaluation: evaluationSchema.optional(),
  energy: energySchema.prefault({}),
});

/** A configuration in full: all defaults filled in, all paths absolute. */
export type TrainingConfig = z.output<typeof fieldsSchema>;
/** A configuration as people write it. */
export type TrainingConfigInput = z.input<typeof fieldsSchema>;

/** How a training goes about its work; relative paths begin at the folder of the configuration's file. */
export const trainingSchema = fieldsSchema.superRefine(refuseContradictions);

/**
 * Reads a configuration, fills in the defaults and makes paths absolute.
 * @param source a JSON file, or the object itself, whose paths begin at `folder`
 * @throws EidosError `not_found`; `invalid_option` that names every wrong field and what it may be
 */
export async function readTrainingConfig(
  source: string | TrainingConfigInput,
  { folder = process.cwd() }: { folder?: string } = {},
): Promise<TrainingConfig> {
  if (typeof source !== 'string') return completeConfig(source, 'The configuration', folder);
  const text = await readFile(source, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const { code } = cause;
    throw new EidosError(
      'not_found',
      code === 'EISDIR'
        ? `${source} is a folder, not a configuration: "eidos train --folder ${source} --out MODEL" learns from the pictures in it, and --resume goes on where it is the folder of a training.`
        : `The configuration ${source} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : cause.message}. "eidos train --folder PHOTOS --out MODEL --init FILE" writes one to begin with.`,
      { cause },
    );
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new EidosError('invalid_option', `${source} is no JSON: ${(cause as Error).message}.`, { cause });
  }
  return completeConfig(value, source, dirname(resolve(source)));
}

/**
 * The configuration that a training's folder keeps, where the path is such a folder; otherwise the path itself.
 * @throws EidosError as readTrainingConfig does
 */
export async function savedConfig(
  path: string,
  { resume = false }: { resume?: boolean } = {},
): Promise<string | TrainingConfigInput> {
  const saved = trainingPlaces(path).config;
  if (!resume || !existsSync(saved)) return path;
  // The folder may have been moved since.
  return { ...(await readTrainingConfig(saved)), output: resolve(path) };
}

function completeConfig(value: unknown, origin: string, folder: string): TrainingConfig {
  const config = checked(trainingSchema, value, origin);
  const { initialise, tokenizer, evaluation } = config;
  return {
    ...config,
    output: resolve(folder, config.output),
    data: resolveDataPaths(config.data, folder),
    imageTower: resolveImageTowerPaths(config.imageTower, folder),
    loss: resolveLossPaths(config.loss, folder),
    ...(initialise === undefined ? {} : { initialise: resolveModelPaths(initialise, folder) }),
    ...(tokenizer === undefined ? {} : { tokenizer: resolveTokenizerPaths(tokenizer, folder) }),
    ...(evaluation === undefined ? {} : { evaluation: resolveEvaluationPaths(evaluation, folder) }),
  };
}

function resolveImageTowerPaths(tower: ImageTowerConfig, folder: string): ImageTowerConfig {
  if (tower.kind !== 'features' || tower.cache === undefined) return tower;
  return { ...tower, cache: resolve(folder, tower.cache) };
}

function resolveLossPaths({ distillation, ...rest }: LossConfig, folder: string): LossConfig {
  if (distillation === undefined) return rest;
  const { names, from } = distillation;
  return {
    ...rest,
    distillation: {
      ...distillation,
      names: resolve(folder, names),
      ...(from === undefined ? {} : { from: modelPath(from, folder) }),
    },
  };
}

function resolveModelPaths(
  { from, image, ...rest }: NonNullable<TrainingConfig['initialise']>,
  folder: string,
): NonNullable<TrainingConfig['initialise']> {
  return {
    ...rest,
    ...(from === undefined ? {} : { from: modelPath(from, folder) }),
    ...(image === undefined ? {} : { image: { from: modelPath(image.from, folder) } }),
  };
}

/** What is there or looks like a path is one; `eidos-small` and `openai/clip-vit-base-patch32` are names. */
function modelPath(from: string, folder: string): string {
  const path = resolve(folder, from);
  return /^[.\\/]|^[a-z]:/i.test(from) || existsSync(path) ? path : from;
}
