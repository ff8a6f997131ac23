/** Builds the step of a training before its data are there, since preparing those may take an hour. */
import type { TrainingConfig } from '../config.ts';
import { accumulatedStep } from '../step/accumulation.ts';
import { namingLoss } from '../step/objective.ts';
import { trainingStep } from '../step/step.ts';
import { architectureFor, type FirstModel } from './beginning.ts';
import { stepOptions } from './data.ts';
import { requireFittingTower } from './image-beginning.ts';

/** What only the data tell. Of no rule does it depend how many there are. */
const unknownSize = 2;

/**
 * Says what is wrong with a configuration that only its step can tell, such as parts to freeze that the model has not.
 * No step is run.
 * @throws EidosError `invalid_option` as trainingStep, accumulatedStep, architectureFor and requireFittingTower do
 */
export function requireTrainable(config: TrainingConfig, first: FirstModel): void {
  const tokenizer = { contextLength: unknownSize, vocabularySize: unknownSize };
  const architecture = architectureFor(config, first.model, tokenizer);
  if (first.image !== undefined) requireFittingTower(first.image, architecture.image);
  const { chunk, ...options } = stepOptions(config, {
    classCount: namingLoss(config.loss) === undefined ? 0 : unknownSize,
    nameCount: unknownSize,
    featureWidth: config.data.teacher === undefined ? undefined : unknownSize,
    sentenceWidth: config.data.textTeacher?.width ?? architecture.embeddingSize,
  });
  if (chunk === undefined || chunk === config.batch) trainingStep(architecture, options);
  else accumulatedStep(architecture, options, chunk);
}
