/** How well scores tell two kinds apart, and how far probabilities can be believed. */
import { EidosError } from '../errors.ts';

/** How well a score is higher for one kind than for the other. */
export interface Separation {
  /** The chance that a positive scores above a negative, ties half (area under the ROC curve). */
  auroc: number;
  /** Precision averaged over the recall steps, thresholds from high to low. */
  averagePrecision: number;
  /** The share of negatives above the highest threshold that keeps 95 % of the positives. */
  falsePositiveRate95: number;
}

/**
 * @param scores higher for positives
 * @param positive which scores belong to positives
 * @throws EidosError `invalid_option` where one of the kinds is missing, or a score is no number
 */
export function separation(scores: ArrayLike<number>, positive: ArrayLike<boolean>): Separation {
  const order = Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
  const positives = order.filter((i) => positive[i]).length;
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) {
    throw new EidosError(
      'invalid_option',
      `To tell two kinds apart both must be there: ${positives} positives, ${negatives} negatives.`,
    );
  }
  if (order.some((i) => Number.isNaN(scores[i]))) {
    throw new EidosError('invalid_option', 'To tell two kinds apart every score must be a number.');
  }
  let hits = 0;
  let alarms = 0;
  let area = 0;
  let precision = 0;
  let rate95: number | undefined;
  for (let at = 0; at < order.length; ) {
    const threshold = scores[order[at]!]!;
    const before = { hits, alarms };
    for (; at < order.length && scores[order[at]!] === threshold; at++) {
      if (positive[order[at]!]) hits++;
      else alarms++;
    }
    area += ((alarms - before.alarms) * (hits + before.hits)) / 2;
    precision += ((hits - before.hits) * hits) / (hits + alarms);
    if (rate95 === undefined && hits >= 0.95 * positives) rate95 = alarms / negatives;
  }
  return {
    auroc: area / (positives * negatives),
    averagePrecision: precision / positives,
    falsePositiveRate95: rate95 ?? 1,
  };
}

/** How far probabilities can be believed. */
export interface Calibration {
  /** Mean distance between confidence and accuracy over bins of confidence (Guo et al. 2017, equation 3). */
  expectedCalibrationError: number;
  /** Mean −log probability of the right class. */
  negativeLogLikelihood: number;
  /** Mean squared distance to the right answer, summed over classes (Brier 1950). */
  brier: number;
  accuracy: number;
}

/**
 * @param probabilities [n, classes]
 * @param targets the right class of each row
 * @param bins of equal width. @default 15
 */
export function calibration(
  probabilities: ArrayLike<number>,
  targets: ArrayLike<number>,
  bins = 15,
): Calibration {
  const n = targets.length;
  const classes = probabilities.length / n;
  const binned = Array.from({ length: bins }, () => ({ confidence: 0, right: 0 }));
  let likelihood = 0;
  let brier = 0;
  let right = 0;
  for (let row = 0; row < n; row++) {
    let best = 0;
    for (let k = 0; k < classes; k++) {
      const p = probabilities[row * classes + k]!;
      if (p > probabilities[row * classes + best]!) best = k;
      brier += (p - (k === targets[row] ? 1 : 0)) ** 2;
    }
    likelihood -= Math.log(probabilities[row * classes + targets[row]!]!);
    const confidence = probabilities[row * classes + best]!;
    // Bins are open below and closed above.
    const bin = binned[Math.min(bins - 1, Math.max(0, Math.ceil(confidence * bins) - 1))]!;
    bin.confidence += confidence;
    if (best === targets[row]) {
      bin.right++;
      right++;
    }
  }
  const error = binned.reduce((sum, { confidence, right: hits }) => sum + Math.abs(confidence - hits), 0);
  return {
    expectedCalibrationError: error / n,
    negativeLogLikelihood: likelihood / n,
    brier: brier / n,
    accuracy: right / n,
  };
}
