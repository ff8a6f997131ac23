/** One step of training as one program: forward, backward and the optimiser. */
import type { RuntimeTensor } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import { differentiate } from '../../graph/differentiate.ts';
import type { Initialiser } from '../../graph/initialise.ts';
import { parametersOf, type Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { parametersOfClip } from '../../models/parameters.ts';
import {
  type ImageTowerConfig,
  type LossConfig,
  lossSchema,
  type OptimizerConfig,
  optimizerSchema,
  type RegularisationConfig,
  regularisationSchema,
} from './config.ts';
import { frozenNames } from './freeze.ts';
import { declareInputs } from './inputs.ts';
import { embedsClasses, objective } from './objective.ts';
import { stepScalars } from './optimizer.ts';
import { trainedTowers } from './towers.ts';
import { averagingDecay, temperatureOf, updateParameters } from './update.ts';

export interface TrainingStepOptions {
  /** Pairs in a batch; programs are compiled for this number. */
  batch: number;
  /** Tokens a sentence. @default the context length */
  textLength?: number | undefined;
  /** Whether the batch says with `targets` [batch, batch] which captions fit which pictures. @default false */
  targets?: boolean | undefined;
  /** Features of the teacher, where a part of the loss or the image tower reads them. */
  features?: number | undefined;
  /** Classes, where a part of the loss is about them. */
  classes?: number | undefined;
  /** @default the contrastive loss alone */
  loss?: LossConfig;
  /** @default AdamW with the defaults of its schema */
  optimizer?: OptimizerConfig;
  /** @default none */
  regularisation?: RegularisationConfig;
  /** See freezeSchema. @default none */
  freeze?: readonly string[];
  /** @default the model's own */
  imageTower?: ImageTowerConfig;
}

/** A parameter that a program reads. */
export interface StepParameter {
  name: string;
  shape: readonly number[];
  initialiser: Initialiser;
  /** Whether the optimiser moves it; running statistics of batch norms and what is frozen stay away from it. */
  trained: boolean;
}

/** Where a step stands. */
export interface StepMoment {
  /** From 1. */
  step: number;
  learningRate: number;
  /** From which the noise is drawn. */
  seed: number;
}

/** What the program reads and writes. */
export interface TrainingStep {
  /**
   * Results by name: `loss`, each part unweighted as `loss:contrastive` and so on, those of updateParameters,
   * `temperature` (1 / e^logit_scale after the step) where the loss has one, and `next:NAME` for running statistics.
   *
   * Inputs by name: `pixels` [batch, 3, side, side], `tokens` [batch, length] int64, `targets`, `features`,
   * `text_features`, `class_targets`, `class_tokens` or `class_embeddings` as the options ask, what inputs() gives, and
   * the state NAME, `mean:NAME`, `square:NAME`, `ema:NAME`.
   */
  results: Record<string, Value>;
  /** In the order in which they are declared. */
  parameters: StepParameter[];
  /** Names to which the numbers of `gradient_norms` belong. */
  trained: string[];
  /** Outputs that become the state of the next step. */
  feedback: [output: string, input: string][];
  /** What the program reads besides state and batch: rate, corrections, noise; a pure function of its argument. */
  inputs(moment: StepMoment): Record<string, RuntimeTensor>;
}

/** The options with nothing left open. */
export type StepSettings = Required<{
  [K in keyof TrainingStepOptions]: K extends 'features' | 'classes'
    ? number | undefined
    : NonNullable<TrainingStepOptions[K]>;
}>;

/** Fills in the defaults. */
export function stepSettings(architecture: ClipArchitecture, options: TrainingStepOptions): StepSettings {
  const imageTower = options.imageTower ?? { kind: 'model' };
  return {
    batch: options.batch,
    textLength: options.textLength ?? architecture.text.contextLength,
    targets: options.targets ?? false,
    features: imageTower.kind === 'features' ? imageTower.size : options.features,
    classes: options.classes,
    loss: options.loss ?? lossSchema.parse({}),
    optimizer: options.optimizer ?? optimizerSchema.parse({}),
    regularisation: options.regularisation ?? regularisationSchema.parse({}),
    freeze: options.freeze ?? [],
    imageTower,
  };
}

/**
 * Builds the step for an architecture.
 * @throws EidosError `invalid_option` where the options contradict one another or nothing is left to be trained
 */
export function trainingStep(architecture: ClipArchitecture, options: TrainingStepOptions): TrainingStep {
  const settings = stepSettings(architecture, options);
  const { loss, optimizer, freeze } = settings;
  const input = declareInputs();
  const towers = trainedTowers(architecture, input, {
    ...settings,
    embeddedClasses: embedsClasses(loss) ? (settings.classes ?? 0) : 0,
    batchStatistics: !freeze.includes('image'),
  });
  const wanted = objective(architecture, input, towers, settings);

  const results: Record<string, Value> = { loss: wanted.loss };
  for (const [part, value] of Object.entries(wanted.parts)) results[`loss:${part}`] = value;
  const feedback: [string, string][] = [];
  for (const [name, next] of towers.statistics) {
    results[`next:${name}`] = next;
    feedback.push([`next:${name}`, name]);
  }

  const { parameters, trained } = chooseTrained(architecture, Object.values(results), freeze);
  const gradients = differentiate(
    wanted.loss,
    trained.map(({ value }) => value),
  );
  const updates = updateParameters(
    trained.map((one, i) => ({ ...one, gradient: gradients[i]! })),
    optimizer,
  );
  Object.assign(results, updates.results);
  const scale = results['next:logit_scale'] ?? parameters.find(({ name }) => name === 'logit_scale')?.value;
  if (scale !== undefined) results.temperature = temperatureOf(scale);
  return {
    results,
    parameters: parameters.map(({ value: _, ...described }) => described),
    trained: trained.map(({ name }) => name),
    feedback: [...feedback, ...updates.feedback],
    inputs: (moment) => ({ ...stepNumbers(moment, optimizer), ...towers.noise.draw(moment) }),
  };
}

/** The parameters that the results depend on, and those of them that the optimiser moves. */
export function chooseTrained(
  architecture: ClipArchitecture,
  results: readonly Value[],
  freeze: readonly string[],
): { parameters: (StepParameter & { value: Value })[]; trained: (StepParameter & { value: Value })[] } {
  const declared = parametersOf(results);
  // A tower that no part of the loss asks for may be frozen all the same.
  const known = [...parametersOfClip(architecture), ...declared.map(({ attributes }) => attributes)];
  const frozen = frozenNames(
    freeze,
    known.map(({ name }) => name),
  );
  const parameters = declared.map(({ attributes, outputs }) => {
    const { name, shape, initialiser, trainable } = attributes;
    return { name, shape, initialiser, trained: trainable && !frozen.has(name), value: outputs[0]! };
  });
  const trained = parameters.filter((parameter) => parameter.trained);
  if (trained.length === 0) {
    throw new EidosError(
      'invalid_option',
      'freeze: every parameter is frozen; nothing is left to be trained.',
    );
  }
  return { parameters, trained };
}

/** The single numbers of a step, as inputs of its program. */
export function stepNumbers(
  { step, learningRate }: StepMoment,
  optimizer: OptimizerConfig,
): Record<string, RuntimeTensor> {
  const numbers = {
    ...stepScalars(step, learningRate, optimizer),
    ...(optimizer.averaging === undefined ? {} : { ema_decay: averagingDecay(step, optimizer) }),
  };
  return Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [
      name,
      { type: 'float32', data: Float32Array.of(value), shape: [] },
    ]),
  );
}
