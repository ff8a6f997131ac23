/** The features of a training's pictures alone, before its words are there: they take the longest by far. */

import { EidosError } from '../errors.ts';
import { trainBytePairVocabulary } from '../text/train-vocabulary.ts';
import { readTrainingConfig, type TrainingConfig, type TrainingConfigInput } from './config.ts';
import { beginTraining, findFirstModel, imageSizeOf } from './run/beginning.ts';
import { openTrainingData } from './run/data.ts';
import { featureFolder, withImageFeatures } from './run/measuring.ts';
import type { TrainOptions } from './train.ts';

export interface MeasuringResult {
  /** Pictures whose features are there. */
  pictures: number;
  /** Views of each. */
  views: number;
  /** Numbers a view. */
  width: number;
  /** Where they are kept. */
  folder: string;
  /** Samples that could not be read. */
  broken: { count: number; examples: string[] };
}

/**
 * Measures what the locked image tower of a configuration (`imageTower` of kind `features`) says of every picture, and
 * trains nothing: `train` with the same tower, sources and augmentation finds all of it. Texts, tokenizer and `output`
 * are not looked at, and several processes may measure at once.
 * @throws EidosError `invalid_option` for a configuration without such a tower, and as train does for its data;
 * `config_mismatch` for features of another tower; `aborted`, after which the next call goes on
 */
export async function measureFeatures(
  config: string | TrainingConfigInput,
  options: Omit<TrainOptions, 'resume'> = {},
): Promise<MeasuringResult> {
  const { onEvent = () => undefined, signal, threads } = options;
  const full = await readTrainingConfig(config, options);
  const { imageTower } = full;
  if (imageTower.kind !== 'features') {
    throw new EidosError(
      'invalid_option',
      `There is nothing to measure: "imageTower" is of kind "${imageTower.kind}", and only that of kind "features" is asked before the training.`,
    );
  }
  const first = await findFirstModel(full);
  const found = await openTrainingData(full, imageSizeOf(full, first), onEvent, signal);
  const model = await beginTraining(withoutWords(full), first, undefined, async () => anyTokenizer());
  const { imageFeatures, size, broken } = await withImageFeatures(found, full, model, {
    threads,
    signal,
    onEvent,
  });
  return {
    pictures: size,
    views: imageTower.views,
    width: imageFeatures!.width,
    folder: featureFolder(full),
    broken: {
      count: broken.length,
      examples: broken.slice(0, 5).map(({ name, reason }) => `${name}: ${reason}`),
    },
  };
}

/** A new architecture may have any tokenizer, and its text tower any beginning. */
function withoutWords(config: TrainingConfig): TrainingConfig {
  if (config.architecture === undefined) return config;
  const { initialise } = config;
  return {
    ...config,
    tokenizer: { train: { size: 514, contextLength: 8, texts: [] } },
    ...(initialise === undefined ? {} : { initialise: { ...initialise, only: ['image'] } }),
  };
}

function anyTokenizer() {
  return trainBytePairVocabulary(['a picture'], { size: 514, contextLength: 8 });
}
