/** Which pictures of a training are near one another: an order of all of them, from what is known of each. */
import { join } from 'node:path';
import { defaultCacheFolder } from '../../../engine/cache-folder.ts';
import { EidosError } from '../../../errors.ts';
import { askCommand } from '../sentences/text-command.ts';
import { createTextList } from '../sentences/text-list.ts';
import { createVectorReader } from '../sentences/vectors.ts';
import type { SourcePicture } from '../source.ts';
import { createFeatureReader } from '../teacher/features.ts';
import type { TrainingData } from '../training-data.ts';
import type { HardBatchesConfig } from './config.ts';
import { neighbourOrder } from './neighbour-order.ts';
import { createRowFolder, type RowFolder } from './picture-rows.ts';

export interface NearnessOptions {
  by: HardBatchesConfig['by'];
  signal?: AbortSignal | undefined;
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * For each source the place of each picture in an order of all, in which near places are near pictures. Takes seconds for
 * a hundred thousand. Of pictures that nothing is known of, the last ones, those of one source stand together.
 * @throws EidosError `invalid_option` where nothing tells, and what asking a command throws
 */
export async function placesOfPictures(data: TrainingData, options: NearnessOptions): Promise<Uint32Array[]> {
  const folder = await rowsOf(data, options);
  const { rows, width } = folder.finish();
  const places = neighbourOrder(rows, width);
  let end = 0;
  return data.sources.map(({ pictures }) => {
    const start = end;
    end += pictures.length;
    return places.subarray(start, end);
  });
}

async function rowsOf(data: TrainingData, options: NearnessOptions): Promise<RowFolder> {
  if (options.by === 'captions') return rowsOfCaptions(data, options);
  if (data.imageFeatures !== undefined) return rowsOfTower(data, data.imageFeatures);
  if (data.lessons !== undefined) return rowsOfTeacher(data, data.lessons);
  throw new EidosError(
    'invalid_option',
    'data.hardBatches: nothing tells which pictures are near one another: lock the image tower ("imageTower" of kind "features"), name a data.teacher, or say "by": "captions".',
  );
}

/** What a locked tower says of the whole picture. */
function rowsOfTower(
  { size, sources }: TrainingData,
  { width, sources: views }: NonNullable<TrainingData['imageFeatures']>,
): RowFolder {
  const folder = createRowFolder(size, width);
  const row = new Float32Array(width);
  let at = 0;
  for (const [source, { pictures }] of sources.entries()) {
    const { path, rows } = views[source]![0]!;
    const reader = createVectorReader({ path, type: 'float16', width, rows: rows.length, offset: 0 });
    try {
      for (const picture of pictures.keys()) {
        reader.write(rows[picture]!, row, 0);
        folder.add(at++, row);
      }
    } finally {
      reader.close();
    }
  }
  return folder;
}

/** What the teacher says of the whole picture; nothing of some sources. */
async function rowsOfTeacher(
  { size, sources }: TrainingData,
  { width, files, transform }: NonNullable<TrainingData['lessons']>,
): Promise<RowFolder> {
  const folder = createRowFolder(size, width);
  const reader = createFeatureReader(transform);
  const row = new Float32Array(width);
  try {
    let at = 0;
    for (const [source, { pictures }] of sources.entries()) {
      const file = files[source];
      for (const picture of pictures.keys()) {
        if (file !== undefined) {
          await reader.write(file, picture, 0, row, 0);
          folder.add(at, row);
        }
        at++;
      }
    }
  } finally {
    await reader.close();
  }
  return folder;
}

/** What the text teacher's command says of the first words for each picture. */
async function rowsOfCaptions(
  { size, sources, config }: TrainingData,
  { signal, onProgress }: NearnessOptions,
): Promise<RowFolder> {
  const { textTeacher, cache } = config;
  const { command, width, folder = '.' } = textTeacher ?? {};
  if (command === undefined || width === undefined) {
    throw new EidosError(
      'invalid_option',
      'data.hardBatches.by is "captions", and no data.textTeacher with a "command" and a "width" says what they mean.',
    );
  }
  const places = new Map<string, number>();
  const texts = createTextList('The captions');
  const rowOfPicture = sources
    .flatMap(({ pictures }) => pictures)
    .map((picture) => {
      const text = firstWords(picture);
      const known = places.get(text);
      if (known !== undefined) return known;
      texts.add(text);
      places.set(text, places.size);
      return places.size - 1;
    });
  const kept =
    textTeacher?.cache ?? (cache === undefined ? defaultCacheFolder('sentences') : join(cache, 'sentences'));
  const file = await askCommand(
    texts.finish(),
    { command, folder, width },
    { cache: kept, signal, onProgress },
  );
  const reader = createVectorReader(file);
  const rows = createRowFolder(size, width);
  const row = new Float32Array(width);
  try {
    for (const [picture, place] of rowOfPicture.entries()) {
      reader.write(place, row, 0);
      rows.add(picture, row);
    }
  } finally {
    reader.close();
  }
  return rows;
}

/** Its first caption, in English if there is one; otherwise what its class is called. */
function firstWords({ description: { captions, concepts } }: SourcePicture): string {
  const spoken = [captions.en, ...Object.values(captions)].find((all) => all !== undefined && all.length > 0);
  return spoken?.[0] ?? concepts[0]?.key ?? '';
}
