/** What a tokenizer is to the rest of eidos: sentences to rows of token ids, as the text encoder reads them. */

import { EidosError } from '../errors.ts';
import type { IntTensor } from '../graph/tensor.ts';

/** A vocabulary with its rules, and the token codes that stand around a sentence. */
export interface TokenCodec {
  /** One more than the highest id: the rows that the model's embedding table needs. */
  readonly vocabularySize: number;
  /** Stands before every sentence; SigLIP has none. */
  readonly startToken?: number;
  readonly endToken: number;
  /** Whether a row does without the end token, as Gemma's own do. @default false */
  readonly withoutEnd?: true;
  /** Fills a row after the end token, or before its first. */
  readonly padToken: number;
  /** On which side of a row the padding stands. @default 'right' */
  readonly paddingSide?: 'left' | 'right';
  /** Tokens a row, start and end included. */
  readonly contextLength: number;
  /** The ids of a text without start and end. Takes every string; lone surrogates count as U+FFFD. */
  encode(text: string): number[];
  /**
   * The text of ids, normalised as `encode` did (lower case, a space after every word).
   * Ids that are not in the vocabulary are left out.
   */
  decode(ids: Iterable<number | bigint>, options?: DecodeOptions): string;
  /** Whether a word ends with this token; without it sentences are split anywhere. */
  endsWord?(id: number): boolean;
}

export interface DecodeOptions {
  /**
   * Stop at the first end token and leave out start and padding, as the words of a row are wanted.
   * @default true
   */
  skipSpecial?: boolean;
}

/** What happens to a sentence with more tokens than the context holds. */
export type TextOverflow = 'truncate' | 'error' | 'split';

export interface TokenizeOptions {
  /**
   * - `truncate`: its tail is cut off, the end token stays; `onWarning` is told once a call.
   * - `error`: throws `text_too_long`.
   * - `split`: it becomes several rows, cut between words and of nearly equal length.
   * @default 'truncate'
   */
  overflow?: TextOverflow;
  /** Takes what a person should know; nothing is printed. */
  onWarning?: (message: string) => void;
}

/** Token ids, `[rows, contextLength]`, and the sentence that each row belongs to. */
export interface TokenRows extends IntTensor {
  /** `owner[row]` is the index of the sentence; the mean over its rows stands for a split sentence. */
  owner: number[];
}

export interface Tokenizer extends TokenCodec {
  /**
   * Rows `[n, contextLength]` of start token, ids, end token and padding.
   * @throws EidosError `text_too_long` with `overflow: 'error'`, `invalid_option` for anything but strings.
   */
  tokenize(texts: readonly string[], options?: TokenizeOptions): TokenRows;
}

/** Adds `tokenize` to what a vocabulary can do. */
export function createTokenizer(codec: TokenCodec): Tokenizer {
  const { contextLength, startToken } = codec;
  const room = contextLength - (startToken === undefined ? 0 : 1) - (codec.withoutEnd ? 0 : 1);
  if (!Number.isInteger(contextLength) || room < 1 || contextLength > 65536) {
    throw new EidosError(
      'invalid_option',
      `contextLength is ${contextLength}, but a row has to hold the start and end tokens and at least one of a text (3 to 65536).`,
    );
  }
  const { padToken, vocabularySize } = codec;
  if (!Number.isInteger(padToken) || padToken < 0 || padToken >= vocabularySize) {
    throw new EidosError(
      'invalid_option',
      `padToken is ${padToken}, but the vocabulary's ids are 0 to ${vocabularySize - 1}.`,
    );
  }
  const tokenize = (texts: readonly string[], options: TokenizeOptions = {}): TokenRows => {
    const overflow = options.overflow ?? 'truncate';
    if (overflow !== 'truncate' && overflow !== 'error' && overflow !== 'split') {
      throw new EidosError(
        'invalid_option',
        `overflow is ${JSON.stringify(overflow)}; it can be 'truncate', 'error' or 'split'.`,
      );
    }
    const pieces: number[][] = [];
    const owner: number[] = [];
    const cut: { text: string; length: number }[] = [];
    for (const [index, text] of texts.entries()) {
      if (typeof text !== 'string') {
        throw new EidosError('invalid_option', `Text ${index} is ${typeof text}, not a string.`);
      }
      const ids = codec.encode(text);
      if (ids.length > room && overflow === 'error') throw tooLong(text, ids.length, room, contextLength);
      if (ids.length > room && overflow === 'split') {
        for (const piece of splitIds(ids, room, codec)) {
          pieces.push(piece);
          owner.push(index);
        }
        continue;
      }
      if (ids.length > room) cut.push({ text, length: ids.length });
      pieces.push(ids);
      owner.push(index);
    }
    if (cut.length > 0) options.onWarning?.(cutMessage(cut, texts.length, room));
    return { data: fillRows(pieces, room, codec), shape: [pieces.length, contextLength], owner };
  };
  return { ...codec, tokenize };
}

/** Embedding tables are padded to whole blocks; the rows that no token has are never read. */
const mostUnusedRows = 128;

/**
 * Refuses a vocabulary that is not the model's: more tokens than its embedding table has rows, or far fewer.
 * @throws EidosError `config_mismatch` naming both sizes.
 */
export function requireVocabularySize(
  { vocabularySize }: TokenCodec,
  expected: number | undefined,
  file: string,
): void {
  if (expected === undefined) return;
  if (vocabularySize <= expected && expected - vocabularySize <= mostUnusedRows) return;
  throw new EidosError(
    'config_mismatch',
    `${file} has ${vocabularySize} tokens, but the model's text encoder has ${expected}. Take the tokenizer that the model was trained with.`,
  );
}

function fillRows(pieces: readonly number[][], room: number, codec: TokenCodec): BigInt64Array {
  const { contextLength, startToken } = codec;
  const data = new BigInt64Array(pieces.length * contextLength).fill(BigInt(codec.padToken)); // [rows, context]
  for (const [row, ids] of pieces.entries()) {
    const length = Math.min(ids.length, room);
    let at = row * contextLength + (codec.paddingSide === 'left' ? room - length : 0);
    if (startToken !== undefined) data[at++] = BigInt(startToken);
    for (let i = 0; i < length; i++) data[at++] = BigInt(ids[i]!);
    if (!codec.withoutEnd) data[at] = BigInt(codec.endToken);
  }
  return data;
}

/** Cuts ids into rows of nearly equal length, so that no short rest weighs as much as a full row in the mean. */
function splitIds(ids: readonly number[], room: number, codec: TokenCodec): number[][] {
  const endsWord = codec.endsWord ?? (() => true);
  const pieces: number[][] = [];
  let start = 0;
  while (start < ids.length) {
    const rest = ids.length - start;
    const wanted = start + Math.ceil(rest / Math.ceil(rest / room));
    let end = wanted;
    while (end < start + room && end < ids.length && !endsWord(ids[end - 1]!)) end++;
    if (end < ids.length && !endsWord(ids[end - 1]!)) {
      end = wanted;
      while (end > start && !endsWord(ids[end - 1]!)) end--;
      if (end === start) end = wanted; // one word longer than a row
    }
    pieces.push(ids.slice(start, end));
    start = end;
  }
  return pieces;
}

function beginning(text: string): string {
  const characters = Array.from(text.slice(0, 120));
  const short = characters.slice(0, 50).join('');
  return JSON.stringify(short.length < text.length ? `${short}…` : short);
}

function tooLong(text: string, length: number, room: number, contextLength: number): EidosError {
  return new EidosError(
    'text_too_long',
    `The text ${beginning(text)} has ${length} tokens, but the model reads ${room} (${contextLength} with start and end). Shorten it, or choose overflow 'truncate' or 'split'.`,
  );
}

function cutMessage(cut: readonly { text: string; length: number }[], count: number, room: number): string {
  const longest = cut.reduce((most, one) => (one.length > most.length ? one : most));
  return `${cut.length} of ${count} texts ${cut.length === 1 ? 'was' : 'were'} cut to the ${room} tokens that the model reads; the longest, ${beginning(longest.text)}, has ${longest.length}.`;
}
