/** What a training step is told, and what holds where nothing is said. */
import type { ClipArchitecture } from '../../models/architecture.ts';
import {
  type ImageTowerConfig,
  type LossConfig,
  lossSchema,
  type OptimizerConfig,
  optimizerSchema,
  type RegularisationConfig,
  regularisationSchema,
} from './config.ts';
import { classifierPattern, distillingLoss } from './distillation.ts';
import { type FrozenBelow, frozenBelow } from './frozen-below.ts';

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
  /** Names that the image net's own classifier is foretold by, where a part of the loss is about it. */
  names?: number | undefined;
  /** Classes of that classifier, where there are more names than classes. */
  namedClasses?: number | undefined;
  /** Numbers of a text teacher's vector, where a part of the loss reads them. */
  sentenceWidth?: number | undefined;
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

/** The options with nothing left open. */
export type StepSettings = Required<{
  [K in keyof TrainingStepOptions]: K extends
    | 'features'
    | 'classes'
    | 'names'
    | 'namedClasses'
    | 'sentenceWidth'
    ? number | undefined
    : NonNullable<TrainingStepOptions[K]>;
}> & {
  /** The frozen beginning of the image tower, where it is no part of the step. */
  below: FrozenBelow | undefined;
};

/** Fills in the defaults. */
export function stepSettings(architecture: ClipArchitecture, options: TrainingStepOptions): StepSettings {
  const imageTower = options.imageTower ?? { kind: 'model', frozenApart: false };
  const isApart = imageTower.kind === 'model' && imageTower.frozenApart;
  const loss = options.loss ?? lossSchema.parse({});
  return {
    batch: options.batch,
    textLength: options.textLength ?? architecture.text.contextLength,
    targets: options.targets ?? false,
    features: imageTower.kind === 'teacher' ? imageTower.size : options.features,
    classes: options.classes,
    names: options.names,
    namedClasses: options.namedClasses,
    sentenceWidth: options.sentenceWidth,
    loss,
    optimizer: options.optimizer ?? optimizerSchema.parse({}),
    regularisation: options.regularisation ?? regularisationSchema.parse({}),
    // What teaches by its answers does not learn.
    freeze: [...(options.freeze ?? []), ...(distillingLoss(loss) === undefined ? [] : [classifierPattern])],
    imageTower,
    below: isApart ? frozenBelow(architecture, options.freeze ?? []) : undefined,
  };
}
