/** Answers a query over a snapshot: scores, conditions, cut-off, a page of hits. */

import { bestRows } from '../../../classifier/best.ts';
import type { Relevance } from '../../../classifier/relevance/calibration.ts';
import { EidosError } from '../../../errors.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { SearchAnswer, SearchHit, SearchOptions } from '../types.ts';
import { collapseCopies } from './collapse.ts';
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
  /** Rows that are copies of the picture that is looked for: they fit, whatever the calibration makes of their cosines. */
  copies?: readonly number[] | undefined;
}

/** @throws EidosError `invalid_option` */
export function answer(query: ScoredQuery, options: SearchOptions): SearchAnswer {
  const { snapshot, scores, relevance, leftOut, copies = [] } = query;
  const { topK, offset, cutOff } = checkOptions(options, relevance);
  const least = relevance.cosineFor(cutOff);
  const passing = leaveOut(
    filterRows(snapshot, options.filters),
    leftOut === undefined ? [] : [leftOut],
    snapshot.count,
  );
  const collapsed = options.collapse ? collapseCopies(snapshot, passing, scores) : undefined;
  const shown = (rows: readonly number[]): number[] => {
    const all = rows.filter((row) => passing?.[row] !== 0);
    return collapsed === undefined ? all : [...new Set(all.map(collapsed.standing))];
  };
  const certain = shown(copies).sort((a, b) => scores[b]! - scores[a]!);
  const { rows, total } = rank(scores, offset + topK, {
    passing: collapsed?.passing ?? passing,
    least,
    certain,
    named: query.wordRows === undefined ? undefined : shown(query.wordRows),
  });
  const isCertain = new Set(certain);
  const hitAt = (row: number): SearchHit => {
    const others = collapsed?.others(row) ?? [];
    return {
      ...indexedPicture(snapshot, row),
      similarity: scores[row]!,
      probability: isCertain.has(row) ? 1 : relevance.probability(scores[row]!),
      ...(others.length === 0 ? {} : { copies: others.map((other) => indexedPicture(snapshot, other)) }),
    };
  };
  const known = [...(query.wordRows ?? []), ...copies.filter((row) => row !== leftOut)];
  return {
    hits: rows.slice(offset, offset + topK).map(hitAt),
    total,
    nothingFits: known.length === 0 && !fitsAnywhere(scores, least, leftOut),
    cutOff,
  };
}

interface Ranking {
  passing: Uint8Array | undefined;
  /** The smallest cosine of a hit. */
  least: number;
  /** Rows that are hits whatever they score, and come first. */
  certain: readonly number[];
  /** Rows that the words found, where file names and captions count. */
  named: readonly number[] | undefined;
}

/** The first `count` rows of an answer, best first, and how many there are in all. */
function rank(
  scores: Float32Array,
  count: number,
  { passing, least, certain, named }: Ranking,
): { rows: number[]; total: number } {
  if (named !== undefined) {
    const looks = bestRows(scores, count + named.length, { passing, least });
    return fuse(looks, named, (row) => scores[row]! >= least);
  }
  const others = bestRows(scores, count, { passing: leaveOut(passing, certain, scores.length), least });
  return { rows: [...certain, ...others.rows], total: certain.length + others.total };
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
  rows: readonly number[],
  count: number,
): Uint8Array | undefined {
  if (rows.length === 0) return passing;
  const rest = passing?.slice() ?? new Uint8Array(count).fill(1);
  for (const row of rows) rest[row] = 0;
  return rest;
}

function fitsAnywhere(scores: Float32Array, least: number, leftOut: number | undefined): boolean {
  for (let row = 0; row < scores.length; row++) if (scores[row]! >= least && row !== leftOut) return true;
  return false;
}
