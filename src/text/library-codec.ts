/**
 * SentencePiece vocabularies (SigLIP's) and every other `tokenizer.json`, by Hugging Face's own library.
 *
 * Its Unigram search was compared with a search over all segmentations, and its byte pairs with eidos's own;
 * both hold. Texts are cleaned before it sees them: its `Precompiled` normaliser is NFKC with some characters dropped,
 * not the table of the file, and its ideographs are those of the basic plane.
 */

import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import type { CharacterMapWalk } from './character-map.ts';
import { literal } from './literal.ts';
import { readNormalizerSteps } from './normalizers.ts';
import type { DecodeOptions, TokenCodec } from './tokenizer.ts';
import { describe, invalidTokenizer, isObject, type JsonObject } from './vocabulary-json.ts';

export interface LibrarySettings {
  /** What happens to a text before added tokens are looked for in it. */
  before: (text: string) => string;
  /** What happens to each part between them before the file's own normalizer. */
  each: (part: string) => string;
  vocabularySize: number;
  startToken?: number;
  endToken: number;
  withoutEnd?: true;
  paddingSide?: 'left';
  padToken: number;
  contextLength: number;
  /** How a table of characters is read. */
  walk: CharacterMapWalk;
}

/** @throws EidosError `invalid_tokenizer` with the library's own words when it refuses the file. */
export function createLibraryCodec(
  content: JsonObject,
  config: JsonObject,
  settings: LibrarySettings,
): TokenCodec {
  const { before, each, walk, ...around } = settings;
  for (const part of [content.normalizer, content.pre_tokenizer, content.decoder]) checkPatterns(part);
  const steps = readNormalizerSteps(content.normalizer, walk);
  const normalize = (part: string): string => steps(each(part));
  const apart = tokensApart(content);
  const within = { ...content, added_tokens: apart.left };
  // Texts are mostly cut, seldom put together: the tables for that are made when they are asked for.
  let decoder: LibraryTokenizer | undefined;
  const library = openLibrary(within, config);
  // SentencePiece's own class goes on after a token as if within a word.
  const later = walk === 'longest' ? openLibrary(withoutPrefix(within), config) : library;
  const encodePart = (part: string, by: LibraryTokenizer): number[] =>
    chunks(normalize(part)).flatMap((chunk) => {
      const { ids } = guarded(() => by.encode(chunk, { add_special_tokens: false }));
      return ids.filter(Number.isInteger);
    });
  const isWordPiece = isObject(content.decoder) && content.decoder.type === 'WordPiece';
  const special = new Set([
    settings.endToken,
    settings.padToken,
    ...(settings.startToken === undefined ? [] : [settings.startToken]),
  ]);
  const decode = (ids: Iterable<number | bigint>, options: DecodeOptions = {}): string => {
    decoder ??= openLibrary(content, config);
    const skipSpecial = options.skipSpecial ?? true;
    const kept: number[] = [];
    for (const given of ids) {
      const id = Number(given);
      if (skipSpecial && id === settings.endToken) break;
      if (skipSpecial && special.has(id)) continue;
      if (decoder.id_to_token(id) !== undefined) kept.push(id);
    }
    if (kept.length === 0) return '';
    const text = decoder.decode(kept, {
      skip_special_tokens: skipSpecial,
      clean_up_tokenization_spaces: false,
    });
    // SentencePiece's class ends without spaces, and WordPiece's decoder closes up apostrophes, which the library leaves.
    if (walk === 'longest') return text.trim();
    return isWordPiece ? text.replaceAll(" ' ", "'") : text;
  };
  return {
    ...around,
    encode: (text) =>
      before(text)
        .split(apart.pattern)
        .flatMap((part, index) => {
          if (index % 2 === 1) return apart.ids.get(part.trim()) ?? [];
          return part === '' && index > 0 ? [] : encodePart(part, index === 0 ? library : later);
        }),
    decode,
    // SentencePiece marks where words begin, so a row may be cut after any token; the mean suffers little.
  };
}

/** Added tokens that are looked for in a text as it came, and those that the library looks for in the cleaned one. */
function tokensApart(content: JsonObject): {
  /** Its one group is such a token, with the white space that belongs to it. */
  pattern: RegExp;
  ids: ReadonlyMap<string, number>;
  left: readonly unknown[];
} {
  const all = (Array.isArray(content.added_tokens) ? content.added_tokens : []) as unknown[];
  const ids = new Map<string, number>();
  const left: unknown[] = [];
  const patterns: { length: number; source: string }[] = [];
  for (const token of all) {
    const { content: text, id, normalized, single_word: alone } = isObject(token) ? token : {};
    const exact = normalized === false && alone !== true && typeof id === 'number';
    if (!exact || typeof text !== 'string' || text.trim() !== text || text === '') {
      left.push(token);
      continue;
    }
    ids.set(text, id);
    const { lstrip, rstrip } = token as JsonObject;
    const source = `${lstrip === true ? '\\s*' : ''}${literal(text)}${rstrip === true ? '\\s*' : ''}`;
    patterns.push({ length: text.length, source });
  }
  patterns.sort((a, b) => b.length - a.length);
  // Nothing matches where there is no token.
  const source = patterns.length === 0 ? '(?!)' : patterns.map((one) => one.source).join('|');
  return { pattern: new RegExp(`(${source})`), ids, left };
}

function withoutPrefix(content: JsonObject): JsonObject {
  const { pre_tokenizer: cut } = content;
  return isObject(cut) && cut.type === 'Metaspace'
    ? { ...content, pre_tokenizer: { ...cut, prepend_scheme: 'never', add_prefix_space: false } }
    : content;
}

/** The library passes a text's tokens as arguments of one call, of which there may be about a hundred thousand. */
const longestChunk = 50_000;

/** Cuts an over-long text before its last space, or anywhere but inside a character. */
function chunks(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  while (text.length - start > longestChunk) {
    const space = text.lastIndexOf(' ', start + longestChunk);
    let end = space > start ? space : start + longestChunk;
    if (/[\uD800-\uDBFF]/.test(text[end - 1]!)) end--;
    parts.push(text.slice(start, end));
    start = end;
  }
  parts.push(text.slice(start));
  return parts;
}

function openLibrary(content: JsonObject, config: JsonObject): LibraryTokenizer {
  return guarded(() => {
    const library = new LibraryTokenizer({ added_tokens: [], ...content, normalizer: null }, config);
    library.encode('a', { add_special_tokens: false });
    return library;
  });
}

/** What the library makes of a damaged file is an error of any kind; here it gets a name. */
function guarded<T>(use: () => T): T {
  try {
    return use();
  } catch (cause) {
    throw invalidTokenizer(
      'tokenizer.json',
      `it cannot be used (${cause instanceof Error ? cause.message : String(cause)}). eidos reads byte-pair, Unigram and WordPiece vocabularies as Hugging Face's tools write them.`,
      cause,
    );
  }
}

/**
 * A pattern that repeats a group can take exponential time on a harmless text, so that a vocabulary from
 * anywhere could hang the program. No published tokenizer repeats one.
 */
function checkPatterns(part: unknown): void {
  const waiting: unknown[] = [part];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (isObject(value) && (value.type === 'Replace' || value.type === 'Split'))
      requirePattern(value.pattern);
    for (const [field, child] of Object.entries(value)) {
      waiting.push(child);
      if (field !== 'Regex' || typeof child !== 'string') continue;
      if (child.length > 10_000 || repeatsGroup(child)) {
        throw invalidTokenizer(
          'tokenizer.json',
          `the pattern ${JSON.stringify(child.slice(0, 80))} repeats a group or is over 10000 characters long, and could take unbounded time.`,
        );
      }
    }
  }
}

/** The library would print a warning and go on without the pattern. */
function requirePattern(value: unknown): void {
  const fields = isObject(value) ? [value.Regex, value.String] : [];
  if (fields.some((field) => typeof field === 'string')) return;
  throw invalidTokenizer('tokenizer.json', `pattern is ${describe(value)}, which has no Regex or String.`);
}

function repeatsGroup(pattern: string): boolean {
  let classes = 0;
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i];
    if (character === '\\') i++;
    else if (character === '[') classes++;
    else if (character === ']') classes = Math.max(0, classes - 1);
    else if (character === ')' && classes === 0 && /^[*+{]/.test(pattern.slice(i + 1, i + 2))) return true;
  }
  return false;
}
