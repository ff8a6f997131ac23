/** Class folders, as evaluation reads them: a folder a class, with or without a folder for each part above them. */
import {
  classFolders as evaluatedFolders,
  partsOfClassFolders,
} from '../../../evaluate/forms/class-folders.ts';
import { openDataset } from '../../../evaluate/open.ts';
import { chooseTrainingSplit } from '../splits.ts';
import type { FormReader, FoundPicture } from './form.ts';

export const classFolders: FormReader = {
  description: evaluatedFolders.description,

  recognise: (path) => evaluatedFolders.recognise(path).catch(() => false),

  async find({ paths, split: wanted }) {
    const pictures: FoundPicture[] = [];
    for (const folder of paths) {
      const split = chooseTrainingSplit(wanted, await partsOfClassFolders(folder), folder);
      const { classes, samples } = await openDataset(folder, { split });
      for await (const { name, image, label } of samples()) {
        pictures.push({
          name: `${name} in ${folder}`,
          place: { kind: 'file', path: image as string },
          captions: {},
          label: classes[label!]!.key,
          labelWords: classes[label!]!.words,
          row: pictures.length,
        });
      }
    }
    return { pictures, broken: [] };
  },
};
