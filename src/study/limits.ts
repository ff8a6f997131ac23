/** What a model does not know: how far its probabilities can be believed, and whether it notices when no answer is right. */
import { createHash } from 'node:crypto';
import type { Clip } from '../clip/clip.ts';
import type { Embeddings } from '../clip/embeddings.ts';
import { EidosError, requireKnownOptions } from '../errors.ts';
import type { Dataset } from '../evaluate/dataset.ts';
import { embedLabelled, type LabelledPictures } from '../evaluate/labelled.ts';
import { wordsOfClasses } from '../evaluate/labels.ts';
import type { UnreadablePicture } from '../evaluate/reading.ts';
import { separation } from '../evaluate/scores.ts';
import { resolveTemplates } from '../text/templates.ts';
import { type StudyOptions, sharedOptions } from './options.ts';
import { classMatrices, products, requireClasses } from './prompts.ts';
import { bootstrapAll } from './statistics.ts';

export interface LimitsOptions extends StudyOptions {
  /** @default 'a photo of a {}.' */
  templates?: string | readonly string[] | undefined;
  /** The part that temperature and thresholds are fitted on. @default half of the measured part, by content */
  validation?: Dataset | undefined;
  /** Share of pictures whose set of labels may miss the right one. @default 0.1 */
  errorRate?: number | undefined;
}

/** The figures; those of `before` are at the model's own temperature, those of `after` at the fitted one. */
export type LimitsMetric =
  | 'accuracy'
  | 'ece_before'
  | 'ece_after'
  | 'nll_before'
  | 'nll_after'
  | 'brier_before'
  | 'brier_after'
  | 'none_auroc'
  | 'none_fpr95'
  | 'risk_coverage_area'
  | 'conformal_coverage'
  | 'conformal_size';

export interface LimitsStudy {
  dataset: string;
  split: string;
  /** Each with its 95 % interval by resampling of pictures. */
  figures: { metric: LimitsMetric; value: number; low: number; high: number }[];
  /** The factor of cosines before and after the fit. */
  scaleBefore: number;
  scaleAfter: number;
  n: number;
  validationPictures: number;
  unreadable: UnreadablePicture[];
}

const studyOptions = { templates: true, validation: true, errorRate: true, ...sharedOptions } as const;

/** Halves of the classes that stand for what is unknown. */
const halves = 5;
const bins = 15;

/**
 * @throws EidosError `invalid_option` for a set without two classes, for a validation part that has pictures of the measured
 * part, and where a half has no pictures
 */
export async function studyLimits(
  clip: Clip,
  dataset: Dataset,
  options: LimitsOptions = {},
): Promise<LimitsStudy> {
  requireKnownOptions<LimitsOptions>('studyLimits', options, studyOptions);
  const { errorRate = 0.1, seed = 0, batchSize, signal, onProgress, onWarning } = options;
  if (!(errorRate > 0 && errorRate < 1)) {
    throw new EidosError('invalid_option', `errorRate is ${errorRate}: it is a share between 0 and 1.`);
  }
  requireClasses(dataset);
  const reading = { batchSize, signal, onProgress };
  const words = wordsOfClasses(dataset.classes, options.labels, onWarning);
  const { together: matrix } = await classMatrices(
    clip,
    words,
    resolveTemplates(options.templates ?? 'simple'),
  );
  const measured = await embedLabelled(clip, dataset, reading);
  const { test, validation } =
    options.validation === undefined
      ? halvesByContent(measured)
      : apart(measured, await embedLabelled(clip, options.validation, reading));
  if (test.labels.length === 0 || validation.labels.length === 0) {
    throw new EidosError(
      'invalid_option',
      `${dataset.name} (${dataset.split}) has too few pictures to be cut into a part to fit on and one to measure.`,
    );
  }
  const scaleBefore = clip.logitScale;
  const fitted = logitsOf(validation, matrix);
  const scaleAfter = fitScale(fitted, scaleBefore);
  const own = logitsOf(test, matrix);
  const before = judged(own, scaleBefore);
  const after = judged(own, scaleAfter);
  const n = own.labels.length;
  const threshold = conformalThreshold(judged(fitted, scaleAfter), errorRate);
  const sets = after.order.map((order, row) => conformalSet(order, after.probabilities[row]!, threshold));
  const covered = sets.map((set, row) => (set.includes(own.labels[row]!) ? 1 : 0));

  const mean = (values: readonly number[], rows: readonly number[]): number =>
    rows.reduce((sum, row) => sum + values[row]!, 0) / rows.length;
  const sizes = sets.map((set) => set.length);
  const unknown = unknownClasses(dataset, own, scaleAfter);
  const figuresOf = (rows: readonly number[]): Readonly<Record<LimitsMetric, number>> => {
    const none = unknown(rows);
    return {
      accuracy: mean(after.right, rows),
      ece_before: calibrationError(before, rows),
      ece_after: calibrationError(after, rows),
      nll_before: mean(before.surprise, rows),
      nll_after: mean(after.surprise, rows),
      brier_before: mean(before.brier, rows),
      brier_after: mean(after.brier, rows),
      none_auroc: none.auroc,
      none_fpr95: none.falsePositiveRate95,
      risk_coverage_area: riskCoverageArea(after, rows),
      conformal_coverage: mean(covered, rows),
      conformal_size: mean(sizes, rows),
    };
  };
  const all = figuresOf(own.labels.map((_, row) => row));
  const metrics = Object.keys(all) as LimitsMetric[];
  const intervals = bootstrapAll(n, (rows) => Object.values(figuresOf(rows)), { seed });
  const figures = metrics.map((metric, at) => {
    const [low, high] = intervals[at]!;
    return { metric, value: all[metric], low, high };
  });
  return {
    dataset: dataset.name,
    split: dataset.split,
    figures,
    scaleBefore,
    scaleAfter,
    n,
    validationPictures: validation.labels.length,
    unreadable: measured.unreadable,
  };
}

/** Cosines of pictures with classes, [n][classes], and the right class of each. */
interface Logits {
  cosines: Float32Array[];
  labels: readonly number[];
}

function logitsOf({ embeddings, labels }: LabelledPictures, matrix: Embeddings): Logits {
  const classes = matrix.shape[0]!;
  const all = products(embeddings, matrix);
  return { cosines: labels.map((_, row) => all.subarray(row * classes, (row + 1) * classes)), labels };
}

/** Halves that follow from what the model sees of the pictures, so that equal pictures stay together. */
function halvesByContent(all: LabelledPictures): { test: LabelledPictures; validation: LabelledPictures } {
  const isTest = all.labels.map((_, row) => (contentHash(all.embeddings, row)[0]! & 1) === 1);
  return {
    test: chosen(all, isTest),
    validation: chosen(
      all,
      isTest.map((one) => !one),
    ),
  };
}

/** @throws EidosError `invalid_option` where both have a picture in common */
function apart(
  test: LabelledPictures,
  validation: LabelledPictures,
): { test: LabelledPictures; validation: LabelledPictures } {
  const known = new Set(test.labels.map((_, row) => contentHash(test.embeddings, row).toString('hex')));
  const shared = validation.labels.filter((_, row) =>
    known.has(contentHash(validation.embeddings, row).toString('hex')),
  ).length;
  if (shared > 0) {
    throw new EidosError(
      'invalid_option',
      `${shared} pictures of the validation part are in the measured part, too: figures would be too good. Take another part.`,
    );
  }
  return { test, validation };
}

function contentHash({ data, shape }: Embeddings, row: number): Buffer {
  const size = shape[1]!;
  const own = data.slice(row * size, (row + 1) * size);
  return createHash('sha256').update(new Uint8Array(own.buffer)).digest();
}

function chosen(
  { embeddings, labels, unreadable }: LabelledPictures,
  kept: readonly boolean[],
): LabelledPictures {
  const size = embeddings.shape[1]!;
  const rows = labels.flatMap((_, row) => (kept[row] ? [row] : []));
  const data = new Float32Array(rows.length * size);
  rows.forEach((row, at) => {
    data.set(embeddings.data.subarray(row * size, (row + 1) * size), at * size);
  });
  return {
    embeddings: { data, shape: [rows.length, size] },
    labels: rows.map((row) => labels[row]!),
    unreadable,
  };
}

interface Judged {
  probabilities: Float64Array[];
  /** Classes of each picture, the most probable first. */
  order: number[][];
  confidence: number[];
  right: number[];
  surprise: number[];
  brier: number[];
  labels: readonly number[];
}

function judged({ cosines, labels }: Logits, scale: number): Judged {
  const probabilities = cosines.map((row) => softmax(row, scale));
  const order = probabilities.map((row) =>
    Array.from(row, (_, label) => label).sort((a, b) => row[b]! - row[a]! || a - b),
  );
  return {
    probabilities,
    order,
    confidence: order.map(([first], row) => probabilities[row]![first!]!),
    right: order.map(([first], row) => (first === labels[row] ? 1 : 0)),
    surprise: labels.map((label, row) => -Math.log(Math.max(1e-300, probabilities[row]![label]!))),
    brier: labels.map((label, row) =>
      probabilities[row]!.reduce((sum, p, at) => sum + (p - (at === label ? 1 : 0)) ** 2, 0),
    ),
    labels,
  };
}

function softmax(cosines: Float32Array, scale: number): Float64Array {
  const largest = cosines.reduce((a, b) => Math.max(a, b));
  const powers = Float64Array.from(cosines, (cosine) => Math.exp(scale * (cosine - largest)));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** The factor of the least surprise on the validation part (Guo et al. 2017), by golden sections of its logarithm. */
function fitScale(logits: Logits, from: number): number {
  const cost = (log: number): number => {
    const { surprise } = judged(logits, Math.exp(log));
    return surprise.reduce((sum, one) => sum + one, 0);
  };
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [Math.log(from) - 4, Math.log(from) + 4];
  let [a, b] = [high - ratio * (high - low), low + ratio * (high - low)];
  let [costA, costB] = [cost(a), cost(b)];
  for (let step = 0; step < 30; step++) {
    if (costA < costB) {
      [high, b, costB] = [b, a, costA];
      a = high - ratio * (high - low);
      costA = cost(a);
    } else {
      [low, a, costA] = [a, b, costB];
      b = low + ratio * (high - low);
      costB = cost(b);
    }
  }
  return Math.exp((low + high) / 2);
}

/** Distance of confidence and accuracy over bins of equal numbers of pictures. */
function calibrationError({ confidence, right }: Judged, rows: readonly number[]): number {
  const order = [...rows].sort((a, b) => confidence[a]! - confidence[b]!);
  const count = Math.min(bins, order.length);
  let error = 0;
  for (let bin = 0; bin < count; bin++) {
    const own = order.slice(
      Math.floor((bin * order.length) / count),
      Math.floor(((bin + 1) * order.length) / count),
    );
    error += Math.abs(own.reduce((sum, row) => sum + confidence[row]! - right[row]!, 0));
  }
  return error / order.length;
}

/** Mean share of wrong answers over all numbers of answered pictures, the surest first (Geifman and El-Yaniv 2017). */
function riskCoverageArea({ confidence, right }: Judged, rows: readonly number[]): number {
  const order = [...rows].sort((a, b) => confidence[b]! - confidence[a]!);
  let [wrong, area] = [0, 0];
  order.forEach((row, at) => {
    wrong += 1 - right[row]!;
    area += wrong / (at + 1);
  });
  return area / order.length;
}

/** Whether the largest probability among known classes tells pictures of known classes from the others (Ming et al. 2022). */
function unknownClasses(
  { classes }: Dataset,
  logits: Logits,
  scale: number,
): (rows: readonly number[]) => { auroc: number; falsePositiveRate95: number } {
  const parts = Array.from({ length: halves }, (_, half) => {
    const hashed = classes
      .map(({ key }, label) => ({ label, hash: createHash('sha256').update(`${half} ${key}`).digest('hex') }))
      .sort((a, b) => (a.hash < b.hash ? -1 : 1));
    const known = hashed.slice(0, Math.ceil(classes.length / 2)).map(({ label }) => label);
    const isKnown = new Set(known);
    const scores = logits.cosines.map((row) =>
      Math.max(
        ...softmax(
          Float32Array.from(known, (label) => row[label]!),
          scale,
        ),
      ),
    );
    return { scores, positive: logits.labels.map((label) => isKnown.has(label)) };
  });
  return (rows) => {
    const all = parts.flatMap(({ scores, positive }) => {
      const own = rows.map((row) => positive[row]!);
      if (own.every(Boolean) || !own.some(Boolean)) return [];
      return [
        separation(
          rows.map((row) => scores[row]!),
          own,
        ),
      ];
    });
    const average = (of: 'auroc' | 'falsePositiveRate95'): number =>
      all.reduce((sum, one) => sum + one[of], 0) / all.length;
    return { auroc: average('auroc'), falsePositiveRate95: average('falsePositiveRate95') };
  };
}

/** The summed probability up to the right class that all but the error rate stay under (Romano et al. 2020, split form). */
function conformalThreshold({ probabilities, order, labels }: Judged, errorRate: number): number {
  const scores = labels
    .map((label, row) => {
      let sum = 0;
      for (const one of order[row]!) {
        sum += probabilities[row]![one]!;
        if (one === label) break;
      }
      return sum;
    })
    .sort((a, b) => a - b);
  const rank = Math.ceil((scores.length + 1) * (1 - errorRate));
  return rank > scores.length ? Number.POSITIVE_INFINITY : scores[rank - 1]!;
}

/** The classes up to which the summed probability stays within the threshold; one at least. */
function conformalSet(order: readonly number[], probabilities: Float64Array, threshold: number): number[] {
  const set: number[] = [];
  let sum = 0;
  for (const label of order) {
    sum += probabilities[label]!;
    if (set.length > 0 && sum > threshold + rounding) break;
    set.push(label);
  }
  return set;
}

/** Sums of probabilities differ by this where they are the same. */
const rounding = 1e-12;
