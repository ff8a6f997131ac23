/** The byte-pair tokenizer: pieces of text to bytes to merged tokens, with the words seen before remembered. */

import { byteOfSymbol, symbolOfByte } from './byte-symbols.ts';
import { literal } from './literal.ts';
import { type MergeTable, mergeSymbols } from './merges.ts';
import { cutPieces, type PiecePattern } from './pieces.ts';
import { normalizeText, type TextRules } from './rules.ts';
import type { DecodeOptions, TokenCodec } from './tokenizer.ts';

/** Tokens and merges as a vocabulary file gives them. */
export interface BytePairVocabulary {
  /** Symbols of bytes, joined; distinct ids from 0 on. */
  tokenIds: ReadonlyMap<string, number>;
  merges: MergeTable;
  /** What the last symbol of a piece carries: `</w>` in CLIP, nothing in GPT-2. */
  endOfWord: string;
}

/** A token that is recognised in the text as it stands. */
export interface AddedToken {
  content: string;
  id: number;
  /** Looked for after the text is normalised, not before. */
  normalized: boolean;
}

export interface BytePairSettings {
  rules: TextRules;
  pattern: PiecePattern;
  /** A space is put before a text that has none (GPT-2's `add_prefix_space`). */
  prefixSpace: boolean;
  added: readonly AddedToken[];
  startToken?: number;
  endToken: number;
  padToken: number;
  /** Stands for symbols that the vocabulary lacks; without it they are dropped. */
  unknownToken?: number;
  contextLength: number;
}

/** Words remembered twice over, and how long one may be: some tens of megabytes at most. */
const rememberedWords = 50_000;
const rememberedLength = 64;

/** Encoding and decoding with a vocabulary. */
export function createBytePairCodec(vocabulary: BytePairVocabulary, settings: BytePairSettings): TokenCodec {
  const { tokenIds, merges, endOfWord } = vocabulary;
  const bytesInside = symbolOfByte.map((symbol) => tokenIds.get(symbol) ?? -1);
  const bytesAtEnd = symbolOfByte.map((symbol) => tokenIds.get(symbol + endOfWord) ?? -1);
  const splitBefore = addedSplitter(settings.added.filter((token) => !token.normalized));
  const splitAfter = addedSplitter(settings.added.filter((token) => token.normalized));
  // Full, `words` becomes `earlier`: what is asked for again comes back from there, the rest is forgotten.
  let words = new Map<string, readonly number[]>();
  let earlier: ReadonlyMap<string, readonly number[]> = words;
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  // OpenAI's pattern lets these through whole.
  if (settings.pattern === 'openAi') for (const token of settings.added) words.set(token.content, [token.id]);
  const whole = settings.pattern === 'openAi' ? [...words] : [];

  const encodeBytes = (bytes: Uint8Array): readonly number[] => {
    const symbols: number[] = [];
    for (const byte of bytes) symbols.push(bytesInside[byte]!);
    if (bytes.length > 0) symbols[bytes.length - 1] = bytesAtEnd[bytes.at(-1)!]!;
    const ids = mergeSymbols(symbols, merges);
    return ids.includes(-1) ? replaceUnknown(ids, settings.unknownToken) : ids;
  };

  const encodePiece = (piece: string): readonly number[] => {
    const known = words.get(piece);
    if (known !== undefined) return known;
    const bytes = encoder.encode(piece);
    const result = earlier.get(piece) ?? encodeBytes(bytes);
    if (piece.length <= rememberedLength) {
      if (words.size >= rememberedWords) {
        earlier = words;
        words = new Map(whole);
      }
      // A fresh copy, because a part of a text keeps the whole text in memory.
      words.set(piece.length > 12 ? decoder.decode(bytes) : piece, result);
    }
    return result;
  };

  const encodeSection = (section: string, ids: number[]): void => {
    const text = settings.prefixSpace && section !== '' && !section.startsWith(' ') ? ` ${section}` : section;
    for (const piece of cutPieces(text, settings.pattern)) {
      for (const id of encodePiece(piece)) ids.push(id);
    }
  };

  const encode = (text: string): number[] => {
    const ids: number[] = [];
    for (const section of settings.pattern === 'openAi' ? [text] : splitBefore(text)) {
      if (typeof section === 'number') {
        ids.push(section);
        continue;
      }
      const normal = normalizeText(section, settings.rules);
      for (const part of settings.pattern === 'openAi' ? [normal] : splitAfter(normal)) {
        if (typeof part === 'number') ids.push(part);
        else encodeSection(part, ids);
      }
    }
    return ids;
  };

  const tokens: string[] = [];
  for (const [token, id] of tokenIds) tokens[id] = token;
  for (const { content, id } of settings.added) tokens[id] = content;
  const special = new Set(settings.added.map((token) => token.id));
  const ends = (id: number): boolean => endOfWord === '' || (tokens[id]?.endsWith(endOfWord) ?? true);

  return {
    vocabularySize: tokens.length,
    ...(settings.startToken === undefined ? {} : { startToken: settings.startToken }),
    endToken: settings.endToken,
    padToken: settings.padToken,
    contextLength: settings.contextLength,
    encode,
    decode: (ids, options) => decodeTokens(ids, tokens, special, endOfWord, settings, options),
    ...(endOfWord === '' ? {} : { endsWord: (id: number) => ends(id) || special.has(id) }),
  };
}

function replaceUnknown(ids: readonly number[], unknown: number | undefined): number[] {
  return ids.flatMap((id) => (id >= 0 ? [id] : unknown === undefined ? [] : [unknown]));
}

/** Cuts a text at the added tokens, of two at one place the longer; the tokens come back as their ids. */
function addedSplitter(added: readonly AddedToken[]): (text: string) => (string | number)[] {
  const usable = added.filter((token) => token.content !== '');
  if (usable.length === 0) return (text) => [text];
  const ids = new Map(usable.map((token) => [token.content, token.id]));
  const alternatives = [...ids.keys()].sort((a, b) => b.length - a.length).map(literal);
  const expression = new RegExp(`(${alternatives.join('|')})`, 'u');
  return (text) => {
    if (!expression.test(text)) return [text];
    return text
      .split(expression)
      .filter((section) => section !== '')
      .map((section) => ids.get(section) ?? section);
  };
}

function decodeTokens(
  ids: Iterable<number | bigint>,
  tokens: readonly string[],
  special: ReadonlySet<number>,
  endOfWord: string,
  settings: BytePairSettings,
  options: DecodeOptions = {},
): string {
  const skipSpecial = options.skipSpecial ?? true;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (const given of ids) {
    const id = Number(given);
    if (skipSpecial && id === settings.endToken) break;
    if (skipSpecial && special.has(id)) continue;
    const token = tokens[id];
    if (token === undefined) continue;
    const endsWord = endOfWord !== '' && !special.has(id) && token.endsWith(endOfWord);
    const body = endsWord ? token.slice(0, -endOfWord.length) : token;
    const symbols = Array.from(body, (symbol) => byteOfSymbol.get(symbol));
    if (special.has(id) || symbols.includes(undefined))
      for (const byte of encoder.encode(body)) bytes.push(byte);
    else for (const byte of symbols) bytes.push(byte!);
    if (endsWord) bytes.push(0x20);
  }
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  return endOfWord !== '' && text.endsWith(' ') ? text.slice(0, -1) : text;
}
