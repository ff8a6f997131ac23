/** A CLIP of random weights, complete with tokenizer, written as Hugging Face's CLIPModel: small enough to be made in each test. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeHuggingFace } from '../src/checkpoint/index.ts';
import { initialValues } from '../src/graph/initialise.ts';
import type { ClipArchitecture } from '../src/models/architecture.ts';
import { parametersOfClip } from '../src/models/parameters.ts';
import { trainBytePairVocabulary } from '../src/text/train-vocabulary.ts';

const sentences = [
  'a photo of a dog',
  'a photo of a cat',
  'a dog and a cat',
  'the red square',
  'the green square',
  'the blue square',
];

/** Written into a new folder of the system's temporary one, whose path is returned. */
export async function writeTinyModel(changes: Partial<ClipArchitecture> = {}): Promise<string> {
  const vocabulary = trainBytePairVocabulary(sentences, { size: 560, contextLength: 40 });
  const tower = {
    width: 64,
    layers: 2,
    heads: 2,
    mlpWidth: 128,
    activation: 'quick_gelu',
    normEpsilon: 1e-5,
  } as const;
  const architecture: ClipArchitecture = {
    embeddingSize: 32,
    image: {
      ...tower,
      kind: 'vit',
      imageSize: 32,
      patchSize: 8,
      patchBias: false,
      classToken: true,
      normBefore: true,
      normAfter: 'pooled',
      pool: { kind: 'class' },
      projection: 'linear',
    },
    text: {
      ...tower,
      contextLength: 40,
      vocabularySize: vocabulary.vocabularySize,
      causal: true,
      positions: 'learned',
      pool: { kind: 'end', endToken: vocabulary.vocabularySize - 1 },
      projection: 'linear',
    },
    probability: 'softmax',
    logitBias: false,
    ...changes,
  };
  const nodes = parametersOfClip(architecture);
  const parameters = new Map(
    nodes.map((attributes) => {
      const data = initialValues(attributes, 7);
      return [attributes.name, { shape: [...attributes.shape], data }];
    }),
  );
  const folder = await mkdtemp(join(tmpdir(), 'eidos-tiny-'));
  await writeHuggingFace(folder, architecture, parameters);
  for (const [name, content] of Object.entries(vocabulary.files))
    await writeFile(join(folder, name), content);
  return folder;
}
