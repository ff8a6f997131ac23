/** A CLIP of random weights with a tokenizer, small enough to be made for a test. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkpoints, initialisers, modelParameters, vocabularies } from './eidos.mjs';

const sentences = ['a photo of a dog', 'a photo of a cat', 'the red square', 'the blue square and the dog'];

/** @param {string} folder */
export async function writeTinyModel(folder) {
  const { trainBytePairVocabulary } = await vocabularies();
  const { writeHuggingFace } = await checkpoints();
  const { parametersOfClip } = await modelParameters();
  const { initialValues } = await initialisers();
  const vocabulary = trainBytePairVocabulary(sentences, { size: 560, contextLength: 48 });
  const tower = {
    width: 64,
    layers: 2,
    heads: 2,
    mlpWidth: 128,
    activation: /** @type {const} */ ('quick_gelu'),
    normEpsilon: 1e-5,
  };
  /** @type {import('../../src/models/architecture.ts').ClipArchitecture} */
  const architecture = {
    embeddingSize: 32,
    image: {
      ...tower,
      kind: 'vit',
      imageSize: 64,
      patchSize: 16,
      patchBias: false,
      classToken: true,
      normBefore: true,
      normAfter: 'pooled',
      pool: { kind: 'class' },
      projection: 'linear',
    },
    text: {
      ...tower,
      contextLength: 48,
      vocabularySize: vocabulary.vocabularySize,
      causal: true,
      positions: 'learned',
      pool: { kind: 'end', endToken: vocabulary.vocabularySize - 1 },
      projection: 'linear',
    },
    probability: 'softmax',
    logitBias: false,
  };
  const parameters = new Map(
    parametersOfClip(architecture).map((attributes) => {
      const data = initialValues(attributes, 3);
      return [attributes.name, { shape: [...attributes.shape], data }];
    }),
  );
  await writeHuggingFace(folder, architecture, parameters);
  for (const [name, text] of Object.entries(vocabulary.files)) await writeFile(join(folder, name), text);
}
