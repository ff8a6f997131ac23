/** Tokenizers in Hugging Face's files: `tokenizer.json`, or `vocab.json` with `merges.txt`, and their configuration. */

import { EidosError } from '../errors.ts';
import { type BytePairVocabulary, createBytePairCodec } from './byte-pairs.ts';
import { createLibraryCodec, type LibrarySettings } from './library-codec.ts';
import { addMerge, createMergeTable } from './merges.ts';
import {
  bertContent,
  configOf,
  isRobertaVocabulary,
  robertaContent,
  sentencePieceContent,
} from './older-files.ts';
import { type MergePair, readMergeLines } from './openai-vocabulary.ts';
import { knownPattern, type PiecePattern } from './pieces.ts';
import {
  huggingFaceRules,
  lowerCase,
  normalizeText,
  plainRules,
  siglipRules,
  type TextRules,
} from './rules.ts';
import { readSentencePiece } from './sentence-piece.ts';
import { readAddedTokens, readSpecialTokens, type VocabularyFile } from './special-tokens.ts';
import { createTokenizer, requireVocabularySize, type TokenCodec, type Tokenizer } from './tokenizer.ts';
import {
  describe,
  invalidTokenizer,
  isObject,
  type JsonObject,
  mostCharacters,
  parseObject,
  readFlag,
  readList,
  readText,
  readTokenIds,
} from './vocabulary-json.ts';

/** Contents by file name; `tokenizer.json` counts before `vocab.json` and `merges.txt`. */
export interface TokenizerFiles {
  'tokenizer.json'?: string | undefined;
  'vocab.json'?: string | undefined;
  'merges.txt'?: string | undefined;
  'tokenizer_config.json'?: string | undefined;
  'special_tokens_map.json'?: string | undefined;
  'added_tokens.json'?: string | undefined;
  'vocab.txt'?: string | undefined;
  /** The bytes of a model of SentencePiece's, whatever its file is called. */
  'spiece.model'?: Uint8Array | undefined;
}

/** What the caller knows better than the files. */
export interface TokenizerOptions {
  /** Tokens a row. @default `model_max_length` of `tokenizer_config.json`, else 77 */
  contextLength?: number;
  /** Rows of the model's embedding table; a vocabulary that does not fit it is refused. */
  vocabularySize?: number;
  /** @default the files' pad token, else the end token */
  padToken?: number;
  /** How texts are cleaned. @default what the files say */
  rules?: TextRules;
}

/**
 * A tokenizer from the contents of its files.
 *
 * `vocab.json` with `merges.txt` follows the rules of CLIP's `tokenizer.json`, because Hugging Face's tools
 * turn these two files into that one before they use them.
 * @throws EidosError `invalid_tokenizer` naming file and entry; `config_mismatch` when the size is not the model's.
 */
export async function readTokenizerFiles(
  files: TokenizerFiles,
  options: TokenizerOptions = {},
): Promise<Tokenizer> {
  const configs = readConfigs(files);
  const contextLength = options.contextLength ?? configuredLength(configs) ?? 77;
  const name = (['tokenizer.json', 'vocab.json', 'vocab.txt', 'spiece.model'] as const).find(
    (one) => files[one] !== undefined,
  );
  const codec = readFiles(files, configs, contextLength, options);
  requireVocabularySize(codec, options.vocabularySize, name ?? 'vocab.json');
  return createTokenizer(codec);
}

/** Whatever is there becomes the content of a `tokenizer.json`, but for CLIP's older files, which are read as they are. */
function readFiles(
  files: TokenizerFiles,
  configs: readonly VocabularyFile[],
  contextLength: number,
  options: TokenizerOptions,
): TokenCodec {
  const config = configOf(configs);
  const {
    'tokenizer.json': whole,
    'vocab.json': vocab,
    'merges.txt': lines,
    'vocab.txt': words,
    'spiece.model': pieces,
    'added_tokens.json': extra,
  } = files;
  const read = (content: JsonObject): TokenCodec =>
    readTokenizerContent(content, configs, contextLength, options);
  if (whole !== undefined) return read(parseObject(whole, 'tokenizer.json'));
  if (vocab !== undefined && lines !== undefined) {
    const tokenIds = readTokenIds(parseObject(vocab, 'vocab.json'), 'vocab.json', 'vocabulary');
    if (lines.length > mostCharacters) throw invalidTokenizer('merges.txt', 'it is over the limit on size.');
    const merges = readMergeLines(lines, 'merges.txt');
    return isRobertaVocabulary(tokenIds)
      ? read(robertaContent(tokenIds, merges, config))
      : readClipVocabulary(tokenIds, merges, configs, contextLength, options);
  }
  if (words !== undefined) return read(bertContent(words, config));
  if (pieces !== undefined) {
    const added = extra === undefined ? {} : parseObject(extra, 'added_tokens.json');
    const model = readSentencePiece(pieces, 'spiece.model');
    return read(sentencePieceContent(model, config, added, 'spiece.model'));
  }
  throw new EidosError(
    'invalid_tokenizer',
    'A tokenizer is tokenizer.json, or vocab.json together with merges.txt; neither was given.',
  );
}

function readConfigs(files: TokenizerFiles): VocabularyFile[] {
  const names = ['tokenizer_config.json', 'special_tokens_map.json'] as const;
  return names.flatMap((name) => {
    const text = files[name];
    return text === undefined ? [] : [{ name, content: parseObject(text, name) }];
  });
}

/** Hugging Face writes 1e30 where there is no limit. */
function configuredLength(configs: readonly VocabularyFile[]): number | undefined {
  const length = configs.map(({ content }) => content.model_max_length).find((value) => value != null);
  return typeof length === 'number' && Number.isInteger(length) && length >= 3 && length <= 65_536
    ? length
    : undefined;
}

function readClipVocabulary(
  tokenIds: ReadonlyMap<string, number>,
  merges: readonly MergePair[],
  configs: readonly VocabularyFile[],
  contextLength: number,
  options: TokenizerOptions,
): TokenCodec {
  const vocabulary = mergedVocabulary(tokenIds, merges, '</w>', 'merges.txt');
  const special = readSpecialTokens(undefined, configs, (token) => tokenIds.get(token));
  return createBytePairCodec(vocabulary, {
    unknownToken: special.endToken,
    ...special,
    rules: options.rules ?? huggingFaceRules,
    pattern: 'clip',
    prefixSpace: false,
    added: [special.startToken, special.endToken].flatMap((id) =>
      [...tokenIds]
        .filter((entry) => entry[1] === id)
        .map(([content]) => ({ content, id: id!, normalized: false })),
    ),
    padToken: options.padToken ?? special.padToken,
    contextLength,
  });
}

function readTokenizerContent(
  content: JsonObject,
  configs: readonly VocabularyFile[],
  contextLength: number,
  options: TokenizerOptions,
): TokenCodec {
  const name = 'tokenizer.json';
  const file = { name, content };
  const given = content.model;
  if (!isObject(given)) throw invalidTokenizer(name, `model is ${describe(given)}, not an object.`);
  // Files of 2019 to 2021 name no type.
  const type = readText(given, 'type', name) ?? unnamedType(given);
  const model: JsonObject = { ...given, ...(type === undefined ? {} : { type }) };
  const tokenIds =
    type === 'Unigram' ? readPieces(model, name) : readTokenIds(model.vocab, name, 'model.vocab');
  const { added, exact } = readAddedTokens(file, tokenIds);
  const addedIds = new Map(added.map((token) => [token.content, token.id]));
  const idOf = (token: string): number | undefined => tokenIds.get(token) ?? addedIds.get(token);
  const special = readSpecialTokens(file, configs, idOf);
  const settings = { ...special, padToken: options.padToken ?? special.padToken, contextLength };
  const merges = type === 'BPE' ? readMerges(model, name) : [];
  const pattern = exact && type === 'BPE' ? readByteLevel(content, model) : undefined;
  const cleaning = readNormalizer(content.normalizer);
  if (pattern !== undefined && cleaning !== undefined) {
    const endOfWord = readText(model, 'end_of_word_suffix', name) ?? '';
    const unknown = readText(model, 'unk_token', name);
    const unknownToken = unknown === undefined ? undefined : idOf(unknown);
    const { unknownToken: _, ...around } = settings;
    return createBytePairCodec(mergedVocabulary(tokenIds, merges, endOfWord, name), {
      ...around,
      ...(unknownToken === undefined ? {} : { unknownToken }),
      ...pattern,
      rules: options.rules ?? cleaning,
      added,
    });
  }
  const config = configOf(configs);
  let size = 0;
  for (const id of [...tokenIds.values(), ...addedIds.values()]) size = Math.max(size, id + 1);
  return createLibraryCodec({ ...content, model }, config, {
    ...settings,
    ...cleaningAround(options.rules, type, config),
    vocabularySize: size,
  });
}

function unnamedType(model: JsonObject): string | undefined {
  if (Array.isArray(model.merges)) return 'BPE';
  if (Array.isArray(model.vocab)) return 'Unigram';
  return typeof model.max_input_chars_per_word === 'number' ? 'WordPiece' : undefined;
}

/** What is done to texts beside the file's normalizer, and how tables of characters are read. */
function cleaningAround(
  rules: TextRules | undefined,
  type: string | undefined,
  config: JsonObject,
): Pick<LibrarySettings, 'before' | 'each' | 'walk'> {
  const whole = (text: string): string => normalizeText(text, plainRules);
  const walk = config.tokenizer_class === 'SiglipTokenizer' ? 'longest' : 'graphemes';
  if (rules !== undefined) {
    return { before: (text) => normalizeText(text, rules), each: (part) => part, walk };
  }
  // BERT's normalizer lowers by itself what its file says.
  const lower = type !== 'WordPiece' && readFlag(config, 'do_lower_case', false, 'tokenizer_config.json');
  if (!lower) return { before: whole, each: (part) => part, walk };
  // SigLIP's class lowers first of all, and drops punctuation between the tokens that it finds then; other vocabularies
  // that lower, such as Gemma's, keep it.
  return type === 'Unigram'
    ? { before: (text) => lowerCase(whole(text)), each: (part) => normalizeText(part, siglipRules), walk }
    : { before: whole, each: lowerCase, walk };
}

/** SentencePiece's vocabulary: `[piece, score]` in the order of their ids. */
function readPieces(model: JsonObject, file: string): Map<string, number> {
  const tokenIds = new Map<string, number>();
  const pieces = readList(model, 'vocab', file);
  for (const [id, entry] of pieces.entries()) {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string' || !Number.isFinite(entry[1])) {
      throw invalidTokenizer(file, `model.vocab[${id}] is not a pair of a piece and its score.`);
    }
    if (tokenIds.has(entry[0])) {
      throw invalidTokenizer(
        file,
        `model.vocab[${id}], ${JSON.stringify(entry[0].slice(0, 80))}, stands twice.`,
      );
    }
    tokenIds.set(entry[0], id);
  }
  const unknown = model.unk_id;
  if (typeof unknown !== 'number' || !Number.isInteger(unknown) || unknown < 0 || unknown >= pieces.length) {
    throw invalidTokenizer(file, `model.unk_id is ${describe(unknown)}; it has to be the id of a piece.`);
  }
  return tokenIds;
}

/** Pairs, written as `"a b"` or `["a", "b"]`. */
function readMerges(model: JsonObject, file: string): MergePair[] {
  return readList(model, 'merges', file).map((merge, rank) => {
    let pair: readonly unknown[] = [];
    if (typeof merge === 'string') {
      const space = merge.indexOf(' ');
      if (space >= 0 && !merge.includes(' ', space + 1))
        pair = [merge.slice(0, space), merge.slice(space + 1)];
    } else if (Array.isArray(merge)) pair = merge;
    const [left, right] = pair;
    if (pair.length !== 2 || typeof left !== 'string' || typeof right !== 'string') {
      throw invalidTokenizer(file, `model.merges[${rank}] is ${describe(merge)}; a merge is two tokens.`);
    }
    return [left, right];
  });
}

function mergedVocabulary(
  tokenIds: ReadonlyMap<string, number>,
  merges: readonly MergePair[],
  endOfWord: string,
  file: string,
): BytePairVocabulary {
  const table = createMergeTable(merges.length);
  const idOf = (token: string, rank: number): number => {
    const id = tokenIds.get(token);
    if (id === undefined) {
      throw invalidTokenizer(
        file,
        `merge ${rank}, ${JSON.stringify(merges[rank]!.join(' ').slice(0, 80))}, needs the token ${JSON.stringify(token.slice(0, 80))}, which the vocabulary lacks. The vocabulary and the merges must come from one model.`,
      );
    }
    return id;
  };
  for (const [rank, [left, right]] of merges.entries()) {
    addMerge(table, idOf(left, rank), idOf(right, rank), rank, idOf(left + right, rank));
  }
  return { tokenIds, merges: table, endOfWord };
}

/** How a byte-level model cuts its pieces; undefined where it is of another kind or uses what only the library has. */
function readByteLevel(
  content: JsonObject,
  model: JsonObject,
): { pattern: PiecePattern; prefixSpace: boolean } | undefined {
  if (model.byte_fallback || model.ignore_merges || model.dropout || model.continuing_subword_prefix)
    return undefined;
  const steps = steplist(content.pre_tokenizer, 'pretokenizers');
  const last = steps?.at(-1);
  if (steps === undefined || last?.type !== 'ByteLevel' || steps.length > 2) return undefined;
  // A missing field means what the library takes it for.
  const prefixSpace = last.add_prefix_space === true;
  if (steps.length === 1) return last.use_regex === false ? undefined : { pattern: 'gpt2', prefixSpace };
  const [split] = steps;
  const source = isObject(split?.pattern) ? split.pattern.Regex : undefined;
  const pattern = typeof source === 'string' ? knownPattern(source) : undefined;
  if (split?.type !== 'Split' || pattern === undefined || prefixSpace) return undefined;
  const matches = split.behavior === 'Removed' && split.invert === true;
  // CLIP's pieces pass ByteLevel's own pattern whole; GPT-2's pattern matches everything, so isolating is the same.
  if (pattern === 'clip') return matches ? { pattern, prefixSpace } : undefined;
  const isolated = split.behavior === 'Isolated' && split.invert !== true && last.use_regex === false;
  return isolated ? { pattern, prefixSpace } : undefined;
}

/** The cleaning as rules; undefined where it has steps that only the library knows. */
function readNormalizer(normalizer: unknown): TextRules | undefined {
  if (normalizer === null || normalizer === undefined) return plainRules;
  const steps = steplist(normalizer, 'normalizers');
  if (steps === undefined) return undefined;
  const rules = { ...plainRules };
  let stage = 0;
  for (const step of steps) {
    const next = normalizerStage(step);
    // The rules run in one order only.
    if (next === undefined || next.stage <= stage) return undefined;
    stage = next.stage;
    if (next.rule === 'lowerCase') rules.lowerCase = 'letters';
    else rules[next.rule] = true;
  }
  return rules;
}

function normalizerStage(step: JsonObject): { stage: number; rule: keyof TextRules } | undefined {
  if (step.type === 'NFC') return { stage: 1, rule: 'compose' };
  const pattern = isObject(step.pattern) ? step.pattern.Regex : undefined;
  if (step.type === 'Replace' && pattern === '\\s+' && step.content === ' ') {
    return { stage: 2, rule: 'collapseWhitespace' };
  }
  return step.type === 'Lowercase' ? { stage: 3, rule: 'lowerCase' } : undefined;
}

/** The steps of a sequence, or the one step itself. */
function steplist(value: unknown, field: string): JsonObject[] | undefined {
  if (!isObject(value)) return undefined;
  const steps = value.type === 'Sequence' ? value[field] : [value];
  return Array.isArray(steps) && steps.every(isObject) ? steps : undefined;
}
