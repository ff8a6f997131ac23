/** Where a training keeps what: the model in its folder, all else below `training` in it. */
import { basename, join } from 'node:path';

export interface TrainingPlaces {
  /** What the training is called. */
  name: string;
  /** The model's folder. */
  output: string;
  /** The folder of all else. */
  training: string;
  /** The configuration in full. */
  config: string;
  metrics: string;
  report: string;
  checkpoints: string;
  /** A model while it is measured. */
  candidate: string;
}

export function trainingPlaces(output: string): TrainingPlaces {
  const training = join(output, 'training');
  return {
    name: basename(output),
    output,
    training,
    config: join(training, 'config.json'),
    metrics: join(training, 'metrics.jsonl'),
    report: join(training, 'report.html'),
    checkpoints: join(training, 'checkpoints'),
    candidate: join(training, 'candidate'),
  };
}
