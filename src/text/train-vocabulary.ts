/** Learns a byte-pair vocabulary from sentences and writes it in the files that Hugging Face's CLIP tokenizers read. */

import { Buffer } from 'node:buffer';
import { EidosError } from '../errors.ts';
import { createBytePairCodec } from './byte-pairs.ts';
import { learnMerges } from './learn-merges.ts';
import { clipVocabulary, endText, type MergePair, startText } from './openai-vocabulary.ts';
import { clipPatternSource, cutPieces } from './pieces.ts';
import { huggingFaceRules, normalizeText } from './rules.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

export interface TrainVocabularyOptions {
  /** Tokens wanted, with the 512 symbols of bytes, start and end: 514 to 100,000. */
  size: number;
  /** Tokens a row, start and end included. */
  contextLength: number;
}

export interface TrainedVocabulary {
  tokenizer: Tokenizer;
  /** Tokens reached: fewer than wanted where no pair of tokens stands twice in the sentences any more. */
  vocabularySize: number;
  /** Contents by file name, as they belong into one folder. */
  files: {
    'tokenizer.json': string;
    'vocab.json': string;
    'merges.txt': string;
    'tokenizer_config.json': string;
    'special_tokens_map.json': string;
  };
}

/**
 * Joins, again and again, the pair of neighbouring tokens that is most frequent in the sentences
 * (Sennrich et al. 2016, arXiv:1508.07909), inside words as CLIP cuts them. The same sentences give the same
 * vocabulary. The tokens of start and end have the two highest ids.
 * @throws EidosError `invalid_option` for sizes out of range and for anything but strings.
 */
export function trainBytePairVocabulary(
  sentences: Iterable<string>,
  options: TrainVocabularyOptions,
): TrainedVocabulary {
  const words = createWordCounts();
  for (const sentence of sentences) words.add(sentence);
  return vocabularyOfWords(words.counts, options);
}

/** Where nothing is said: enough for captions of a folder, few enough to learn from them. */
export const usualVocabulary = { size: 8192, contextLength: 32 } as const;

/** The same from words that are counted already, so that sentences need not be in memory together. */
export function vocabularyOfWords(
  wordCounts: ReadonlyMap<string, number>,
  { size, contextLength }: TrainVocabularyOptions,
): TrainedVocabulary {
  if (!Number.isInteger(size) || size < 514 || size > 100_000) {
    throw new EidosError('invalid_option', `size is ${size}; a vocabulary has 514 to 100000 tokens.`);
  }
  const merges = learnMerges(wordCounts, size - 514);
  const vocabulary = clipVocabulary(merges, 'the trained vocabulary');
  const { tokenIds } = vocabulary;
  const startToken = tokenIds.get(startText)!;
  const endToken = tokenIds.get(endText)!;
  const tokenizer = createTokenizer(
    createBytePairCodec(vocabulary, {
      rules: huggingFaceRules,
      pattern: 'clip',
      prefixSpace: false,
      added: [
        { content: startText, id: startToken, normalized: false },
        { content: endText, id: endToken, normalized: false },
      ],
      startToken,
      endToken,
      padToken: endToken,
      unknownToken: endToken,
      contextLength,
    }),
  );
  return {
    tokenizer,
    vocabularySize: tokenIds.size,
    files: vocabularyFiles(tokenIds, merges, contextLength),
  };
}

/** Words of sentences as CLIP cuts them, and how often each has come. */
export interface WordCounts {
  /** @throws EidosError `invalid_option` for anything but a string. */
  add(sentence: string): void;
  readonly counts: ReadonlyMap<string, number>;
}

/**
 * Characters of different words that are kept: all of a corpus of some hundred megabytes in languages with spaces, or of
 * one of sixty megabytes without, where a clause is a word.
 */
const keptCharacters = 24_000_000;

/** @param limit characters of different words; beyond it the words that have come least are forgotten, by halves */
export function createWordCounts(limit = keptCharacters): WordCounts {
  const counts = new Map<string, number>();
  let index = 0;
  let characters = 0;
  const forget = (): void => {
    for (let least = 1; characters > limit / 2; least++) {
      for (const [word, count] of counts) {
        if (count > least) continue;
        counts.delete(word);
        characters -= word.length;
      }
    }
  };
  return {
    counts,
    add(sentence) {
      if (typeof sentence !== 'string') {
        throw new EidosError('invalid_option', `Sentence ${index} is ${typeof sentence}, not a string.`);
      }
      index++;
      for (const word of cutPieces(normalizeText(sentence, huggingFaceRules), 'clip')) {
        const count = counts.get(word);
        if (count !== undefined) counts.set(word, count + 1);
        else {
          // A fresh copy, because a part of a text keeps the whole text in memory.
          counts.set(word.length > 12 ? Buffer.from(word, 'utf16le').toString('utf16le') : word, 1);
          characters += word.length;
        }
      }
      if (characters > limit) forget();
    },
  };
}

export function vocabularyFiles(
  tokenIds: ReadonlyMap<string, number>,
  merges: readonly MergePair[],
  contextLength: number,
): TrainedVocabulary['files'] {
  const vocab = Object.fromEntries(tokenIds);
  const mergeLines = merges.map((pair) => pair.join(' '));
  const special = (content: string, normalized: boolean) => ({
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized,
  });
  const startId = tokenIds.get(startText)!;
  const endId = tokenIds.get(endText)!;
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const tokenizer = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [
      { id: startId, ...special(startText, false), special: true },
      { id: endId, ...special(endText, false), special: true },
    ],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: clipPatternSource }, behavior: 'Removed', invert: true },
        byteLevel,
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: [endText, endId],
      cls: [startText, startId],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { ...byteLevel, add_prefix_space: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: endText,
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      fuse_unk: false,
      byte_fallback: false,
      vocab,
      merges: mergeLines,
    },
  };
  const config = {
    add_prefix_space: false,
    bos_token: { __type: 'AddedToken', ...special(startText, true) },
    do_lower_case: true,
    eos_token: { __type: 'AddedToken', ...special(endText, true) },
    errors: 'replace',
    model_max_length: contextLength,
    pad_token: endText,
    tokenizer_class: 'CLIPTokenizer',
    unk_token: { __type: 'AddedToken', ...special(endText, true) },
  };
  const specialTokens = { bos_token: startText, eos_token: endText, pad_token: endText, unk_token: endText };
  return {
    'tokenizer.json': JSON.stringify(tokenizer),
    'vocab.json': JSON.stringify(vocab),
    'merges.txt': `#version: 0.2\n${mergeLines.join('\n')}\n`,
    'tokenizer_config.json': `${JSON.stringify(config, null, 2)}\n`,
    'special_tokens_map.json': `${JSON.stringify(specialTokens, null, 2)}\n`,
  };
}
