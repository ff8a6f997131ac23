/** Class folders, as evaluation reads them: a folder a class, with or without a folder for each part above them. */
import { readdir } from 'node:fs/promises';
import { classFolders as evaluatedFolders } from '../../../evaluate/forms/class-folders.ts';
import { openDataset } from '../../../evaluate/open.ts';
import { splitNames } from '../../../evaluate/splits.ts';
import { chooseTrainingSplit } from '../splits.ts';
import type { FormReader, FoundPicture } from './form.ts';

export const classFolders: FormReader = {
  description: evaluatedFolders.description,

  recognise: (path) => evaluatedFolders.recognise(path).catch(() => false),

  async find({ paths, split: wanted }) {
    const pictures: FoundPicture[] = [];
    for (const folder of paths) {
      const { classes, samples } = await openDataset(folder, { split: await chooseSplit(folder, wanted) });
      for await (const { name, image, label } of samples()) {
        pictures.push({
          name: `${name} in ${folder}`,
          place: { kind: 'file', path: image as string },
          captions: {},
          label: classes[label!]!.key,
          row: pictures.length,
        });
      }
    }
    return { pictures, broken: [] };
  },
};

/** Folders are parts where all of them are named like parts. */
async function chooseSplit(folder: string, wanted: string | undefined): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const areParts = names.every((name) => (splitNames as readonly string[]).includes(name));
  return chooseTrainingSplit(wanted, areParts ? names : [], folder);
}
