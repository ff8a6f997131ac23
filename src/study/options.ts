/** What studies of zero-shot classification take alike. */
import type { EvaluationProgress } from '../evaluate/evaluate.ts';
import type { Labels } from '../evaluate/labels.ts';

export interface StudyOptions {
  /** Words for classes in place of the set's own names. */
  labels?: Labels | undefined;
  /** For resampling. @default 0 */
  seed?: number | undefined;
  batchSize?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: EvaluationProgress) => void) | undefined;
  onWarning?: ((message: string) => void) | undefined;
}

/** Their names, for whoever refuses others. */
export const sharedOptions = {
  labels: true,
  seed: true,
  batchSize: true,
  signal: true,
  onProgress: true,
  onWarning: true,
} as const satisfies Readonly<Record<keyof StudyOptions, true>>;
