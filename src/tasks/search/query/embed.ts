/** A query as one vector: the weighted sum of its parts, each of unit length. */

import type { QueryKind } from '../../../classifier/relevance/calibration.ts';
import type { Clip } from '../../../clip/clip.ts';
import { normalizeRows } from '../../../clip/embeddings.ts';
import { EidosError } from '../../../errors.ts';
import { typedText } from '../../../text/typed.ts';
import type { QueryPart, SearchQuery } from '../types.ts';
import { checkParts, parseQuery } from './parse.ts';
import { embedSeen, type SeenPicture, type SeenVector } from './seen.ts';

/** Pictures that are in the index already. */
export type IndexedVector = (id: string) => Promise<SeenVector>;

export interface EmbeddedQuery {
  /** [embeddingSize], of unit length. */
  vector: Float32Array;
  /** `image` as soon as a picture is wanted. */
  kind: QueryKind;
  /** The words that are wanted, for the full-text index. */
  words: string;
  /** The picture, where one is all that is wanted. */
  seen: SeenPicture | undefined;
}

/** The parts of a query, whichever way it was written. */
export function partsOf(query: string | SearchQuery): QueryPart[] {
  if (typeof query === 'string') return partsOf(parseQuery(query));
  const { text, image, parts = [] } = query;
  const given: QueryPart[] = [
    ...(text === undefined ? [] : [{ text }]),
    ...(image === undefined ? [] : [{ image }]),
    ...parts,
  ];
  const all = given
    .map((part) => ('text' in part ? { ...part, text: typedText(part.text) } : part))
    .filter((part) => !('text' in part) || part.text !== '');
  checkParts(all);
  return all;
}

/** @throws EidosError `invalid_option` for a query that wants nothing; what reading its pictures throws */
export async function embedQuery(
  parts: readonly QueryPart[],
  clip: () => Promise<Clip>,
  indexed: IndexedVector,
  signal: AbortSignal | undefined,
): Promise<EmbeddedQuery> {
  let sum: Float32Array | undefined;
  let seen: SeenPicture | undefined;
  for (const part of parts) {
    const { vector, seen: own } = await embedPart(part, clip, indexed, signal);
    seen = parts.length === 1 ? own : undefined;
    sum ??= new Float32Array(vector.length);
    for (let i = 0; i < vector.length; i++) sum[i]! += (part.weight ?? 1) * vector[i]!;
  }
  if (sum === undefined || Math.hypot(...sum) < 1e-6) {
    throw new EidosError('invalid_option', 'The parts of the query cancel each other: change their weights.');
  }
  const wanted = parts.filter(({ weight = 1 }) => weight > 0);
  return {
    vector: normalizeRows({ data: sum, shape: [1, sum.length] }).data,
    kind: wanted.some((part) => !('text' in part)) ? 'image' : 'text',
    words: wanted.flatMap((part) => ('text' in part ? [part.text] : [])).join(' '),
    seen,
  };
}

async function embedPart(
  part: QueryPart,
  clip: () => Promise<Clip>,
  indexed: IndexedVector,
  signal: AbortSignal | undefined,
): Promise<Pick<SeenVector, 'vector'> & Partial<SeenVector>> {
  if ('id' in part) return indexed(part.id);
  const model = await clip();
  if ('text' in part) return { vector: (await model.embedTexts(part.text)).data };
  return embedSeen(model, part.image, signal);
}
