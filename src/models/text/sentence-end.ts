/** Where a sentence ends in its row of tokens, and whether a text tower looks at what follows. */
import type { TextArchitecture } from '../architecture.ts';

/** The id of the token that ends a sentence, or `highest` for the highest id of the sentence (OpenAI's rule). */
export type EndToken = number | 'highest';

/**
 * The end token of a tower that never looks at what follows it, so that rows may be cut there; undefined for the others.
 * A causal Transformer reads its answer at the end token; an averaging network counts what stands up to it.
 */
export function lastTokenRead(text: TextArchitecture): EndToken | undefined {
  if (text.kind === 'averaging') return text.endToken;
  return text.causal && text.pool.kind === 'end' ? text.pool.endToken : undefined;
}
