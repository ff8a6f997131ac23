/** What a step reads of sentences without pictures, whatever parts of the loss ask for it. */
import type { Tokenizer } from '../../../text/tokenizer.ts';
import type { SentenceSource } from './open-sentences.ts';
import { openPairBatches } from './pair-batches.ts';
import { openSentenceBatches, type TextBatches } from './sentence-batches.ts';
import { type TokenRows, tokenizeAll } from './token-rows.ts';

export interface TextBatchOptions {
  /** Sentences of a text teacher in a step; 0 for none. */
  sentences: number;
  /** Pairs of sentences in two languages in a step; 0 for none. */
  translations: number;
  tokenizer: Tokenizer;
  seed: number;
}

/** @throws EidosError as openSentenceBatches and openPairBatches do */
export async function openTextBatches(
  sources: readonly SentenceSource[],
  { sentences, translations, tokenizer, seed }: TextBatchOptions,
): Promise<TextBatches> {
  if (sentences + translations === 0)
    return { make: async () => ({}), textsOf: () => [], close: () => undefined };
  const tokens: TokenRows[] = [];
  for (const { texts } of sources) tokens.push(await tokenizeAll(texts, tokenizer));
  const shared = { tokens, contextLength: tokenizer.contextLength, seed };
  const parts = [
    ...(sentences > 0 ? [openSentenceBatches(sources, { ...shared, batch: sentences })] : []),
    ...(translations > 0 ? [openPairBatches(sources, { ...shared, batch: translations })] : []),
  ];
  return {
    async make(step) {
      const made = await Promise.all(parts.map((part) => part.make(step)));
      return Object.assign({}, ...made);
    },
    textsOf: (step) => parts.flatMap((part) => part.textsOf(step)),
    close() {
      for (const part of parts) part.close();
    },
  };
}
