/** Sentences as token ids, cut once and kept short, so that a batch only gathers them. */
import type { Tokenizer } from '../../../text/tokenizer.ts';
import type { TextList } from './text-list.ts';

export interface TokenRows {
  /** Writes the row of a text, [context length], to row `at` of `target` [n, context length]. */
  write(text: number, target: BigInt64Array, at: number): void;
}

/** Texts that are cut before anybody else has a turn. */
const pieceLength = 4096;

/** Cuts all texts into tokens: five seconds a million. */
export async function tokenizeAll(texts: TextList, tokenizer: Tokenizer): Promise<TokenRows> {
  const { contextLength, padToken, vocabularySize } = tokenizer;
  const create = (length: number) =>
    vocabularySize > 2 ** 16 ? new Uint32Array(length) : new Uint16Array(length);
  const ends = new Uint32Array(texts.length);
  const padding = BigInt(padToken);
  let ids = create(texts.length * Math.min(contextLength, 8));
  let used = 0;
  for (let first = 0; first < texts.length; first += pieceLength) {
    const count = Math.min(pieceLength, texts.length - first);
    const { data } = tokenizer.tokenize(Array.from({ length: count }, (_, i) => texts.at(first + i)));
    if (used + data.length > ids.length) {
      const larger = create(2 * ids.length + data.length);
      larger.set(ids);
      ids = larger;
    }
    for (let row = 0; row < count; row++) {
      let end = (row + 1) * contextLength;
      while (end > row * contextLength && data[end - 1] === padding) end--;
      for (let at = row * contextLength; at < end; at++) ids[used++] = Number(data[at]);
      ends[first + row] = used;
    }
    await new Promise(setImmediate);
  }
  const kept = ids.slice(0, used);
  return {
    write(text, target, at) {
      const start = text === 0 ? 0 : ends[text - 1]!;
      const row = target.subarray(at * contextLength, (at + 1) * contextLength).fill(padding);
      for (let i = start; i < ends[text]!; i++) row[i - start] = BigInt(kept[i]!);
    },
  };
}
