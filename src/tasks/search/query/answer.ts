/** Answers a query over a snapshot: scores, conditions, cut-off, a page of hits. */

import { bestRows } from '../../../classifier/best.ts';
import type { Relevance } from '../../../classifier/relevance/calibration.ts';
import { EidosError } from '../../../errors.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { SearchAnswer, SearchHit, SearchOptions } from '../types.ts';
import { checkCount } from './counts.ts';
import { filterRows } from './filters.ts';
import { fuse } from './fuse.ts';
import { indexedPicture } from './picture.ts';

export interface ScoredQuery {
  snapshot: Snapshot;
  /** Cosines with all pictures, [count]. */
  scores: Float32Array;
  relevance: Relevance;
  /** Pictures that are no hits whatever they score: the one whose like is sought. */
  leftOut?: number | undefined;
  /** Rows whose names or captions have the words, best first. */
  wordRows?: readonly number[] | undefined;
}

/** @throws EidosError `invalid_option` */
export function answer(query: ScoredQuery, options: SearchOptions): SearchAnswer {
  const { snapshot, scores, relevance, leftOut, wordRows } = query;
  const { topK, offset, cutOff } = checkOptions(options, relevance);
  const passing = leaveOut(filterRows(snapshot, options.filters), leftOut, snapshot.count);
  const least = relevance.cosineFor(cutOff);
  const nothingFits = !fitsAnywhere(scores, least, leftOut) && (wordRows ?? []).length === 0;
  const { rows, total } =
    wordRows === undefined
      ? bestRows(scores, offset + topK, { passing, least })
      : fuse(
          bestRows(scores, offset + topK + wordRows.length, { passing, least }),
          wordRows.filter((row) => passing?.[row] !== 0),
          (row) => scores[row]! >= least,
        );
  return {
    hits: rows.slice(offset, offset + topK).map((row) => hitAt(snapshot, row, scores[row]!, relevance)),
    total,
    nothingFits,
    cutOff,
  };
}

function hitAt(snapshot: Snapshot, row: number, cosine: number, relevance: Relevance): SearchHit {
  return {
    ...indexedPicture(snapshot, row),
    similarity: cosine,
    probability: relevance.probability(cosine),
  };
}

function checkOptions(
  { topK = 10, offset = 0, cutOff }: SearchOptions,
  relevance: Relevance,
): { topK: number; offset: number; cutOff: number } {
  checkCount('topK', topK, 1);
  checkCount('offset', offset, 0);
  const least = cutOff === false ? 0 : (cutOff ?? relevance.cutOff);
  if (!(least >= 0 && least <= 1)) {
    throw new EidosError('invalid_option', `cutOff is ${least}: it is a probability from 0 to 1, or false.`);
  }
  return { topK, offset, cutOff: least };
}

function leaveOut(
  passing: Uint8Array | undefined,
  row: number | undefined,
  count: number,
): Uint8Array | undefined {
  if (row === undefined) return passing;
  const rest = passing ?? new Uint8Array(count).fill(1);
  rest[row] = 0;
  return rest;
}

function fitsAnywhere(scores: Float32Array, least: number, leftOut: number | undefined): boolean {
  for (let row = 0; row < scores.length; row++) if (scores[row]! >= least && row !== leftOut) return true;
  return false;
}
