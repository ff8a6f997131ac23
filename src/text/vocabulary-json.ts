/** Reading what stands in vocabulary files with distrust: every field is checked, and messages name file and entry. */

import { EidosError } from '../errors.ts';

/** A parsed JSON object. */
export type JsonObject = { readonly [name: string]: unknown };

/** More tokens than any published vocabulary has; ids above it would only take memory. */
export const mostTokens = 1_048_576;

/** The largest published `tokenizer.json` (256,000 tokens) takes 34 MB. */
export const mostCharacters = 128 * 1024 * 1024;

/** An error that names the file and what is wrong in it. */
export function invalidTokenizer(file: string, problem: string, cause?: unknown): EidosError {
  return new EidosError('invalid_tokenizer', `${file}: ${problem}`, cause === undefined ? {} : { cause });
}

/** The object that a file holds. */
export function parseObject(text: string, file: string): JsonObject {
  if (text.length > mostCharacters) {
    throw invalidTokenizer(
      file,
      `${text.length} characters are over the limit of ${mostCharacters}; no published vocabulary comes near it.`,
    );
  }
  if (text.startsWith('version https://git-lfs')) {
    throw invalidTokenizer(file, 'a pointer of Git LFS, not the file itself; `git lfs pull` fetches it.');
  }
  let value: unknown;
  try {
    value = JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch (cause) {
    throw invalidTokenizer(
      file,
      `not JSON (${(cause as Error).message}). Fetch it again if it was cut off.`,
      cause,
    );
  }
  if (!isObject(value)) throw invalidTokenizer(file, `an object is expected, not ${describe(value)}.`);
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as messages show it. */
export function describe(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : String(value);
}

/** An id between 0 and the limit; `entry` is asked for its name only when it is none. */
export function readId(value: unknown, file: string, entry: () => string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= mostTokens) {
    throw invalidTokenizer(
      file,
      `${entry()} is ${describe(value)}; an id is a whole number from 0 to ${mostTokens - 1}.`,
    );
  }
  return value;
}

/** Token → id, with distinct ids. */
export function readTokenIds(value: unknown, file: string, entry: string): Map<string, number> {
  if (!isObject(value)) {
    throw invalidTokenizer(file, `${entry} is ${describe(value)}; it has to be an object of tokens and ids.`);
  }
  const tokenIds = new Map<string, number>();
  const tokens: string[] = [];
  for (const token in value) {
    const given = value[token];
    const id = readId(given, file, () => `${entry}[${JSON.stringify(token.slice(0, 80))}]`);
    if (tokens[id] !== undefined) {
      throw invalidTokenizer(
        file,
        `${entry} gives the id ${id} to ${JSON.stringify(tokens[id].slice(0, 80))} and to ${JSON.stringify(token.slice(0, 80))}.`,
      );
    }
    tokens[id] = token;
    tokenIds.set(token, id);
  }
  if (tokenIds.size === 0) throw invalidTokenizer(file, `${entry} is empty.`);
  return tokenIds;
}

/** A text, or undefined where the field is missing or null; an object of an added token counts by its content. */
export function readText(object: JsonObject, field: string, file: string): string | undefined {
  const value = object[field];
  const content = isObject(value) ? value.content : value;
  if (content === undefined || content === null) return undefined;
  if (typeof content !== 'string')
    throw invalidTokenizer(file, `${field} is ${describe(content)}, not a text.`);
  return content;
}

/** True or false, or what counts where the field is missing. */
export function readFlag(object: JsonObject, field: string, otherwise: boolean, file: string): boolean {
  const value = object[field] ?? otherwise;
  if (typeof value !== 'boolean') {
    throw invalidTokenizer(file, `${field} is ${describe(value)}, neither true nor false.`);
  }
  return value;
}

/** A list; an empty one where the field is missing or null. */
export function readList(object: JsonObject, field: string, file: string): readonly unknown[] {
  const value = object[field] ?? [];
  if (!Array.isArray(value)) throw invalidTokenizer(file, `${field} is ${describe(value)}, not a list.`);
  return value;
}
