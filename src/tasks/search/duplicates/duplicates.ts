/** Copies of one picture in an index, in groups. */
import { EidosError } from '../../../errors.ts';
import { filterRows } from '../query/filters.ts';
import { indexedPicture } from '../query/picture.ts';
import { product } from '../snapshot/product.ts';
import type { Scorer } from '../snapshot/scorer.ts';
import { hashedPictureAt, type Snapshot } from '../snapshot/snapshot.ts';
import type { DuplicateGroup, DuplicateOptions } from '../types.ts';
import { type CopyCandidate, groupCopies } from './groups.ts';

/**
 * @returns largest group first
 * @throws EidosError `invalid_option`, `aborted`
 */
export async function findDuplicates(
  snapshot: Snapshot,
  scorer: Scorer,
  { similarity, filters, signal }: DuplicateOptions,
): Promise<DuplicateGroup[]> {
  if (similarity !== undefined && !(similarity > 0 && similarity <= 1)) {
    throw new EidosError('invalid_option', `similarity is ${similarity}: it is a cosine above 0, at most 1.`);
  }
  const passing = filterRows(snapshot, filters);
  const candidates: CopyCandidate[] = [];
  for (let row = 0; row < snapshot.count; row++) {
    if (passing?.[row] !== 0) candidates.push(await candidateAt(snapshot, row, signal));
  }
  const cosine = async (a: number, b: number): Promise<number> => {
    throwIfAborted(signal);
    return product(await scorer.vector(a), await scorer.vector(b));
  };
  const groups = await groupCopies(candidates, cosine, similarity);
  return groups
    .map(({ rows, similarity: least }) => ({
      similarity: Math.min(1, least),
      pictures: rows
        .map((row) => indexedPicture(snapshot, row))
        .sort((a, b) => b.bytes - a.bytes || (a.image < b.image ? -1 : 1)),
    }))
    .sort((a, b) => b.pictures.length - a.pictures.length || b.similarity - a.similarity);
}

async function candidateAt(
  snapshot: Snapshot,
  row: number,
  signal: AbortSignal | undefined,
): Promise<CopyCandidate> {
  throwIfAborted(signal);
  const file = Buffer.from(await snapshot.hashes.get(row)).toString('hex');
  return { row, file, picture: await hashedPictureAt(snapshot, row) };
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new EidosError('aborted', 'Looking for copies was aborted.');
}
