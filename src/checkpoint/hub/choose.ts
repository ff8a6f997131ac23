/** Which files of a model are needed: its configuration, its tokenizer, and its weights in one format. */
import { chooseWeights } from '../weight-names.ts';

const configurationNames = ['config.json', 'open_clip_config.json', 'preprocessor_config.json'];

/** Files that are a vocabulary by themselves. */
const vocabularyNames = [
  'tokenizer.json',
  'sentencepiece.bpe.model',
  'spiece.model',
  'tokenizer.model',
  'vocab.txt',
  'bpe_simple_vocab_16e6.txt.gz',
];

const tokenizerNames = [
  ...vocabularyNames,
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
];

export interface NeededFiles {
  /** Small files, to be had first. */
  described: string[];
  /** The weight file or the index of its shards; undefined where the model has none that eidos reads. */
  weights: string | undefined;
  /** All files that could be weights, for a message. */
  candidates: string[];
}

export function chooseFiles(names: readonly string[]): NeededFiles {
  const described = [...configurationNames, ...tokenizerNames].filter((name) => names.includes(name));
  const { name, candidates } = chooseWeights(names);
  return { described, weights: name, candidates };
}

/** The files of a model's tokenizer alone. */
export function chooseTokenizerFiles(names: readonly string[]): string[] {
  return tokenizerNames.filter((name) => names.includes(name));
}

/** Whether files make a tokenizer. */
export function hasTokenizer(names: readonly string[]): boolean {
  const has = (name: string) => names.includes(name);
  return vocabularyNames.some(has) || (has('vocab.json') && has('merges.txt'));
}

/** Whether a cached snapshot has all that a model usually has, so that the hub need not be asked. */
export function isComplete(names: readonly string[]): boolean {
  const has = (name: string) => names.includes(name);
  return (
    chooseFiles(names).weights !== undefined &&
    (has('config.json') || has('open_clip_config.json')) &&
    hasTokenizer(names)
  );
}
