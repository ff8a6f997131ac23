/** Where a training keeps what: the model in its folder, all else below `training` in it. */
import { basename, dirname, join } from 'node:path';

export interface TrainingPlaces {
  /** What the training is called. */
  name: string;
  /** The model's folder. */
  output: string;
  /** The folder of all else. */
  training: string;
  /** Held by the process that trains. */
  lock: string;
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
    lock: join(training, '.lock'),
    config: join(training, 'config.json'),
    metrics: join(training, 'metrics.jsonl'),
    report: join(training, 'report.html'),
    checkpoints: join(training, 'checkpoints'),
    candidate: join(training, 'candidate'),
  };
}

/** The model's folder, where a path is that of a training's checkpoint. */
export function folderOfCheckpoint(path: string): string | undefined {
  const output = dirname(dirname(dirname(path)));
  const isCheckpoint = /^step-\d+\.safetensors$/.test(basename(path));
  return isCheckpoint && dirname(path) === trainingPlaces(output).checkpoints ? output : undefined;
}
