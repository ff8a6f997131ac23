/** Finds the tokenizer of a model: beside its weights, in folders of the caller, or fetched by the caller's function. */

import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { EidosError } from '../errors.ts';
import { readTokenizerFiles, type TokenizerFiles, type TokenizerOptions } from './hugging-face.ts';
import { openAiVocabularyFile, readOpenAiVocabulary } from './openai-vocabulary.ts';
import { requireVocabularySize, type Tokenizer } from './tokenizer.ts';
import { invalidTokenizer, mostCharacters } from './vocabulary-json.ts';

export interface LoadTokenizerOptions extends TokenizerOptions {
  /** Folders or files to look in when there is nothing beside the weights, such as the hub's cache. */
  search?: readonly string[];
  /** Called when nothing was found anywhere: brings a vocabulary and returns its folder or file. */
  fetchVocabulary?: () => Promise<string>;
}

/** Unpacked, the published list of merges takes 3 MB. */
const mostUnpackedBytes = 64 * 1024 * 1024;

const plainVocabularyFile = openAiVocabularyFile.replace(/\.gz$/, '');

/**
 * The tokenizer of a folder, or of files such as the model's weights (their folder is looked into) or a
 * `bpe_simple_vocab_16e6.txt.gz`. In a folder `tokenizer.json` counts first, then `vocab.json` with `merges.txt`,
 * a model of SentencePiece's, BERT's `vocab.txt`, then OpenAI's list of merges, each also in a subfolder `tokenizer`.
 * @throws EidosError `invalid_tokenizer` when a file is malformed or none is found, with everything that was looked
 *   for; `config_mismatch` when the vocabulary's size contradicts `vocabularySize`.
 */
export async function loadTokenizer(
  source: string | readonly string[],
  options: LoadTokenizerOptions = {},
): Promise<Tokenizer> {
  const given = typeof source === 'string' ? [source] : source;
  const looked: string[] = [];
  for (const path of [...given, ...(options.search ?? [])]) {
    const tokenizer = await tryPath(path, options, looked);
    if (tokenizer !== undefined) return tokenizer;
  }
  if (options.fetchVocabulary !== undefined) {
    const path = await options.fetchVocabulary();
    const tokenizer = await tryPath(path, options, looked);
    if (tokenizer !== undefined) return tokenizer;
  }
  throw new EidosError('invalid_tokenizer', notFound(looked));
}

function notFound(looked: readonly string[]): string {
  const places = looked.length === 0 ? 'no folder was given' : `looked in ${looked.join(', ')}`;
  const remedy = `Put the vocabulary beside the weights: tokenizer.json of the model's page on the hub, or ${openAiVocabularyFile} of OpenAI's and open_clip's code for their CLIP models.`;
  return `The model has no tokenizer: ${places} for ${vocabularies.map((names) => names.join(' with ')).join(', ')} and ${openAiVocabularyFile}. ${remedy}`;
}

async function tryPath(
  path: string,
  options: LoadTokenizerOptions,
  looked: string[],
): Promise<Tokenizer | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() && /\.txt(\.gz)?$/.test(path) && !['merges.txt', 'vocab.txt'].includes(basename(path))) {
    return readOpenAiFile(path, options);
  }
  const folder = info?.isDirectory() ? path : dirname(path);
  for (const place of [folder, join(folder, 'tokenizer')]) {
    if (looked.includes(place)) continue;
    const tokenizer = await tryFolder(place, options);
    if (tokenizer !== undefined) return tokenizer;
    if (place === folder) looked.push(place);
  }
  return undefined;
}

type TextFile = Exclude<keyof TokenizerFiles, 'spiece.model'>;

/** The vocabulary of a folder, the form that says most first. */
async function vocabularyNames(
  has: (name: string) => Promise<boolean>,
): Promise<readonly string[] | undefined> {
  for (const names of vocabularies) {
    if ((await Promise.all(names.map(has))).every(Boolean)) return names;
  }
  return undefined;
}

const vocabularies: readonly (readonly string[])[] = [
  ['tokenizer.json'],
  ['vocab.json', 'merges.txt'],
  ['sentencepiece.bpe.model'],
  ['spiece.model'],
  ['tokenizer.model'],
  ['vocab.txt'],
];

async function tryFolder(folder: string, options: LoadTokenizerOptions): Promise<Tokenizer | undefined> {
  const has = (name: string): Promise<boolean> => isFile(join(folder, name));
  const names = await vocabularyNames(has);
  if (names !== undefined) {
    const files: TokenizerFiles = {};
    for (const name of [...names, 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json']) {
      if (!(await has(name))) continue;
      if (name.endsWith('.model')) files['spiece.model'] = await readBytes(join(folder, name));
      else files[name as TextFile] = await readText(join(folder, name));
    }
    try {
      return await readTokenizerFiles(files, options);
    } catch (error) {
      // The readers know files by their names; a person needs the folder too.
      if (!(error instanceof EidosError)) throw error;
      throw new EidosError(error.code, `In ${folder}: ${error.message}`, { cause: error.cause });
    }
  }
  for (const name of [openAiVocabularyFile, plainVocabularyFile]) {
    if (await has(name)) return readOpenAiFile(join(folder, name), options);
  }
  return undefined;
}

async function readOpenAiFile(path: string, options: LoadTokenizerOptions): Promise<Tokenizer> {
  let text: string;
  if (path.endsWith('.gz')) {
    const packed = await readBytes(path);
    try {
      const bytes = await promisify(gunzip)(packed, { maxOutputLength: mostUnpackedBytes });
      text = bytes.toString('utf8');
    } catch (cause) {
      throw invalidTokenizer(
        path,
        `it cannot be unpacked to a list of merges of at most ${mostUnpackedBytes} bytes (${(cause as Error).message}).`,
        cause,
      );
    }
  } else text = await readText(path);
  const { contextLength, padToken, rules, vocabularySize } = options;
  const tokenizer = readOpenAiVocabulary(text, {
    file: path,
    ...(contextLength === undefined ? {} : { contextLength }),
    ...(padToken === undefined ? {} : { padToken }),
    ...(rules === undefined ? {} : { rules }),
  });
  requireVocabularySize(tokenizer, vocabularySize, path);
  return tokenizer;
}

async function readText(path: string): Promise<string> {
  return (await readBytes(path)).toString('utf8');
}

async function readBytes(path: string): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > mostCharacters) {
    throw invalidTokenizer(
      path,
      `${size} bytes are over the limit of ${mostCharacters}; no published vocabulary comes near it.`,
    );
  }
  try {
    return await readFile(path);
  } catch (cause) {
    throw invalidTokenizer(path, `it cannot be read (${(cause as Error).message}).`, cause);
  }
}

async function isFile(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  return info?.isFile() ?? false;
}
