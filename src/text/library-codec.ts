/**
 * SentencePiece vocabularies (SigLIP's) and every other `tokenizer.json`, by Hugging Face's own library.
 *
 * Its Unigram search was compared with a search over all segmentations, and its byte pairs with eidos's own;
 * both hold. Its `Precompiled` normaliser is NFKC with some characters dropped, not the table of the file.
 */

import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { normalizeText, type TextRules } from './rules.ts';
import type { DecodeOptions, TokenCodec } from './tokenizer.ts';
import { invalidTokenizer, type JsonObject } from './vocabulary-json.ts';

export interface LibrarySettings {
  rules: TextRules;
  vocabularySize: number;
  startToken?: number;
  endToken: number;
  padToken: number;
  contextLength: number;
}

/** @throws EidosError `invalid_tokenizer` with the library's own words when it refuses the file. */
export function createLibraryCodec(
  content: JsonObject,
  config: JsonObject,
  settings: LibrarySettings,
): TokenCodec {
  const { rules, ...around } = settings;
  const library = openLibrary(content, config);
  const special = new Set([
    settings.endToken,
    settings.padToken,
    ...(settings.startToken === undefined ? [] : [settings.startToken]),
  ]);
  const decode = (ids: Iterable<number | bigint>, options: DecodeOptions = {}): string => {
    const skipSpecial = options.skipSpecial ?? true;
    const kept: number[] = [];
    for (const given of ids) {
      const id = Number(given);
      if (skipSpecial && id === settings.endToken) break;
      if (skipSpecial && special.has(id)) continue;
      if (library.id_to_token(id) !== undefined) kept.push(id);
    }
    if (kept.length === 0) return '';
    return library.decode(kept, { skip_special_tokens: skipSpecial, clean_up_tokenization_spaces: false });
  };
  return {
    ...around,
    encode: (text) => library.encode(normalizeText(text, rules), { add_special_tokens: false }).ids,
    decode,
    // SentencePiece marks where words begin, so a row may be cut after any token; the mean suffers little.
  };
}

function openLibrary(content: JsonObject, config: JsonObject): LibraryTokenizer {
  try {
    const library = new LibraryTokenizer({ added_tokens: [], ...content }, config);
    library.encode('a', { add_special_tokens: false });
    return library;
  } catch (cause) {
    throw invalidTokenizer(
      'tokenizer.json',
      `it cannot be used (${(cause as Error).message}). eidos reads byte-pair, Unigram and WordPiece vocabularies as Hugging Face's tools write them.`,
      cause,
    );
  }
}
