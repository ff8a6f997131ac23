/** Batches of sentences with what a text teacher says of them; batch k follows from the data, the seed and k alone. */
import type { RuntimeTensor } from '../../../engine/engine.ts';
import { EidosError } from '../../../errors.ts';
import { seedAt } from '../chance.ts';
import { createDraws, type Draw } from '../draws.ts';
import type { SentenceSource } from './open-sentences.ts';
import type { TokenRows } from './token-rows.ts';
import { createVectorReader } from './vectors.ts';

/** What a step reads besides pictures with captions, made as it is asked for. */
export interface TextBatches {
  /** The inputs of a batch. @param step counted from 0 */
  make(step: number): Promise<Record<string, RuntimeTensor>>;
  /** For messages. */
  textsOf(step: number): string[];
  close(): void;
}

export interface SentenceBatchOptions {
  tokens: readonly TokenRows[];
  contextLength: number;
  /** Sentences in a batch. */
  batch: number;
  seed: number;
}

/** Apart from the chance of other places, see chance.ts. */
const ofSentences = 21;

/**
 * Batches of `sentence_tokens` [batch, context length] and `sentence_vectors` [batch, width], rows of unit length, from
 * all sources that have vectors.
 * @throws EidosError `invalid_option` where none has; `not_found`
 */
export function openSentenceBatches(
  sources: readonly SentenceSource[],
  { tokens, contextLength, batch, seed }: SentenceBatchOptions,
): TextBatches {
  const known = sources.flatMap(({ vectors }, source) =>
    vectors === undefined ? [] : [{ source, vectors }],
  );
  const width = known[0]?.vectors.file.width;
  if (width === undefined || known.every(({ source }) => sources[source]!.weight === 0)) {
    throw new EidosError(
      'invalid_option',
      'loss.sentences: no file of data.sentences has vectors and a weight above 0.',
    );
  }
  const draw = createDraws(
    known.map(({ source }) => ({ size: sources[source]!.texts.length, weight: sources[source]!.weight })),
    seedAt(seed, ofSentences),
  );
  const readers = known.map(({ vectors }) => createVectorReader(vectors.file));
  const drawn = (step: number): Draw[] =>
    Array.from({ length: batch }, (_, row) => draw({ number: step * batch + row }));
  return {
    async make(step) {
      // The network's step is sent on its way first.
      await new Promise(setImmediate);
      const ids = new BigInt64Array(batch * contextLength);
      const vectors = new Float32Array(batch * width);
      for (const [row, { source: at, picture: sentence }] of drawn(step).entries()) {
        const { source, vectors: own } = known[at]!;
        tokens[source]!.write(sentence, ids, row);
        readers[at]!.write(own.rows[sentence]!, vectors, row);
      }
      return {
        sentence_tokens: { type: 'int64', data: ids, shape: [batch, contextLength] },
        sentence_vectors: { type: 'float32', data: vectors, shape: [batch, width] },
      };
    },
    textsOf: (step) =>
      drawn(step).map(({ source, picture }) => sources[known[source]!.source]!.texts.at(picture)),
    close() {
      for (const reader of readers) reader.close();
    },
  };
}
