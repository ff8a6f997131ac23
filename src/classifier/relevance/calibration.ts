/**
 * From a cosine to the probability that the picture fits. How high a cosine is usual differs from query to query, so it
 * is judged by the query's own distribution over a background of pictures: z = (cosine − mean) / deviation. Neither
 * depends on which pictures are in the index or pass a filter. A logistic function fitted on held-out queries makes a
 * probability of it; docs/search.md explains the choice and gives the figures.
 */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openWeights, readTensor, writeSafetensors } from '../../checkpoint/index.ts';
import type { Clip } from '../../clip/clip.ts';
import type { Cosine } from '../../clip/embeddings.ts';
import { findModel } from '../../clip/load.ts';
import { type Moments, usualCosine } from './moments.ts';

/** How often, of a hundred answers with this number, the picture fits the query: calibrated on held-out queries. */
export type RelevanceProbability = number;

/** What a query is made of; cosines of pictures with pictures are another matter than those with words. */
export type QueryKind = 'text' | 'image';

/** log-odds = bias + z · (cosine − mean) / deviation + cosine · cosine + deviation · deviation. */
export interface RelevanceWeights {
  bias: number;
  z: number;
  cosine: number;
  deviation: number;
  /** The probability below which the best hit of a query is advised not to be shown. */
  cutOff: RelevanceProbability;
}

export interface Calibration {
  /** Of the background's embeddings; undefined where the index itself has to serve as one. */
  background: Moments | undefined;
  weights: Readonly<Record<QueryKind, RelevanceWeights>>;
}

/** The file beside a model's weights. */
export const calibrationFile = 'relevance.safetensors';

/**
 * For models without a calibration of their own: z alone, which is comparable between models, as fitted on the bundled
 * model.
 */
export const defaultWeights: Calibration['weights'] = {
  text: { bias: -6.2, z: 1.37, cosine: 0, deviation: 0, cutOff: 0.04 },
  image: { bias: -6.2, z: 1.37, cosine: 0, deviation: 0, cutOff: 0.04 },
};

/** The calibration that lies beside the model, where it was made for these weights; otherwise the default. */
export async function loadCalibration({
  name,
  fingerprint,
}: {
  name: string;
  fingerprint: string;
}): Promise<Calibration> {
  try {
    const path = await findModel(name, { offline: true });
    const folder = (await stat(path)).isDirectory() ? path : dirname(path);
    const { tensors, metadata } = await openWeights(join(folder, calibrationFile));
    if (metadata.fingerprint !== fingerprint) throw new Error('made for other weights');
    return {
      background: {
        mean: await readTensor(tensors.get('mean')!),
        covariance: await readTensor(tensors.get('covariance')!),
      },
      weights: JSON.parse(metadata.weights!) as Calibration['weights'],
    };
  } catch {
    return { background: undefined, weights: defaultWeights };
  }
}

/** Writes the calibration of a model into its folder. */
export async function saveCalibration(
  folder: string,
  clip: Clip,
  { background, weights }: Calibration & { background: Moments },
): Promise<void> {
  const width = clip.embeddingSize;
  await writeSafetensors(
    join(folder, calibrationFile),
    [
      { name: 'mean', type: 'float32', shape: [width], data: background.mean },
      { name: 'covariance', type: 'float32', shape: [width, width], data: background.covariance },
    ],
    { fingerprint: clip.config.fingerprint, weights: JSON.stringify(weights) },
  );
}

/** The probability as a function of the cosine for one query, and back. Rises with the cosine. */
export interface Relevance {
  probability(cosine: Cosine): RelevanceProbability;
  /** The cosine from which on the probability is at least so high. */
  cosineFor(probability: RelevanceProbability): Cosine;
  /** The advised cut-off. */
  readonly cutOff: RelevanceProbability;
}

/** How many deviations above the usual the hits lie that calibrations are fitted on. */
const usualHit = 3;

/** @param query of unit length */
export function relevanceOf(
  query: Float32Array,
  kind: QueryKind,
  { weights }: Calibration,
  background: Moments,
): Relevance {
  const { bias, z, cosine: direct, deviation: spread, cutOff } = weights[kind];
  const { mean, deviation } = usualCosine(query, background);
  const fitted = z / deviation + direct;
  // Older fits let the probability fall with the cosine where the deviation is large; the order of hits and their
  // probabilities must not contradict. Such a curve rises by a quarter of what z alone makes, around where hits lie.
  const slope = Math.max(fitted, z / deviation / 4, 1e-6);
  const turning = mean + usualHit * deviation;
  const constant = bias + spread * deviation - (z * mean) / deviation + (fitted - slope) * turning;
  return {
    probability: (cosine) => 1 / (1 + Math.exp(-(constant + slope * cosine))),
    cosineFor: (probability) => {
      if (probability <= 0) return Number.NEGATIVE_INFINITY;
      if (probability >= 1) return Number.POSITIVE_INFINITY;
      return (Math.log(probability / (1 - probability)) - constant) / slope;
    },
    cutOff,
  };
}
