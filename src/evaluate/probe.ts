/** The linear probe of a data set: a classifier fitted to the embeddings of one part, measured on another. */
import type { Clip } from '../clip/clip.ts';
import type { Embeddings } from '../clip/embeddings.ts';
import { EidosError } from '../errors.ts';
import type { Dataset } from './dataset.ts';
import type { Evaluation, EvaluationProgress } from './evaluate.ts';
import { fitLinearProbe, type LinearProbeOptions, probeProbabilities } from './linear-probe.ts';
import { rankOf, shareWithin } from './metrics.ts';
import { countFailures, type FailureOptions, readable } from './reading.ts';
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
  const learned = await embedLabelled(clip, train, options);
  const probe = fitLinearProbe(learned.embeddings, learned.labels, classes, options);
  const asked = await embedLabelled(clip, test, options);
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

/** The pictures of a part that have a class, [n, embeddingSize] with their classes. */
async function embedLabelled(clip: Clip, dataset: Dataset, options: LinearProbeEvaluationOptions) {
  const { batchSize = 32, signal, onProgress } = options;
  const failures = countFailures(dataset, options);
  const { images, sampleOf } = readable(dataset, failures.add);
  const width = clip.embeddingSize;
  const scale = Math.sqrt(width);
  const rows: Float32Array[] = [];
  const labels: number[] = [];
  const imageOptions = { batchSize, ...(signal === undefined ? {} : { signal }) };
  for await (const { embeddings, items } of clip.embedImageStream(images, imageOptions)) {
    for (const item of items) {
      const { name, label } = sampleOf(item.index);
      if ('error' in item) failures.add({ image: name, error: item.error });
      else if (label !== undefined) {
        rows.push(embeddings.data.slice(item.row * width, (item.row + 1) * width).map((x) => x * scale));
        labels.push(label);
      }
    }
    onProgress?.({ stage: 'pictures', done: rows.length + failures.all.length, total: dataset.size });
  }
  const all: Embeddings = { data: new Float32Array(rows.length * width), shape: [rows.length, width] };
  for (const [at, row] of rows.entries()) all.data.set(row, at * width);
  return { embeddings: all, labels, unreadable: failures.all };
}
