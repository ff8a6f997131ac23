/** Copies of one picture as one hit: which of them stands for the others. */
import type { Snapshot } from '../snapshot/snapshot.ts';

export interface Collapsed {
  /** 1 for rows that stand for their copies, [count]. */
  passing: Uint8Array;
  /** The row that stands for a passing row and its copies. */
  standing(row: number): number;
  /** The other copies of a row that pass. */
  others(row: number): number[];
}

/**
 * Of rows that are copies of each other, the one with the highest score stands for those that pass.
 * @param passing 1 for rows that pass the filters; undefined where all do
 * @param scores [count]; what is no number is below all others
 */
export function collapseCopies(
  { firsts, count }: Pick<Snapshot, 'firsts' | 'count'>,
  passing: Uint8Array | undefined,
  scores: Float32Array,
): Collapsed {
  /** The best row so far by the first row of its group; −1 where none passes. */
  const best = new Int32Array(count).fill(-1);
  for (let row = 0; row < count; row++) {
    if (passing?.[row] === 0) continue;
    const first = firsts[row]!;
    const before = best[first]!;
    if (before < 0 || scoreOf(scores, row) > scoreOf(scores, before)) best[first] = row;
  }
  const chosen = new Uint8Array(count);
  for (const row of best) if (row >= 0) chosen[row] = 1;
  return {
    passing: chosen,
    standing: (row) => best[firsts[row]!]!,
    others(row) {
      const rows: number[] = [];
      for (let other = firsts[row]!; other < count; other++) {
        if (other !== row && firsts[other] === firsts[row] && passing?.[other] !== 0) rows.push(other);
      }
      return rows;
    },
  };
}

function scoreOf(scores: Float32Array, row: number): number {
  const score = scores[row]!;
  return Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score;
}
