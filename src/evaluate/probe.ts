/** The linear probe of a data set: a classifier fitted to the embeddings of one part, measured on another. */
import type { Clip } from '../clip/clip.ts';
import { EidosError } from '../errors.ts';
import type { Dataset } from './dataset.ts';
import type { Evaluation, EvaluationProgress } from './evaluate.ts';
import { embedLabelled, type LabelledPictures } from './labelled.ts';
import { fitLinearProbe, type LinearProbeOptions, probeProbabilities } from './linear-probe.ts';
import { rankOf, shareWithin } from './metrics.ts';
import type { FailureOptions } from './reading.ts';
import { allSplits } from './splits.ts';

export interface LinearProbeEvaluationOptions extends LinearProbeOptions, FailureOptions {
  /** Pictures that the network sees at once. @default 32 */
  batchSize?: number;
  signal?: AbortSignal;
  onProgress?: (progress: EvaluationProgress) => void;
}

/**
 * Embeddings of unit length, times √embeddingSize so that `c` means the same for every model; the encoder stays as it is.
 * @param train the part that the classifier learns from
 * @param test another part of the same set
 * @throws EidosError `invalid_option` where the parts are not of the same classes or share pictures, `invalid_image`,
 * `aborted`
 */
export async function evaluateLinearProbe(
  clip: Clip,
  train: Dataset,
  test: Dataset,
  options: LinearProbeEvaluationOptions = {},
): Promise<Evaluation> {
  if (sharesPictures(train, test)) {
    throw new EidosError(
      'invalid_option',
      `A linear probe of ${test.name} would learn from "${train.split}" and be measured on "${test.split}", the same pictures: name another part of it.`,
    );
  }
  const classes = test.classes.length;
  const same =
    train.classes.map(({ key }) => key).join('\n') === test.classes.map(({ key }) => key).join('\n');
  if (!same || classes < 2) {
    throw new EidosError(
      'invalid_option',
      `A linear probe needs two parts with the same classes, two at least: "${train.split}" has ${train.classes.length}, "${test.split}" ${classes}.`,
    );
  }
  const learned = scaled(await embedLabelled(clip, train, options));
  const probe = fitLinearProbe(learned.embeddings, learned.labels, classes, options);
  const asked = scaled(await embedLabelled(clip, test, options));
  const probabilities = probeProbabilities(probe, asked.embeddings);
  const ranks = asked.labels.map((label, row) =>
    rankOf(probabilities.subarray(row * classes, (row + 1) * classes), label),
  );
  const { name, split, where } = test;
  return {
    measurements: ([1, 5] as const)
      .filter((k) => k < classes)
      .map((k) => ({
        dataset: name,
        split,
        ...(where === undefined ? {} : { where }),
        metric: `linear_probe_accuracy@${k}` as const,
        language: 'en',
        ...shareWithin(ranks, k),
      })),
    pictures: asked.labels.length,
    unreadable: [...learned.unreadable, ...asked.unreadable],
  };
}

/** Whether two selections of one set may have pictures in common. */
function sharesPictures(one: Dataset, other: Dataset): boolean {
  const splits = [one.split, other.split];
  const isOtherPart = one.split !== other.split && !splits.includes(allSplits);
  const hasOtherField = Object.entries(one.where ?? {}).some(
    ([field, value]) => other.where?.[field] !== undefined && other.where[field] !== value,
  );
  return one.name === other.name && !isOtherPart && !hasOtherField;
}

/** Rows of length √embeddingSize, so that `c` means the same for every model. */
function scaled(labelled: LabelledPictures): LabelledPictures {
  const factor = Math.sqrt(labelled.embeddings.shape[1]!);
  const { data } = labelled.embeddings;
  for (let at = 0; at < data.length; at++) data[at]! *= factor;
  return labelled;
}
