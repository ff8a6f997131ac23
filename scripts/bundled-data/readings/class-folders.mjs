/** Photographs in a folder a class: some of each, always the same ones. */
import { hashOf, photograph } from '../picture.mjs';

/**
 * @param {RegExp} pattern of paths, with the folder's name as a group
 * @param {number} most pictures of a class
 * @param {(folder: string) => Record<string, string | string[]> | undefined} wordsOf `label` or `wnid`, captions; undefined
 *   leaves the folder out
 * @returns {import('../sources.mjs').Reading}
 */
export function classFolders(pattern, most, wordsOf) {
  return async function* (tree) {
    /** @type {Map<string, string[]>} */
    const classes = new Map();
    for (const path of tree.paths) {
      const words = wordsOf(pattern.exec(path)?.[1] ?? '');
      if (words === undefined) continue;
      const key = JSON.stringify(words);
      classes.set(key, [...(classes.get(key) ?? []), path]);
    }
    const chosen = [...classes.entries()].flatMap(([key, paths]) =>
      paths
        .sort((a, b) => hashOf(a) - hashOf(b))
        .slice(0, most)
        .map((path) => /** @type {const} */ ([path, key])),
    );
    const words = new Map(chosen);
    let number = 0;
    for await (const { path, bytes } of tree.read([...words.keys()])) {
      number++;
      yield {
        name: `${number}`,
        picture: () => photograph(bytes),
        words: JSON.parse(words.get(path) ?? '{}'),
      };
    }
  };
}
