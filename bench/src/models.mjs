/** The models that are measured: a ViT-B/32 of random weights as a checkpoint, and exported for transformers.js. */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { checkpoints, exporting, initialisers, modelParameters } from './eidos.mjs';

/**
 * The image tower is CLIP's ViT-B/32; the text tower is small, as only pictures are measured.
 * @type {import('../../src/models/architecture.ts').ClipArchitecture}
 */
export const vitB32 = {
  embeddingSize: 512,
  image: {
    kind: 'vit',
    imageSize: 224,
    patchSize: 32,
    width: 768,
    layers: 12,
    heads: 12,
    mlpWidth: 3072,
    activation: 'quick_gelu',
    normEpsilon: 1e-5,
    patchBias: false,
    classToken: true,
    normBefore: true,
    normAfter: 'pooled',
    pool: { kind: 'class' },
    projection: 'linear',
  },
  text: {
    width: 64,
    layers: 1,
    heads: 1,
    mlpWidth: 256,
    activation: 'quick_gelu',
    normEpsilon: 1e-5,
    contextLength: 77,
    vocabularySize: 1000,
    causal: true,
    positions: 'learned',
    pool: { kind: 'end', endToken: 'highest' },
    projection: 'linear',
  },
  probability: 'softmax',
  logitBias: false,
};

/** Channels that the norms of trained models make large; their place in the width does not matter. */
const outliers = { channels: [13, 137, 251, 389, 503, 701], factor: 12 };

/**
 * The folder of the checkpoint, written where it is missing.
 * @param {string} folder
 * @param {{ outlierChannels?: boolean }} [options]
 */
export async function randomCheckpoint(folder, { outlierChannels = false } = {}) {
  if (existsSync(folder)) return folder;
  const { writeHuggingFace } = await checkpoints();
  const { parametersOfClip } = await modelParameters();
  const { initialValues } = await initialisers();
  const parameters = new Map(
    parametersOfClip(vitB32).map((attributes) => {
      const data = initialValues(attributes, 1);
      if (outlierChannels && /^image\.blocks\.\d+\.norm_[12]\.weight$/.test(attributes.name)) {
        for (const channel of outliers.channels) data[channel] = outliers.factor;
      }
      return [attributes.name, { shape: [...attributes.shape], data }];
    }),
  );
  const temporary = `${folder}.${process.pid}.tmp`;
  await mkdir(dirname(folder), { recursive: true });
  try {
    await writeHuggingFace(temporary, vitB32, parameters);
    await rename(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return folder;
}

/**
 * The same model for transformers.js.
 * @param {string} checkpoint
 * @param {string} folder
 */
export async function exported(checkpoint, folder) {
  if (existsSync(folder)) return folder;
  const { exportOnnx } = await exporting();
  await exportOnnx(checkpoint, folder);
  return folder;
}
