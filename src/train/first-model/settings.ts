/** What the first bundled model is and how it was trained. */
import type { ClipArchitecture, VitArchitecture } from '../../models/architecture.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../models/preprocessing.ts';
import type { TrainingOptions } from '../training.ts';
import type { AugmentOptions } from './data/augment.ts';
import type { SourceName } from './data/sources.ts';

/** Tokens of the vocabulary and of a sentence, start and end included. */
export const vocabulary = { size: 8192, contextLength: 24 } as const;

const imageArchitecture: VitArchitecture = {
  kind: 'vit',
  imageSize: 96,
  patchSize: 16,
  width: 192,
  layers: 6,
  heads: 3,
  mlpWidth: 768,
  activation: 'quick_gelu',
  normEpsilon: 1e-5,
  patchBias: false,
  classToken: true,
  normBefore: true,
  normAfter: 'pooled',
  pool: { kind: 'class' },
  projection: 'linear',
};

export const architecture: ClipArchitecture = {
  embeddingSize: 192,
  probability: 'softmax',
  logitBias: false,
  image: imageArchitecture,
  text: {
    width: 128,
    layers: 4,
    heads: 2,
    mlpWidth: 512,
    activation: 'quick_gelu',
    normEpsilon: 1e-5,
    contextLength: vocabulary.contextLength,
    vocabularySize: vocabulary.size,
    causal: true,
    positions: 'learned',
    pool: { kind: 'end', endToken: 'highest' },
    projection: 'linear',
  },
};

export const preprocessing: ImagePreprocessing = { ...clipPreprocessing, size: 96 };

/** How often a batch draws from each set. */
export const shares: Readonly<Record<SourceName, number>> = {
  'tiny-imagenet-64': 0.5,
  flickr8k: 0.22,
  'imagenet-samples': 0.1,
  flowers: 0.015,
  'intel-scenes': 0.03,
  'house-rooms': 0.015,
  weather: 0.015,
  'voc-traffic': 0.04,
  sports: 0.025,
  groceries: 0.02,
  trash: 0.01,
};

/** Mild, because every picture is seen only a few times; the bundled model's first 16 minutes had 0.03 grey. */
export const augment: AugmentOptions = { area: [0.5, 1], colour: 0.2, grey: 0.15, coarse: 0.25 };

export const seed = 7;

/** Weight of foretelling the teacher's features beside the contrastive loss. */
export const distillationWeight = 5;

export const training: TrainingOptions = {
  batch: 128,
  learningRate: 6e-4,
  warmupSteps: 100,
  weightDecay: 0.1,
  maxGradientNorm: 1,
  until: { minutes: 63 },
  snapshotMinutes: 4,
  seed,
};
