/** `eidos/train`: from pictures and captions to a model that `loadClip` opens. */

export type { TrainedVocabulary } from '../text/train-vocabulary.ts';
export {
  readTrainingConfig,
  savedConfig,
  type TrainingConfig,
  type TrainingConfigInput,
  trainingSchema,
} from './config.ts';
export { type MeasuringResult, measureFeatures } from './measure-features.ts';
export type { EnergyUse } from './run/energy.ts';
export type { TrainingEvent } from './run/events.ts';
export { type FolderTraining, folderConfig } from './run/folder-config.ts';
export type { EnergyLine, EvaluationLine, LogLine, StepLine } from './run/metrics-log.ts';
export { readMetricsLog } from './run/metrics-log.ts';
export { duration, measurementName, speeds } from './run/report.ts';
export { type TrainingResult, type TrainOptions, train } from './train.ts';
export { type TrainTokenizerOptions, trainTokenizer } from './train-tokenizer.ts';
