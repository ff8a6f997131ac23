/** Which tokens stand around a sentence, from the files that Hugging Face's tokenizers consist of. */

import type { AddedToken } from './byte-pairs.ts';
import {
  describe,
  invalidTokenizer,
  isObject,
  type JsonObject,
  readFlag,
  readId,
  readList,
  readText,
} from './vocabulary-json.ts';

/** A file's name and what it holds. */
export interface VocabularyFile {
  name: string;
  content: JsonObject;
}

export interface SpecialTokens {
  startToken?: number;
  endToken: number;
  /** Whether the file's own rows end without it. */
  withoutEnd?: true;
  padToken: number;
  paddingSide?: 'left';
  unknownToken?: number;
}

/** The tokens of `added_tokens`, and whether all of them are matched exactly as they stand. */
export function readAddedTokens(
  file: VocabularyFile,
  tokenIds: ReadonlyMap<string, number>,
): { added: AddedToken[]; exact: boolean } {
  const added: AddedToken[] = [];
  let exact = true;
  const contents = new Map<number, string>();
  for (const [index, value] of readList(file.content, 'added_tokens', file.name).entries()) {
    const entry = `added_tokens[${index}]`;
    if (!isObject(value)) throw invalidTokenizer(file.name, `${entry} is ${describe(value)}, not an object.`);
    const content = readText(value, 'content', `${file.name}, ${entry}`);
    if (content === undefined) throw invalidTokenizer(file.name, `${entry} has no content.`);
    const id = readId(value.id, file.name, () => `${entry}.id`);
    const known = tokenIds.get(content);
    const other = contents.get(id);
    if ((known !== undefined && known !== id) || (other !== undefined && other !== content)) {
      throw invalidTokenizer(
        file.name,
        `${entry} gives ${JSON.stringify(content.slice(0, 80))} the id ${id}, but ${other === undefined ? `the vocabulary says ${known}` : `that is ${JSON.stringify(other.slice(0, 80))}`}.`,
      );
    }
    contents.set(id, content);
    added.push({ content, id, normalized: readFlag(value, 'normalized', true, file.name) });
    for (const field of ['lstrip', 'rstrip', 'single_word']) {
      if (readFlag(value, field, false, file.name)) exact = false;
    }
  }
  return { added, exact };
}

/** Start and end as the post-processor puts them, else as the configuration names them. */
export function readSpecialTokens(
  tokenizer: VocabularyFile | undefined,
  configs: readonly VocabularyFile[],
  idOf: (token: string) => number | undefined,
): SpecialTokens {
  const named = (field: string): number | undefined => {
    for (const { name, content } of configs) {
      const token = readText(content, field, name);
      if (token === undefined) continue;
      const id = idOf(token);
      if (id === undefined) {
        throw invalidTokenizer(
          name,
          `${field} is ${JSON.stringify(token.slice(0, 80))}, which the vocabulary lacks.`,
        );
      }
      return id;
    }
    return undefined;
  };
  const around = tokenizer === undefined ? undefined : readPostProcessor(tokenizer, idOf);
  const startToken = around === undefined ? (named('bos_token') ?? idOf('<|startoftext|>')) : around.start;
  const endToken = around?.end ?? named('eos_token') ?? idOf('<|endoftext|>') ?? idOf('</s>');
  if (endToken === undefined) {
    throw invalidTokenizer(
      tokenizer?.name ?? configs[0]?.name ?? 'the vocabulary',
      'no end token is named: neither by a post_processor, nor by eos_token in tokenizer_config.json, and the vocabulary has no <|endoftext|>.',
    );
  }
  const unknownToken = named('unk_token');
  return {
    ...(startToken === undefined ? {} : { startToken }),
    endToken,
    // A file that says what stands around a text, and puts a start and no end, means it.
    ...(around?.start !== undefined && around.end === undefined ? { withoutEnd: true } : {}),
    ...(padsLeft(configs) ? { paddingSide: 'left' } : {}),
    padToken: named('pad_token') ?? endToken,
    ...(unknownToken === undefined ? {} : { unknownToken }),
  };
}

/** Gemma's own class pads on the left where its configuration says nothing else. */
function padsLeft(configs: readonly VocabularyFile[]): boolean {
  const config = configs.find(({ name }) => name === 'tokenizer_config.json')?.content;
  const side = config?.padding_side ?? (config?.tokenizer_class === 'GemmaTokenizer' ? 'left' : 'right');
  return side === 'left';
}

/** The tokens before and after a single text; undefined where the file leaves that to the configuration. */
function readPostProcessor(
  { name, content }: VocabularyFile,
  idOf: (token: string) => number | undefined,
): { start?: number; end?: number } | undefined {
  const processor = content.post_processor;
  if (processor === undefined || processor === null) return undefined;
  if (!isObject(processor)) throw invalidTokenizer(name, `post_processor is ${describe(processor)}.`);
  const idOfToken = (token: unknown, entry: string): number => {
    const id = typeof token === 'string' ? idOf(token) : undefined;
    if (id === undefined) {
      throw invalidTokenizer(name, `${entry} is ${describe(token)}, which the vocabulary lacks.`);
    }
    return id;
  };
  const type = processor.type;
  if (type === 'RobertaProcessing' || type === 'BertProcessing') {
    const pair = (field: string): number => {
      const value = processor[field];
      const id = idOfToken(Array.isArray(value) ? value[0] : value, `post_processor.${field}`);
      if (Array.isArray(value) && value[1] !== id) {
        throw invalidTokenizer(
          name,
          `post_processor.${field} says ${describe(value[1])}, the vocabulary says ${id} for ${describe(value[0])}.`,
        );
      }
      return id;
    };
    return { start: pair('cls'), end: pair('sep') };
  }
  if (type === 'TemplateProcessing') {
    const before: number[] = [];
    const after: number[] = [];
    let seen = false;
    for (const [index, item] of readList(processor, 'single', name).entries()) {
      const entry = `post_processor.single[${index}]`;
      if (!isObject(item)) throw invalidTokenizer(name, `${entry} is ${describe(item)}, not an object.`);
      if (isObject(item.SpecialToken)) {
        (seen ? after : before).push(idOfToken(item.SpecialToken.id, `${entry}.SpecialToken.id`));
      } else seen = true;
    }
    if (before.length > 1 || after.length > 1) {
      throw invalidTokenizer(
        name,
        'post_processor.single puts more than one token before or after a text; eidos knows one start and one end token.',
      );
    }
    return {
      ...(before[0] === undefined ? {} : { start: before[0] }),
      ...(after[0] === undefined ? {} : { end: after[0] }),
    };
  }
  return undefined;
}
