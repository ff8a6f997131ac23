/** Data sets by their folder, whose content tells in which form they lie there. */
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { EidosError } from '../errors.ts';
import type { Dataset, DatasetForm, DatasetSelection } from './dataset.ts';
import { classFolders } from './forms/class-folders.ts';
import type { DatasetFormReader } from './forms/form.ts';
import { indexFile } from './forms/index-file.ts';
import { tileSheets } from './forms/tile-sheets.ts';

/** Every form; they are tried in this order, since folders of classes may lie beside an index. */
const forms: { readonly [Form in DatasetForm]: DatasetFormReader } = {
  index_file: indexFile,
  tile_sheets: tileSheets,
  class_folders: classFolders,
};

/**
 * Opens a part of a data set: reads its index, but no picture yet.
 * @throws EidosError `not_found` for a folder or part that is not there, `invalid_option` for a folder of no known form,
 * for a malformed index, and for a selection that leaves nothing
 */
export async function openDataset(folder: string, selection: DatasetSelection = {}): Promise<Dataset> {
  const status = await stat(folder).catch(() => undefined);
  if (!status?.isDirectory()) {
    throw new EidosError(
      'not_found',
      `The data set ${folder} is ${status === undefined ? 'not there' : 'no folder'}.`,
    );
  }
  for (const [form, reader] of Object.entries(forms) as [DatasetForm, DatasetFormReader][]) {
    if (!(await reader.recognise(folder))) continue;
    const { where = {} } = selection;
    const dataset: Dataset = {
      name: basename(resolve(folder)),
      form,
      ...(Object.keys(where).length === 0 ? {} : { where }),
      ...(await reader.open(folder, selection)),
    };
    if (dataset.size > 0) return dataset;
    throw new EidosError('invalid_option', `Nothing of ${folder} is left to measure in "${dataset.split}".`);
  }
  const known = Object.values(forms).map(({ description }) => description);
  throw new EidosError(
    'invalid_option',
    `${folder} is no data set that eidos knows: it needs ${known.join(', or ')}.`,
  );
}
