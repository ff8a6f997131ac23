/** `eidos/evaluate`: how good a model is on a data set, by the figures that papers give. */
export {
  type Dataset,
  type DatasetClass,
  type DatasetForm,
  type DatasetSelection,
  type Language,
  languages,
  type Sample,
} from './dataset.ts';
export {
  type EvaluateOptions,
  type Evaluation,
  type EvaluationProgress,
  evaluate,
  type Measurement,
  type MetricName,
} from './evaluate.ts';
export { type Labels, readLabelsFile } from './labels.ts';
export {
  fitLinearProbe,
  type LinearProbe,
  type LinearProbeOptions,
  probeProbabilities,
} from './linear-probe.ts';
export { type RetrievalRanks, rankOf, retrievalRanks, type Share, shareWithin } from './metrics.ts';
export { openDataset } from './open.ts';
export { evaluateLinearProbe, type LinearProbeEvaluationOptions } from './probe.ts';
export type { UnreadablePicture } from './reading.ts';
export { type Calibration, calibration, type Separation, separation } from './scores.ts';
export { type Interval, wilsonInterval } from './wilson.ts';
