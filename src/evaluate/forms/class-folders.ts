/**
 * Class folders: a folder a class with pictures in it, `SET/CLASS/…/picture.jpg`, or the same below a folder for each
 * part, `SET/test/CLASS/…/picture.jpg`.
 */
import { relative, sep } from 'node:path';
import { expandImagePaths, picturesOfSet } from '../../image/paths.ts';
import type { DatasetClass, Sample } from '../dataset.ts';
import { chooseSplit, isInSplit, readExclusions, splitNames } from '../splits.ts';
import { wordsOfFolders } from './folder-names.ts';
import { type DatasetFormReader, refuseFields } from './form.ts';

interface Place {
  path: string;
  part: string | undefined;
  className: string;
  /** Below the part's folder, as a list of exclusions names it. */
  file: string;
}

export const classFolders: DatasetFormReader = {
  description: 'a folder of pictures for each class',

  async recognise(folder) {
    return placesOf(folder, (await expandImagePaths([folder])).paths).length > 0;
  },

  async open(folder, { split: wanted, where }) {
    refuseFields(folder, where);
    const places = placesOf(folder, await picturesOfSet(folder));
    const parts = places.flatMap(({ part }) => (part === undefined ? [] : [part]));
    const split = chooseSplit(wanted, parts, folder);
    const names = [...new Set(places.map(({ className }) => className))].sort();
    const words = wordsOfFolders(names);
    const classes: DatasetClass[] = names.map((key, index) => ({ key, words: words[index]! }));
    const exclusions = await readExclusions(folder);
    const chosen = places.filter(
      ({ part, file }) => isInSplit(part, split) && !exclusions.excludes(part, file),
    );
    const labels = new Map(names.map((name, index) => [name, index]));
    return {
      split,
      classes,
      captionLanguages: [],
      size: chosen.length,
      excluded: exclusions.counts(),
      async *samples(): AsyncGenerator<Sample> {
        for (const { path, className } of chosen) {
          yield {
            name: relative(folder, path),
            image: path,
            label: labels.get(className)!,
            captions: {},
          };
        }
      },
    };
  },
};

/**
 * The parts that the folder has pictures in; none where its folders are classes.
 * @throws EidosError `not_found` where a folder in it cannot be looked into
 */
export async function partsOfClassFolders(folder: string): Promise<string[]> {
  const parts = placesOf(folder, await picturesOfSet(folder)).flatMap(({ part }) =>
    part === undefined ? [] : [part],
  );
  return [...new Set(parts)];
}

function placesOf(folder: string, paths: readonly string[]): Place[] {
  const found = paths.map((path) => ({ path, steps: relative(folder, path).split(sep) }));
  // One folder named otherwise, and they are classes: a set of vehicles may well have a class "train".
  const hasParts = found.every(
    ({ steps }) => steps.length > 2 && (splitNames as readonly string[]).includes(steps[0]!),
  );
  return found
    .filter(({ steps }) => steps.length > 1)
    .map(({ path, steps }) => {
      const [part, className] = hasParts ? [steps[0]!, steps[1]!] : [undefined, steps[0]!];
      return { path, part, className, file: steps.slice(hasParts ? 1 : 0).join('/') };
    });
}
