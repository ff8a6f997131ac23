/**
 * A folder of pictures with their words in files of the same name beside them: `beach.jpg` and `beach.txt`. Folders in
 * it that are named after parts, such as `train` and `test`, are these parts.
 */
import { readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { expandImagePaths, picturesOfSet } from '../../../image/paths.ts';
import { keepTrainingSplit, partCalled } from '../splits.ts';
import type { BrokenSample, FormReader, FoundPicture } from './form.ts';
import { readSample, type SampleFiles } from './samples.ts';

export const captionFiles: FormReader = {
  description: 'a folder of pictures with a text file of the same name beside each (beach.jpg, beach.txt)',

  async recognise(path) {
    const files = await textFilesBelow(path);
    const { paths } = await expandImagePaths([path]);
    const pictures = byStem(below(path, paths));
    return files.some((file) => /\.(txt|caption)$/i.test(file) && textOf(file, pictures) !== undefined);
  },

  async find({ paths, split, languages }) {
    const pictures: FoundPicture[] = [];
    const broken: BrokenSample[] = [];
    for (const folder of paths) {
      const all = below(folder, await picturesOfSet(folder));
      const files = keepTrainingSplit(all, (file) => partCalled(file.split('/')[0]), split, folder);
      const stems = byStem(files);
      const samples = new Map(
        files.map((file): [string, SampleFiles] => {
          const path = join(folder, file);
          return [file, { name: path, picture: { kind: 'file', path }, texts: new Map() }];
        }),
      );
      for (const file of await textFilesBelow(folder)) {
        // Other text files in the folder are no captions.
        const text = textOf(file, stems);
        for (const picture of text?.pictures ?? []) {
          samples.get(picture)?.texts.set(text!.extension, () => readFile(join(folder, file)));
        }
      }
      for (const sample of samples.values()) {
        const found = await readSample(sample, pictures.length, languages);
        if ('reason' in found) broken.push(found);
        else pictures.push(found);
      }
    }
    return { pictures, broken };
  },
};

/** Paths as they go on below the folder, with slashes. */
function below(folder: string, paths: readonly string[]): string[] {
  return paths.map((path) => relative(folder, path).split(sep).join('/'));
}

/** Sorted; folders that cannot be looked into are passed over, as pictures in them are an error already. */
async function textFilesBelow(folder: string): Promise<string[]> {
  const { glob } = await import('tinyglobby');
  const files = await glob('**/*.{txt,caption,json,cls}', {
    cwd: folder,
    caseSensitiveMatch: false,
    expandDirectories: false,
  });
  return files.sort();
}

/** Pictures by their names without the extension: all that stands before the last dot, as in `2024.05.01 beach.jpg`. */
function byStem(pictures: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const stems = new Map<string, string[]>();
  for (const picture of pictures) {
    const stem = picture.replace(/\.[^./]+$/, '');
    stems.set(stem, [...(stems.get(stem) ?? []), picture]);
  }
  return stems;
}

/** The pictures that a text file stands beside, and what it is: `beach.txt` and `beach.de.txt` beside `beach.jpg`. */
function textOf(
  file: string,
  pictures: ReadonlyMap<string, readonly string[]>,
): { pictures: readonly string[]; extension: string } | undefined {
  const [, stem = '', extension = ''] = /^(.*)\.(txt|caption|json|cls)$/i.exec(file) ?? [];
  const own = pictures.get(stem);
  if (own !== undefined) return { pictures: own, extension: extension.toLowerCase() };
  const [, short = '', language = ''] = /^(.*)\.([a-z]{2,3})$/i.exec(stem) ?? [];
  const others = pictures.get(short);
  if (others === undefined) return undefined;
  return { pictures: others, extension: `${language}.${extension}`.toLowerCase() };
}
