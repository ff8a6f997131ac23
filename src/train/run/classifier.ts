/** The classifier that a locked tower was trained with, where its answers are to be foretold from words. */
import { openAnyCheckpoint, parameterShape, readParameter } from '../../checkpoint/index.ts';
import { findModel } from '../../clip/load.ts';
import { EidosError } from '../../errors.ts';
import type { FloatTensor } from '../../graph/tensor.ts';
import type { TrainingConfig } from '../config.ts';
import { distillingLoss } from '../step/distillation.ts';

const names = ['image.classifier.weight', 'image.classifier.bias'];

/**
 * The model with the classifier's weights among its first values, and as it is where no part of the loss reads them.
 * @param classes how many of them have a name
 * @throws EidosError `invalid_option` where there is none, `config_mismatch` where it has other classes than are named
 */
export async function withClassifier<Model extends { firstValues: ReadonlyMap<string, FloatTensor> }>(
  model: Model,
  { loss, initialise }: Pick<TrainingConfig, 'loss' | 'initialise'>,
  classes: number,
): Promise<Model> {
  const distilling = distillingLoss(loss);
  if (distilling === undefined) return model;
  // A training's checkpoint has brought its own.
  const own = names.every((name) => model.firstValues.has(name));
  const source = distilling.from ?? (own ? undefined : initialise?.image?.from);
  const values = source === undefined ? model.firstValues : await readClassifier(source);
  const weight = values.get(names[0]!);
  if (weight === undefined || !values.has(names[1]!)) {
    throw new EidosError(
      'invalid_option',
      `loss.distillation: ${source ?? 'the model that the training begins with'} has no classifier: name the weights of the image net, with its last layer, as "initialise.image.from" or as "loss.distillation.from".`,
    );
  }
  if (weight.shape[0] !== classes) {
    throw new EidosError(
      'config_mismatch',
      `loss.distillation: the classifier has ${weight.shape[0]} classes, and "names" has ${classes}: they must be the same ones in the same order.`,
    );
  }
  return { ...model, firstValues: new Map([...model.firstValues, ...values]) };
}

async function readClassifier(source: string): Promise<Map<string, FloatTensor>> {
  const { parameters } = await openAnyCheckpoint(await findModel(source));
  const values = new Map<string, FloatTensor>();
  for (const name of names) {
    const stored = parameters.get(name);
    if (stored === undefined) continue;
    values.set(name, { data: await readParameter(stored), shape: parameterShape(stored) });
  }
  return values;
}
