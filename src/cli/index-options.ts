/** The option for an index that several commands take, and the index that it means. */
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import type { SearchIndex } from '../tasks/search/types.ts';
import { type ModelOptions, openModel, warn } from './model-options.ts';

export interface IndexOptions {
  index?: string;
}

/** What an index is called that nobody gave a place; hidden, so that it is not searched for pictures. */
const usualName = '.eidos-index';

/** Adds --index. */
export function addIndexOption(command: Command): Command {
  return command.option(
    '-i, --index <path>',
    `the index: a folder, s3://… or db://… (default: ${usualName} here or in the nearest folder above)`,
  );
}

/** The index that is meant: the one named, the nearest one above, or the usual place in this folder. */
export function indexPath({ index }: IndexOptions): string {
  if (index !== undefined) return index;
  for (let folder = resolve('.'); ; folder = dirname(folder)) {
    const path = join(folder, usualName);
    if (existsSync(path)) return path;
    if (dirname(folder) === folder) return resolve(usualName);
  }
}

/** Opens it with the model options of the command line. */
export async function openNamedIndex(
  options: ModelOptions & IndexOptions,
  { create = false }: { create?: boolean } = {},
): Promise<SearchIndex> {
  const { openIndex } = await import('../tasks/search/open.ts');
  return openIndex(indexPath(options), {
    create,
    ...(options.model === undefined ? {} : { model: options.model }),
    loadModel: (name) => openModel({ ...options, model: name }, { load: 'fast-start' }),
    onWarning: warn(options),
  });
}

/** A path as people read it: short where it lies below this folder. */
export function shownPath(path: string): string {
  const short = relative('.', path);
  return short.startsWith('..') || short === '' ? path : short;
}
