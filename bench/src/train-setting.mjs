/** The CLIP-like models that are trained, for both sides: image towers of three kinds beside one text tower. */

/**
 * @typedef {import('../../src/models/architecture.ts').ImageArchitecture} ImageArchitecture
 * @typedef {{ name: string, target: number, batch: number, image: ImageArchitecture }} Training
 */

/** @type {import('../../src/models/architecture.ts').VitArchitecture} */
export const trainedVit = {
  kind: 'vit',
  imageSize: 64,
  patchSize: 8,
  width: 256,
  layers: 8,
  heads: 4,
  mlpWidth: 1024,
  activation: 'quick_gelu',
  normEpsilon: 1e-5,
  patchBias: false,
  classToken: true,
  normBefore: true,
  normAfter: 'pooled',
  pool: { kind: 'class' },
  projection: 'linear',
};

/** @type {import('../../src/models/architecture.ts').ConvNextArchitecture} */
const convNext = {
  kind: 'convnext',
  imageSize: 64,
  patchSize: 4,
  widths: [64, 128, 256],
  blocks: [2, 4, 2],
  kernelSize: 7,
  activation: 'quick_gelu',
  normEpsilon: 1e-6,
};

/** @type {{ [key: string]: Training }} */
export const trainings = {
  vit: { name: 'Vision Transformer', target: 1.1, batch: 32, image: trainedVit },
  convnext: { name: 'ConvNeXt-like tower', target: 1, batch: 32, image: convNext },
  'convnext-gelu': {
    name: 'ConvNeXt-like tower, exact GELU',
    target: 1,
    batch: 32,
    image: { ...convNext, activation: 'gelu' },
  },
  resnet: {
    name: 'residual net with batch norm',
    target: 1,
    batch: 32,
    image: { kind: 'basic_resnet', imageSize: 64, patchSize: 4, widths: [64, 128, 256], blocks: [2, 2, 2] },
  },
};

/** @type {import('../../src/models/architecture.ts').TransformerTextArchitecture} */
export const trainedText = {
  width: 256,
  layers: 4,
  heads: 4,
  mlpWidth: 1024,
  activation: 'quick_gelu',
  normEpsilon: 1e-5,
  contextLength: 32,
  vocabularySize: 8192,
  causal: true,
  positions: 'learned',
  pool: { kind: 'end', endToken: 'highest' },
  projection: 'linear',
};

export const embeddingSize = 256;
export const optimiser = { beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weightDecay: 0.2 };
export const learningRate = 1e-3;
