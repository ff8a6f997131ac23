/** Fits the logistic function of calibration.ts on judged queries, and measures how good it is on others. */
import type { Embeddings } from '../../../clip/embeddings.ts';
import { EidosError } from '../../../errors.ts';
import { bestRows } from '../vectors/best.ts';
import { type QueryKind, type RelevanceWeights, relevanceOf } from './calibration.ts';
import { type Moments, usualCosine } from './moments.ts';

/** A query whose fitting pictures are known. */
export interface JudgedQuery {
  /** [embeddingSize], of unit length. */
  vector: Float32Array;
  /** Whether the picture in a row fits; undefined for rows that do not count. */
  fits(row: number): boolean | undefined;
}

/** Hits of a query that are learned from: what a page or two show. */
const hitsPerQuery = 20;

/** Of queries that have a fitting picture, this share keeps an answer. */
const keptAnswers = 0.95;

interface Example {
  /** z, cosine, deviation. */
  features: readonly [number, number, number];
  fits: boolean;
  weight: number;
}

/**
 * @param images unit vectors, [pictures, embeddingSize]
 * @param groups kinds of queries that count alike, however many there are of each: sentences and single words
 * @throws EidosError `invalid_option` where nothing fits, or everything
 */
export function fitRelevance(
  images: Embeddings,
  groups: readonly (readonly JudgedQuery[])[],
  background: Moments,
): RelevanceWeights {
  const examples = groups.flatMap((queries) => {
    const own = queries.flatMap((query) => examplesOf(images, query, background));
    return own.map((example) => ({ ...example, weight: 1 / own.length }));
  });
  if (!examples.some(({ fits }) => fits) || examples.every(({ fits }) => fits)) {
    throw new EidosError('invalid_option', 'A calibration needs pictures that fit and pictures that do not.');
  }
  const [bias, z, cosine, deviation] = fitLogistic(examples) as [number, number, number, number];
  const weights = { bias, z, cosine, deviation, cutOff: 0 };
  return { ...weights, cutOff: adviseCutOff(images, groups.flat(), weights, background) };
}

function examplesOf(images: Embeddings, query: JudgedQuery, background: Moments): Omit<Example, 'weight'>[] {
  const { mean, deviation } = usualCosine(query.vector, background);
  const scores = cosinesOf(images, query.vector);
  return bestRows(scores, hitsPerQuery).rows.flatMap((row) => {
    const fitting = query.fits(row);
    if (fitting === undefined) return [];
    const cosine = scores[row]!;
    return [{ features: [(cosine - mean) / deviation, cosine, deviation] as const, fits: fitting }];
  });
}

/** The probability that all but a few of the answerable queries reach with their best hit. */
function adviseCutOff(
  images: Embeddings,
  queries: readonly JudgedQuery[],
  weights: RelevanceWeights,
  background: Moments,
): number {
  const best = queries.flatMap((query) => {
    const scores = cosinesOf(images, query.vector);
    const isAnswerable = scores.some((_, row) => query.fits(row) === true);
    return isAnswerable ? [bestProbability(scores, query.vector, weights, background)] : [];
  });
  best.sort((a, b) => a - b);
  return best[Math.floor((1 - keptAnswers) * best.length)] ?? 0;
}

/** Newton's method on the penalised log-likelihood; the features are standardised, so that one penalty fits all. */
function fitLogistic(examples: readonly Example[]): number[] {
  const total = examples.reduce((sum, { weight }) => sum + weight, 0);
  const scales = [0, 1, 2].map((i) => {
    const mean = examples.reduce((sum, { features, weight }) => sum + weight * features[i]!, 0) / total;
    const variance =
      examples.reduce((sum, { features, weight }) => sum + weight * (features[i]! - mean) ** 2, 0) / total;
    return { mean, deviation: Math.sqrt(variance) || 1 };
  });
  const rows = examples.map(({ features }) => [
    1,
    ...features.map((value, i) => (value - scales[i]!.mean) / scales[i]!.deviation),
  ]);
  let weights = [0, 0, 0, 0];
  for (let step = 0; step < 25; step++) {
    const gradient = weights.map((weight, i) => (i === 0 ? 0 : -penalty * weight));
    const curvature = weights.map((_, i) =>
      weights.map((_, j) => (i === j ? (i === 0 ? 1e-9 : penalty) : 0)),
    );
    examples.forEach(({ fits, weight }, n) => {
      const row = rows[n]!;
      const p = 1 / (1 + Math.exp(-row.reduce((sum, value, i) => sum + value * weights[i]!, 0)));
      for (let i = 0; i < 4; i++) {
        gradient[i]! += (weight / total) * (Number(fits) - p) * row[i]!;
        for (let j = 0; j < 4; j++) curvature[i]![j]! += (weight / total) * p * (1 - p) * row[i]! * row[j]!;
      }
    });
    const move = solve(curvature, gradient);
    weights = weights.map((weight, i) => weight + move[i]!);
    if (Math.hypot(...move) < 1e-9) break;
  }
  const slopes = scales.map(({ deviation }, i) => weights[i + 1]! / deviation);
  const bias = weights[0]! - scales.reduce((sum, { mean }, i) => sum + slopes[i]! * mean, 0);
  return [bias, ...slopes];
}

const penalty = 1e-4;

/** Gauss's elimination with pivoting, for four equations. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  const count = rows.length;
  for (let column = 0; column < count; column++) {
    let pivot = column;
    for (let i = column + 1; i < count; i++) {
      if (Math.abs(rows[i]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = i;
    }
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let i = 0; i < count; i++) {
      if (i === column) continue;
      const factor = rows[i]![column]! / rows[column]![column]!;
      for (let j = column; j <= count; j++) rows[i]![j]! -= factor * rows[column]![j]!;
    }
  }
  return rows.map((row, i) => row[count]! / row[i]!);
}

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

function bestProbability(
  scores: Float32Array,
  query: Float32Array,
  weights: RelevanceWeights,
  background: Moments,
): number {
  const [best] = bestRows(scores, 1).rows;
  return best === undefined ? 0 : relevanceFor(query, weights, background).probability(scores[best]!);
}

function relevanceFor(query: Float32Array, weights: RelevanceWeights, background: Moments) {
  const kinds: Record<QueryKind, RelevanceWeights> = { text: weights, image: weights };
  return relevanceOf(query, 'text', { background, weights: kinds }, background);
}

function cosinesOf({ data, shape }: Embeddings, query: Float32Array): Float32Array {
  const [rows, width] = shape as [number, number];
  return Float32Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let k = 0; k < width; k++) sum += data[row * width + k]! * query[k]!;
    return sum;
  });
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
