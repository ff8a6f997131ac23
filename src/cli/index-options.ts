/** The option for an index that several commands take, and the index that it means. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { EidosError } from '../errors.ts';
import type { SearchIndex } from '../tasks/search/types.ts';
import { type ModelOptions, openModel, warn } from './model-options.ts';

export interface IndexOptions {
  index?: string;
}

/** What an index is called that lies among the pictures; hidden, so that it is not searched for pictures. */
const nameBesidePictures = '.eidos-index';

/** Adds --index. */
export function addIndexOption(command: Command): Command {
  return command.option(
    '-i, --index <path>',
    `the index: a folder, s3://… or db://… (default: ${nameBesidePictures} here or in the nearest folder above, else your own in $XDG_DATA_HOME/eidos)`,
  );
}

/** The index that is meant: the one named, the nearest one here or above, or the person's own. */
export function indexPath({ index }: IndexOptions): string {
  if (index !== undefined) return index;
  for (let folder = resolve('.'); ; folder = dirname(folder)) {
    const path = join(folder, nameBesidePictures);
    if (existsSync(path)) return path;
    if (dirname(folder) === folder) return ownIndex();
  }
}

/** The index that was named, or the usual one where there is one. */
export function presentIndex(options: IndexOptions): string | undefined {
  const path = indexPath(options);
  return options.index !== undefined || existsSync(path) ? path : undefined;
}

/** A person's own index, whichever folder they are in. */
function ownIndex(): string {
  const home = process.env.XDG_DATA_HOME ?? '';
  // The specification of XDG tells to ignore what is no absolute path.
  return join(isAbsolute(home) ? home : join(homedir(), '.local', 'share'), 'eidos', 'index');
}

/** Opens it with the model options of the command line. */
export async function openNamedIndex(
  options: ModelOptions & IndexOptions,
  { create = false }: { create?: boolean } = {},
): Promise<SearchIndex> {
  const path = create ? indexPath(options) : presentIndex(options);
  if (path === undefined) {
    throw new EidosError(
      'not_found',
      `There is no index here or in a folder above, nor one of your own (${ownIndex()}): \`eidos index FOLDER\` makes one.`,
    );
  }
  const { openIndex } = await import('../tasks/search/open.ts');
  return openIndex(path, {
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
