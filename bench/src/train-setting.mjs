/** The Transformer that is trained, for both sides: ViT 256/8/4, patches of 8 in pictures of 64 pixels, 100 classes. */

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
  projection: 'none',
};
export const classes = 100;
export const batch = 32;
export const optimiser = { beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weightDecay: 0.2 };
export const learningRate = 1e-3;
