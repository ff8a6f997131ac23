/** The configuration of a training on one's own pictures: a few hundred are enough to teach the bundled model more. */
import { bundledModel } from '../../clip/load.ts';
import type { TrainingConfigInput } from '../config.ts';

export interface FolderTraining {
  /** Pictures in class folders or with captions, in any form that `data.sources` takes. */
  folder: string;
  /** Where the model goes. */
  output: string;
  /** The model to begin with. @default the bundled one */
  model?: string;
  /** @default 300 */
  steps?: number;
  /** In place of steps. */
  minutes?: number;
}

/**
 * A model that is named learns as a whole, gently: too high a rate would make it forget what it knows. The bundled one's
 * image tower knows more than some hundred pictures can teach it: it stays as it is and is asked once about four views of
 * each, and what is above it and the text tower learn, in a fraction of the time.
 */
export function folderConfig({
  folder,
  output,
  model,
  steps = 300,
  minutes,
}: FolderTraining): TrainingConfigInput {
  // A short training, too, has to come to its full rate.
  const warmupSteps = minutes === undefined ? Math.min(20, Math.ceil(steps / 10)) : 20;
  return {
    output,
    initialise: { from: model ?? bundledModel },
    ...(model === undefined ? { imageTower: { kind: 'features', views: 4 } } : {}),
    data: { sources: [{ path: folder }], augmentation: { area: [0.6, 1] } },
    batch: 32,
    until: minutes === undefined ? { steps } : { minutes },
    optimizer: { learningRate: 1e-4, schedule: { kind: 'cosine', warmupSteps }, maxGradientNorm: 1 },
  };
}
