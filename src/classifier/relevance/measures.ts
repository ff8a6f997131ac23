/** How good a calibration is on judged queries: for hits one by one, and for whether anything fits at all. */
import type { Embeddings } from '../../clip/embeddings.ts';
import { bestRows } from '../best.ts';
import type { RelevanceWeights } from './calibration.ts';
import { bestProbability, cosinesOf, type JudgedQuery, relevanceFor } from './judged.ts';
import type { Moments } from './moments.ts';

export interface RelevanceMeasures {
  queries: number;
  /** Hits among the first ten whose fit is known, and the share of them that fits. */
  hits: number;
  fitting: number;
  /** How often a fitting hit has a higher probability than one that does not fit. */
  hitAuroc: number;
  /** Expected calibration error over ten bins of equally many hits. */
  calibrationError: number;
}

/** Of the first ten hits of each query. */
export function measureHits(
  images: Embeddings,
  queries: readonly JudgedQuery[],
  weights: RelevanceWeights,
  background: Moments,
): RelevanceMeasures {
  const judged = queries.flatMap((query) => {
    const scores = cosinesOf(images, query.vector);
    const { probability } = relevanceFor(query.vector, weights, background);
    return bestRows(scores, 10).rows.flatMap((row) => {
      const fitting = query.fits(row);
      return fitting === undefined ? [] : [{ probability: probability(scores[row]!), fits: fitting }];
    });
  });
  return {
    queries: queries.length,
    hits: judged.length,
    fitting: judged.filter(({ fits }) => fits).length / judged.length,
    hitAuroc: areaUnderCurve(
      judged.filter(({ fits }) => fits).map(({ probability }) => probability),
      judged.filter(({ fits }) => !fits).map(({ probability }) => probability),
    ),
    calibrationError: calibrationError(judged),
  };
}

export interface AnswerMeasures {
  answerable: number;
  unanswerable: number;
  /** How often the best hit of an answerable query has a higher probability than that of an unanswerable one. */
  auroc: number;
  /** At the advised cut-off: the share of unanswerable queries that get an empty answer … */
  rightlyEmpty: number;
  /** … of answerable ones that do … */
  wronglyEmpty: number;
  /** … and of all empty answers those that are right. */
  emptyIsRight: number;
}

/** Queries with a fitting picture among the images against queries without one. */
export function measureAnswers(
  images: Embeddings,
  { answerable, unanswerable }: Readonly<Record<'answerable' | 'unanswerable', readonly Float32Array[]>>,
  weights: RelevanceWeights,
  background: Moments,
): AnswerMeasures {
  const best = (vectors: readonly Float32Array[]): number[] =>
    vectors.map((vector) => bestProbability(cosinesOf(images, vector), vector, weights, background));
  const present = best(answerable);
  const absent = best(unanswerable);
  const empty = (values: readonly number[]): number =>
    values.filter((value) => value < weights.cutOff).length;
  return {
    answerable: present.length,
    unanswerable: absent.length,
    auroc: areaUnderCurve(present, absent),
    rightlyEmpty: empty(absent) / absent.length,
    wronglyEmpty: empty(present) / present.length,
    emptyIsRight: empty(absent) / Math.max(1, empty(absent) + empty(present)),
  };
}

/** The area under the receiver operating characteristic: Mann and Whitney's statistic, ties counting half. */
export function areaUnderCurve(positives: readonly number[], negatives: readonly number[]): number {
  const all = [
    ...positives.map((value) => ({ value, isPositive: true })),
    ...negatives.map((value) => ({ value, isPositive: false })),
  ].sort((a, b) => a.value - b.value);
  let wins = 0;
  let below = 0;
  for (let start = 0; start < all.length; ) {
    let end = start;
    while (end < all.length && all[end]!.value === all[start]!.value) end += 1;
    const tied = all.slice(start, end);
    const ownNegatives = tied.filter(({ isPositive }) => !isPositive).length;
    wins += (tied.length - ownNegatives) * (below + ownNegatives / 2);
    below += ownNegatives;
    start = end;
  }
  return wins / (positives.length * negatives.length);
}

/** The mean distance of probability and frequency over ten bins of equally many (Naeini et al. 2015). */
export function calibrationError(judged: readonly { probability: number; fits: boolean }[]): number {
  const sorted = [...judged].sort((a, b) => a.probability - b.probability);
  const bins = 10;
  let error = 0;
  for (let bin = 0; bin < bins; bin++) {
    const own = sorted.slice(
      Math.floor((bin * sorted.length) / bins),
      Math.floor(((bin + 1) * sorted.length) / bins),
    );
    const foretold = own.reduce((sum, { probability }) => sum + probability, 0);
    const fitting = own.filter(({ fits }) => fits).length;
    error += Math.abs(foretold - fitting);
  }
  return error / sorted.length;
}
