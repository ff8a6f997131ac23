/** Queries whose fitting pictures are known, and how a calibration judges pictures for them. */
import type { Embeddings } from '../../clip/embeddings.ts';
import { bestRows } from '../best.ts';
import { type QueryKind, type Relevance, type RelevanceWeights, relevanceOf } from './calibration.ts';
import type { Moments } from './moments.ts';

/** A query whose fitting pictures are known. */
export interface JudgedQuery {
  /** [embeddingSize], of unit length. */
  vector: Float32Array;
  /** Whether the picture in a row fits; undefined for rows that do not count. */
  fits(row: number): boolean | undefined;
}

/** The probability of the best hit, 0 where there are no pictures. */
export function bestProbability(
  scores: Float32Array,
  query: Float32Array,
  weights: RelevanceWeights,
  background: Moments,
): number {
  const [best] = bestRows(scores, 1).rows;
  return best === undefined ? 0 : relevanceFor(query, weights, background).probability(scores[best]!);
}

/** The curve of one query by these weights. */
export function relevanceFor(query: Float32Array, weights: RelevanceWeights, background: Moments): Relevance {
  const kinds: Record<QueryKind, RelevanceWeights> = { text: weights, image: weights };
  return relevanceOf(query, 'text', { background, weights: kinds }, background);
}

/** Cosines of a query with all pictures, [pictures]. */
export function cosinesOf({ data, shape }: Embeddings, query: Float32Array): Float32Array {
  const [rows, width] = shape as [number, number];
  return Float32Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let k = 0; k < width; k++) sum += data[row * width + k]! * query[k]!;
    return sum;
  });
}
