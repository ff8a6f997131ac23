/** The configuration of a training on one's own pictures: a few hundred are enough to teach the bundled model more. */
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

/** The whole model learns, gently: too high a rate would make it forget what it knows. */
export function folderConfig({
  folder,
  output,
  model = 'eidos-small',
  steps = 300,
  minutes,
}: FolderTraining): TrainingConfigInput {
  // A short training, too, has to come to its full rate.
  const warmupSteps = minutes === undefined ? Math.min(20, Math.ceil(steps / 10)) : 20;
  return {
    output,
    initialise: { from: model },
    data: { sources: [{ path: folder }], augmentation: { area: [0.6, 1] } },
    batch: 32,
    until: minutes === undefined ? { steps } : { minutes },
    optimizer: { learningRate: 1e-4, schedule: { kind: 'cosine', warmupSteps }, maxGradientNorm: 1 },
  };
}
