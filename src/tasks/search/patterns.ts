/** Patterns of paths: * within a name, ** over folders, ? for a character; a pattern without any means a folder. */
import { EidosError } from '../../errors.ts';

/**
 * Says whether a path is meant by a pattern: a whole path, or a folder that it lies in, at the beginning or (where the
 * pattern does not begin with a slash) at any folder's. Patterns come from strangers, too: no regular expression is
 * made of them, whose time can grow without bound with the number of stars; here it is at most the product of lengths.
 * @throws EidosError `invalid_option` for an empty pattern
 */
export function pathMatcher(pattern: string): (path: string) => boolean {
  if (pattern === '') throw new EidosError('invalid_option', 'A pattern of paths is empty.');
  const trimmed = withSlashes(pattern).replace(/\/+$/, '');
  const isRooted = trimmed.startsWith('/') || /^[A-Za-z]:\//.test(trimmed);
  const names = trimmed.split('/');
  // What lies in a folder, not the folder itself.
  if (names.at(-1) === anyFolders) names.splice(-1, 1, '*');
  const wanted = [...(isRooted ? [] : [anyFolders]), ...names, anyFolders];
  return (path) => matches(wanted, withSlashes(path).split('/'), anyFolders, matchesName);
}

const anyFolders = '**';

function withSlashes(path: string): string {
  return path.replaceAll('\\', '/');
}

function matchesName(pattern: string, name: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === name;
  if (name === '') return false; // in front of the first slash
  return matches([...pattern], [...name], '*', (wanted, letter) => wanted === '?' || wanted === letter);
}

/**
 * Whether items are those of a pattern in which `star` stands for any number of them. Only the last star has ever to
 * take in more: what an earlier one leaves to it, it can take in itself.
 */
function matches(
  pattern: readonly string[],
  items: readonly string[],
  star: string,
  fits: (wanted: string, item: string) => boolean,
): boolean {
  let at = 0;
  let lastStar = -1;
  let behindStar = 0;
  for (let item = 0; item < items.length; ) {
    if (pattern[at] === star) {
      lastStar = at++;
      behindStar = item;
    } else if (at < pattern.length && fits(pattern[at]!, items[item]!)) {
      at += 1;
      item += 1;
    } else if (lastStar >= 0) {
      at = lastStar + 1;
      item = ++behindStar;
    } else return false;
  }
  while (pattern[at] === star) at += 1;
  return at === pattern.length;
}
