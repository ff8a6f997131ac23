/** CLIP's vocabulary as OpenAI and open_clip carry it: one list of merges, from which all tokens follow. */

import { EidosError } from '../errors.ts';
import { type BytePairVocabulary, createBytePairCodec } from './byte-pairs.ts';
import { symbolsInVocabularyOrder } from './byte-symbols.ts';
import { addMerge, createMergeTable } from './merges.ts';
import { openAiRules, type TextRules } from './rules.ts';
import { createTokenizer, type Tokenizer } from './tokenizer.ts';

/** The file that openai/CLIP and open_clip publish. */
export const openAiVocabularyFile = 'bpe_simple_vocab_16e6.txt.gz';

/** Two tokens that become one. */
export type MergePair = readonly [left: string, right: string];

export const startText = '<|startoftext|>';
export const endText = '<|endoftext|>';

/** The file lists more merges than the models use: 49,408 tokens less 2·256 symbols, start and end. */
const usedMerges = 49_408 - 512 - 2;

export interface OpenAiVocabularyOptions {
  /** @default 77 */
  contextLength?: number;
  /** @default 0, as OpenAI and open_clip fill their rows */
  padToken?: number;
  /** @default openAiRules */
  rules?: TextRules;
  /** Named in messages. */
  file?: string;
}

/**
 * The tokenizer of the unpacked `bpe_simple_vocab_16e6.txt`.
 * @throws EidosError `invalid_tokenizer` when lines are missing or malformed.
 */
export function readOpenAiVocabulary(text: string, options: OpenAiVocabularyOptions = {}): Tokenizer {
  const file = options.file ?? openAiVocabularyFile;
  const merges = readMergeLines(text, file, usedMerges);
  if (merges.length < usedMerges) {
    throw new EidosError(
      'invalid_tokenizer',
      `${file} has ${merges.length} merges; CLIP's vocabulary has at least ${usedMerges}. The file seems cut off: fetch it again.`,
    );
  }
  const vocabulary = clipVocabulary(merges, file);
  const startToken = vocabulary.tokenIds.get(startText)!;
  const endToken = vocabulary.tokenIds.get(endText)!;
  return createTokenizer(
    createBytePairCodec(vocabulary, {
      rules: options.rules ?? openAiRules,
      pattern: 'openAi',
      prefixSpace: false,
      added: [
        { content: startText, id: startToken, normalized: true },
        { content: endText, id: endToken, normalized: true },
      ],
      startToken,
      endToken,
      padToken: options.padToken ?? 0,
      contextLength: options.contextLength ?? 77,
    }),
  );
}

/**
 * CLIP's numbering: 256 symbols, 256 at the end of a word, one token a merge, start, end.
 * @throws EidosError `invalid_tokenizer` for a merge of tokens that are not made before it, or made twice.
 */
export function clipVocabulary(merges: readonly MergePair[], file: string): BytePairVocabulary {
  const tokenIds = new Map<string, number>();
  for (const symbol of symbolsInVocabularyOrder) tokenIds.set(symbol, tokenIds.size);
  for (const symbol of symbolsInVocabularyOrder) tokenIds.set(`${symbol}</w>`, tokenIds.size);
  const table = createMergeTable(merges.length);
  for (let rank = 0; rank < merges.length; rank++) {
    const [left, right] = merges[rank]!;
    const leftId = tokenIds.get(left);
    const rightId = tokenIds.get(right);
    const id = tokenIds.size;
    tokenIds.set(left + right, id);
    if (leftId === undefined || rightId === undefined || tokenIds.size === id) {
      throw new EidosError(
        'invalid_tokenizer',
        `${file}: merge ${rank}, ${JSON.stringify(`${left} ${right}`.slice(0, 80))}, ${tokenIds.size === id ? 'makes a token that is there already' : 'joins tokens that no line before it makes'}. The file is damaged: fetch it again.`,
      );
    }
    addMerge(table, leftId, rightId, rank, id);
  }
  for (const text of [startText, endText]) tokenIds.set(text, tokenIds.size);
  return { tokenIds, merges: table, endOfWord: '</w>' };
}

/**
 * The pairs of a list of merges: a line each, two tokens with a space between, after an optional `#version` line.
 * @throws EidosError `invalid_tokenizer` naming the line.
 */
export function readMergeLines(text: string, file: string, most = Number.POSITIVE_INFINITY): MergePair[] {
  const merges: MergePair[] = [];
  let start = 0;
  for (let line = 1; start < text.length && merges.length < most; line++) {
    let end = text.indexOf('\n', start);
    if (end < 0) end = text.length;
    const content = text.slice(start, text[end - 1] === '\r' ? end - 1 : end);
    start = end + 1;
    // The first line of every published list is a heading.
    if (line === 1 && /#version|^"bpe_/.test(content)) continue;
    if (content === '') continue;
    const space = content.indexOf(' ');
    if (space < 1 || space === content.length - 1 || content.includes(' ', space + 1)) {
      throw new EidosError(
        'invalid_tokenizer',
        `${file}, line ${line}: ${JSON.stringify(content.slice(0, 80))} is not a merge, which is two tokens with a space between.`,
      );
    }
    merges.push([content.slice(0, space), content.slice(space + 1)]);
  }
  return merges;
}
