/**
 * What a pattern may mean where names on disk have the signs of patterns: `Summer (Italy)/*.jpg` is a folder of this
 * name, `*.{jpg,png}` means both where no file is called so.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';

/** The folder that a pattern begins with, and the rest as globs in the order in which they are to be tried. */
interface PatternReadings {
  /** Empty where the pattern does not begin with a folder that is there. */
  folder: string;
  /** The rest as it is for the glob library: first with all brackets as letters, at last with all as signs. */
  globs: readonly string[];
}

/** Whether a pattern may mean more than the file of this name. */
export function isPattern(path: string): boolean {
  return /[*?(){}[\]]/.test(path);
}

/** Kinds of brackets that names have and patterns too. */
const brackets = [/[()]/g, /[{}]/g, /[[\]]/g] as const;

function readingsOf(pattern: string): PatternReadings {
  const steps = pattern.split('/');
  let taken = 0;
  while (taken < steps.length - 1 && isFolder(steps.slice(0, taken + 1).join('/') || '/')) taken++;
  const folder = taken === 0 ? '' : steps.slice(0, taken).join('/') || '/';
  // A sign of negation has no sense in a pattern alone.
  const rest = steps
    .slice(taken)
    .join('/')
    .replace(/^!(?!\()/, '\\!');
  const present = brackets.filter((kind) => rest.search(kind) >= 0);
  const readings = Array.from({ length: 2 ** present.length }, (_, signs) =>
    present.reduce((glob, kind, at) => ((signs >> at) & 1 ? glob : glob.replace(kind, '\\$&')), rest),
  );
  return { folder, globs: [...new Set(readings)] };
}

/**
 * What the first reading that leads to anything finds, with the folder before it.
 * @param pattern with slashes, also on Windows
 * @param search the files that a glob finds in a folder, relative to it; in the working folder for an empty one
 */
export async function firstFound(
  pattern: string,
  search: (glob: string, folder: string) => Promise<readonly string[]>,
): Promise<string[]> {
  const { folder, globs } = readingsOf(pattern);
  for (const glob of globs) {
    const found = await search(glob, folder);
    if (found.length > 0) return found.map((path) => (folder === '' ? path : join(folder, path)));
  }
  return [];
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
