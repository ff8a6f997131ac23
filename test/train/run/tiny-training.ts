/** A training of seconds: squares of four colours in class folders, and a model just large enough to tell them apart. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import type { TrainingConfigInput } from '../../../src/train/index.ts';

const colours = { red: [230, 30, 30], green: [30, 200, 40], blue: [40, 50, 230], yellow: [230, 220, 40] };
export const colourNames = Object.keys(colours);

/** Writes `COLOUR/NUMBER.png`, so many of each. */
export async function writeColourFolders(folder: string, each = 6): Promise<void> {
  for (const [name, [r = 0, g = 0, b = 0]] of Object.entries(colours)) {
    await mkdir(join(folder, name), { recursive: true });
    for (let i = 0; i < each; i++) {
      const background = { r: r + 3 * i, g: g + 2 * i, b: b + i };
      await sharp({ create: { width: 16, height: 12 + i, channels: 3, background } })
        .png()
        .toFile(join(folder, name, `${i}.png`));
    }
  }
}

/** One thread, so that other tests can run beside it; every kind of noise, so that going on must get all of it right. */
export function tinyTraining(
  folder: string,
  output: string,
  changes: Partial<TrainingConfigInput> = {},
): TrainingConfigInput {
  return {
    output,
    data: {
      sources: [{ path: folder }],
      captions: { templates: { en: ['a {} square', '{}'] } },
      augmentation: { colour: 0.05, grey: 0, coarse: 0 },
    },
    architecture: {
      embeddingSize: 8,
      image: { kind: 'vit', imageSize: 16, patchSize: 8, width: 16, layers: 2, heads: 2 },
      text: { width: 16, layers: 1, heads: 2 },
    },
    tokenizer: { train: { size: 530, contextLength: 12 } },
    batch: 8,
    until: { steps: 12 },
    optimizer: {
      learningRate: 0.01,
      schedule: { kind: 'cosine', warmupSteps: 2 },
      averaging: { decay: 0.9 },
      maxGradientNorm: 1,
    },
    regularisation: { patchDropout: 0.25, stochasticDepth: { image: 0.2 } },
    threads: { network: 1 },
    logEverySteps: 1,
    ...changes,
  };
}
