/** A model's vocabulary as the files that Hugging Face's tools load. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { EidosError } from '../../errors.ts';
import { loadTokenizer } from '../../text/load-tokenizer.ts';
import { clipVocabulary, openAiVocabularyFile, readMergeLines } from '../../text/openai-vocabulary.ts';
import { vocabularyFiles } from '../../text/train-vocabulary.ts';

/** Contents by file name; nothing where the model has no vocabulary. */
export type ExportedTokenizer = Readonly<Record<string, string>>;

export interface TokenizerSize {
  contextLength: number;
  vocabularySize: number;
}

/** OpenAI's list holds more merges than its models use: 2·256 symbols, start and end are no merges. */
const tokensWithoutMerge = 514;

/**
 * `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`: copied where the model has them, written
 * from its list of merges where it has only that. `source` is a folder or OpenAI's vocabulary file.
 * @throws EidosError `invalid_tokenizer`, `config_mismatch` where the files are malformed or another model's.
 */
export async function tokenizerFiles(
  source: string,
  size: TokenizerSize,
): Promise<ExportedTokenizer | undefined> {
  for (const place of [source, join(source, 'tokenizer')]) {
    const files = (await fromTokenizerJson(place, size)) ?? (await fromMerges(place, size));
    if (files === undefined) continue;
    // The same checks as for a model that is to run: sizes, special tokens, every merge.
    await loadTokenizer(place, size);
    return files;
  }
  return undefined;
}

async function fromTokenizerJson(
  folder: string,
  { contextLength }: TokenizerSize,
): Promise<ExportedTokenizer | undefined> {
  const tokenizer = await read(join(folder, 'tokenizer.json'));
  if (tokenizer === undefined) return undefined;
  const config = parse(
    await read(join(folder, 'tokenizer_config.json')),
    join(folder, 'tokenizer_config.json'),
  );
  const special = await read(join(folder, 'special_tokens_map.json'));
  const longest = config.model_max_length;
  // Sentences are cut by this number; without one they would be too long for the model.
  const fits = typeof longest === 'number' && longest <= contextLength;
  return {
    'tokenizer.json': tokenizer,
    'tokenizer_config.json': `${JSON.stringify(
      { tokenizer_class: 'CLIPTokenizer', ...config, ...(fits ? {} : { model_max_length: contextLength }) },
      undefined,
      2,
    )}\n`,
    ...(special === undefined ? {} : { 'special_tokens_map.json': special }),
  };
}

async function fromMerges(
  source: string,
  { contextLength, vocabularySize }: TokenizerSize,
): Promise<ExportedTokenizer | undefined> {
  const found = await firstText([
    ...(/\.txt(\.gz)?$/.test(source) ? [source] : []),
    join(source, 'merges.txt'),
    join(source, openAiVocabularyFile),
    join(source, openAiVocabularyFile.replace(/\.gz$/, '')),
  ]);
  if (found === undefined) return undefined;
  const merges = readMergeLines(found.text, found.path, vocabularySize - tokensWithoutMerge);
  const { tokenIds } = clipVocabulary(merges, found.path);
  const { 'vocab.json': _, 'merges.txt': __, ...files } = vocabularyFiles(tokenIds, merges, contextLength);
  return files;
}

async function firstText(paths: readonly string[]): Promise<{ path: string; text: string } | undefined> {
  for (const path of paths) {
    const text = await read(path);
    if (text !== undefined) return { path, text };
  }
  return undefined;
}

/** The text of a file, unpacked; undefined where there is none. */
async function read(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined);
  if (!info?.isFile()) return undefined;
  const bytes = await readFile(path);
  return path.endsWith('.gz')
    ? gunzipSync(bytes, { maxOutputLength: 2 ** 26 }).toString('utf8')
    : bytes.toString('utf8');
}

function parse(text: string | undefined, path: string): Record<string, unknown> {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new EidosError('invalid_tokenizer', `${path} is no JSON: ${(cause as Error).message}`, { cause });
  }
}
