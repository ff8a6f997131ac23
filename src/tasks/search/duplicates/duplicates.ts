/** Pictures that are nearly the same: every one is compared with every other, block by block. */
import { EidosError } from '../../../errors.ts';
import { filterRows } from '../query/filters.ts';
import { indexedPicture } from '../query/picture.ts';
import type { Scorer } from '../snapshot/scorer.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { DuplicateGroup, DuplicateOptions } from '../types.ts';

/** Rows that are compared with all others in one run. */
const rowsPerRun = 64;

/**
 * Groups that hang together by pairs of at least so high a cosine.
 * @throws EidosError `invalid_option`, `aborted`
 */
export async function findDuplicates(
  snapshot: Snapshot,
  scorer: Scorer,
  { similarity = 0.97, filters, signal }: DuplicateOptions,
): Promise<DuplicateGroup[]> {
  if (!(similarity > 0 && similarity <= 1)) {
    throw new EidosError('invalid_option', `similarity is ${similarity}: it is a cosine above 0, at most 1.`);
  }
  const passing = filterRows(snapshot, filters);
  const groups = createGroups(snapshot.count);
  for (let first = 0; first < snapshot.count; first += rowsPerRun) {
    if (signal?.aborted) throw new EidosError('aborted', 'Looking for duplicates was aborted.');
    const rows = Math.min(rowsPerRun, snapshot.count - first);
    const vectors = await Promise.all(Array.from({ length: rows }, (_, i) => scorer.vector(first + i)));
    const width = vectors[0]!.length;
    const data = new Float32Array(rows * width);
    vectors.forEach((vector, i) => {
      data.set(vector, i * width);
    });
    const scores = await scorer.score({ data, shape: [rows, width] });
    for (let i = 0; i < rows; i++) {
      const row = first + i;
      if (passing?.[row] === 0) continue;
      for (let other = row + 1; other < snapshot.count; other++) {
        const cosine = scores.data[i * snapshot.count + other]!;
        if (cosine >= similarity && passing?.[other] !== 0) groups.join(row, other, cosine);
      }
    }
  }
  return groups
    .list()
    .map(({ rows, least }) => ({
      similarity: Math.min(1, least),
      pictures: rows
        .map((row) => indexedPicture(snapshot, row))
        .sort((a, b) => b.bytes - a.bytes || (a.image < b.image ? -1 : 1)),
    }))
    .sort((a, b) => b.pictures.length - a.pictures.length || b.similarity - a.similarity);
}

/** Sets that grow together, each with the weakest of its joints (union-find). */
function createGroups(count: number) {
  const parents = Int32Array.from({ length: count }, (_, row) => row);
  const weakest = new Map<number, number>();
  const rootOf = (row: number): number => {
    let root = row;
    while (parents[root] !== root) root = parents[root]!;
    for (let at = row; at !== root; ) {
      const next = parents[at]!;
      parents[at] = root;
      at = next;
    }
    return root;
  };
  return {
    join(a: number, b: number, cosine: number): void {
      const [root, other] = [rootOf(a), rootOf(b)];
      const least = Math.min(cosine, weakest.get(root) ?? 1, weakest.get(other) ?? 1);
      parents[other] = root;
      weakest.set(root, least);
    },
    list(): { rows: number[]; least: number }[] {
      const members = new Map<number, number[]>();
      for (let row = 0; row < count; row++) {
        const root = rootOf(row);
        if (!weakest.has(root)) continue;
        const rows = members.get(root);
        if (rows === undefined) members.set(root, [row]);
        else rows.push(row);
      }
      return [...members].map(([root, rows]) => ({ rows, least: weakest.get(root)! }));
    },
  };
}
