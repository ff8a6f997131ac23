/** Fits the logistic function of calibration.ts on judged queries, and advises a cut-off. */
import type { Embeddings } from '../../clip/embeddings.ts';
import { EidosError } from '../../errors.ts';
import { bestRows } from '../best.ts';
import type { RelevanceWeights } from './calibration.ts';
import { bestProbability, cosinesOf, type JudgedQuery } from './judged.ts';
import { type Example, fitLogistic } from './logistic.ts';
import { type Moments, usualCosine } from './moments.ts';

/** Hits of a query that are learned from: what a page or two show. */
const hitsPerQuery = 20;

/** Of queries that have a fitting picture, this share keeps an answer. */
const keptAnswers = 0.95;

/**
 * The probability rises with z and with the cosine: a fit that would let it fall is made without that number, as a hit that
 * is nearer cannot fit less often.
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
  const [bias, z, cosine, deviation] = fitRising(examples);
  const weights = { bias, z, cosine, deviation, cutOff: 0 };
  return { ...weights, cutOff: adviseCutOff(images, groups.flat(), weights, background) };
}

/** Bias, and the weights of z, cosine and deviation, of which the first two are not negative. */
function fitRising(examples: readonly Example[]): [number, number, number, number] {
  const fitWith = (z: boolean, cosine: boolean) =>
    fitLogistic(
      examples.map((example) => {
        const [ownZ, ownCosine, deviation] = example.features;
        return { ...example, features: [z ? ownZ : 0, cosine ? ownCosine : 0, deviation] as const };
      }),
    ) as [number, number, number, number];
  const withBoth = fitWith(true, true);
  if (withBoth[1] >= 0 && withBoth[2] >= 0) return withBoth;
  // z is what is comparable between queries: where it rises it is kept.
  const withZ = fitWith(true, false);
  if (withZ[1] >= 0) return withZ;
  const withCosine = fitWith(false, true);
  return withCosine[2] >= 0 ? withCosine : fitWith(false, false);
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
