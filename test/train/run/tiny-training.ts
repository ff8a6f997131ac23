/** A training of seconds: squares of four colours in class folders, and a model just large enough to tell them apart. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { readMetricsLog, type StepLine, type TrainingConfigInput, train } from '../../../src/train/index.ts';

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

/** A net with batch norms for the same pictures. */
export const smallResnet: NonNullable<TrainingConfigInput['architecture']>['image'] = {
  kind: 'basic_resnet',
  imageSize: 16,
  patchSize: 4,
  widths: [8, 16],
  blocks: [1, 1],
};

/** Trains and stops after a step, as Ctrl-C would. */
export async function trainUntil(wanted: TrainingConfigInput, step: number) {
  const controller = new AbortController();
  return train(wanted, {
    signal: controller.signal,
    onEvent: (event) => {
      if (event.kind === 'step' && event.step === step) controller.abort();
    },
  });
}

/** What a training wrote of its steps. */
export async function stepLines(output: string): Promise<StepLine[]> {
  const lines = await readMetricsLog(join(output, 'training/metrics.jsonl'));
  return lines.filter((line) => line.kind === 'step');
}
