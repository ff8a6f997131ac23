/** Tile sheets, as evaluation reads them: `index.json` beside one sheet of equal tiles a class and part. */
import { join } from 'node:path';
import { tileSheets as evaluatedSheets, openSheets } from '../../../evaluate/forms/tile-sheets.ts';
import { chooseTrainingSplit } from '../splits.ts';
import type { BrokenSample, FormReader, FoundPicture } from './form.ts';

export const tileSheets: FormReader = {
  description: evaluatedSheets.description,

  recognise: (path) => evaluatedSheets.recognise(path),

  async find({ paths, split: wanted }) {
    const pictures: FoundPicture[] = [];
    const broken: BrokenSample[] = [];
    for (const folder of paths) {
      const { classes, sheets, side } = await openSheets(folder, (parts) =>
        chooseTrainingSplit(wanted, parts, folder),
      );
      for (const { label, name, path, tiles, columns, isWanted } of sheets) {
        const { key, words } = classes[label]!;
        for (let tile = 0; tile < tiles; tile++) {
          if (!isWanted[tile]) continue;
          const own = `${name}#${tile} in ${folder}`;
          if (path === undefined) {
            broken.push({ name: own, reason: `the sheet ${join(folder, name)} is not there` });
            continue;
          }
          pictures.push({
            name: own,
            place: { kind: 'tile', path, side, columns, tile, tiles },
            captions: {},
            label: key,
            labelWords: words,
            row: pictures.length,
          });
        }
      }
    }
    return { pictures, broken };
  },
};
