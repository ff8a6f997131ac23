/** A folder of pictures with their words in files of the same name beside them: `beach.jpg` and `beach.txt`. */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { EidosError } from '../../../errors.ts';
import { expandImagePaths } from '../../../image/paths.ts';
import type { BrokenSample, FormReader, FoundPicture } from './form.ts';
import { isPartOfSample, readSample, type SampleFiles, splitSampleName } from './samples.ts';

export const captionFiles: FormReader = {
  description: 'a folder of pictures with a text file of the same name beside each (beach.jpg, beach.txt)',

  async recognise(path) {
    const files = await readdir(path, { recursive: true }).catch(() => []);
    const pictures = new Set((await picturesBelow(path)).map((file) => splitSampleName(file).key));
    return files
      .map((file) => file.split(sep).join('/'))
      .some((file) => /\.(txt|caption)$/i.test(file) && pictures.has(splitSampleName(file).key));
  },

  async find({ paths, split, languages }) {
    if (split !== undefined) {
      throw new EidosError(
        'invalid_option',
        `A folder of captioned pictures has no parts: leave out split "${split}".`,
      );
    }
    const pictures: FoundPicture[] = [];
    const broken: BrokenSample[] = [];
    for (const folder of paths) {
      const samples = new Map<string, SampleFiles>();
      for (const file of await picturesBelow(folder)) {
        const path = join(folder, file);
        const { key } = splitSampleName(file);
        samples.set(key, { name: path, picture: { kind: 'file', path }, texts: new Map() });
      }
      for (const entry of (await readdir(folder, { recursive: true })).sort()) {
        const file = entry.split(sep).join('/');
        const { key, extension } = splitSampleName(file);
        // Other text files in the folder are no captions.
        if (isPartOfSample(file)) samples.get(key)?.texts.set(extension, () => readFile(join(folder, entry)));
      }
      for (const sample of samples.values()) {
        for (const extension of sample.texts.keys()) {
          if (!/(txt|caption|json|cls)$/.test(extension)) sample.texts.delete(extension);
        }
        const found = await readSample(sample, pictures.length, languages);
        if ('reason' in found) broken.push(found);
        else pictures.push(found);
      }
    }
    return { pictures, broken };
  },
};

/** Paths below the folder, with slashes. */
async function picturesBelow(folder: string): Promise<string[]> {
  const { paths } = await expandImagePaths([folder]);
  return paths.map((path) => relative(folder, path).split(sep).join('/'));
}
