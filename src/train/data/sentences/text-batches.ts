/** What a step reads of sentences without pictures, whatever parts of the loss ask for it. */
import type { Tokenizer } from '../../../text/tokenizer.ts';
import type { SentenceSource } from './open-sentences.ts';
import { openSentenceBatches, type TextBatches } from './sentence-batches.ts';
import { tokenizeAll } from './token-rows.ts';

export interface TextBatchOptions {
  /** Sentences of a text teacher in a step; 0 for none. */
  sentences: number;
  tokenizer: Tokenizer;
  seed: number;
}

/** @throws EidosError as openSentenceBatches does */
export async function openTextBatches(
  sources: readonly SentenceSource[],
  { sentences, tokenizer, seed }: TextBatchOptions,
): Promise<TextBatches> {
  if (sentences === 0) return { make: async () => ({}), textsOf: () => [], close: () => undefined };
  const tokens = [];
  for (const { texts } of sources) tokens.push(await tokenizeAll(texts, tokenizer));
  const { contextLength } = tokenizer;
  return openSentenceBatches(sources, { tokens, contextLength, batch: sentences, seed });
}
