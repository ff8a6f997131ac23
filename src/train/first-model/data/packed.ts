/** Pictures of one size in one piece of memory, as training reads them again and again; kept in a file between runs. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EidosError } from '../../../errors.ts';
import { imageSquare } from '../../../image/preprocess.ts';
import { cutTiles } from '../../../image/tiles.ts';
import { clipPreprocessing } from '../../../models/preprocessing.ts';

/** Squares of RGB bytes, one after the other: [count, side, side, 3]. */
export interface PackedPictures {
  side: number;
  count: number;
  data: Uint8Array;
}

/** Makes room for so many squares. */
export function emptyPictures(count: number, side: number): PackedPictures {
  return { side, count, data: new Uint8Array(count * side * side * 3) };
}

/** Decodes a picture, brings its short side to the square's and keeps the middle. */
export async function packPicture(pictures: PackedPictures, at: number, bytes: Uint8Array): Promise<void> {
  const { side, data } = pictures;
  const square = await imageSquare(bytes, { ...clipPreprocessing, size: side }, { resize: 'fast' });
  const { channels, width, height } = square;
  if (width !== side || height !== side) {
    throw new EidosError(
      'invalid_image',
      `A picture became ${width} × ${height} instead of ${side} × ${side}.`,
    );
  }
  const start = at * side * side * 3;
  for (let pixel = 0; pixel < side * side; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      data[start + pixel * 3 + channel] = square.data[pixel * channels + (channels === 1 ? 0 : channel)]!;
    }
  }
}

/**
 * Cuts a sheet of equal tiles, row by row from the top left, and packs its first tiles from `at` on.
 * @throws EidosError `invalid_image` where the sheet has another width or too few rows.
 */
export async function packTiles(
  pictures: PackedPictures,
  at: number,
  sheet: Uint8Array,
  { columns, tiles, label }: { columns: number; tiles: number; label: string },
): Promise<void> {
  const { side } = pictures;
  const cut = await cutTiles(sheet, { side, columns, tiles }, label);
  for (const [tile, { data, channels }] of cut.entries()) {
    if (channels !== 3) {
      throw new EidosError('invalid_image', `${label} has ${channels} channels; training reads RGB sheets.`);
    }
    pictures.data.set(data, (at + tile) * side * side * 3);
  }
}

/** Reads the pictures from the cache folder, or makes them and writes them there; the name tells what they are. */
export async function cachedPictures(
  folder: string,
  name: string,
  expected: { count: number; side: number },
  make: () => Promise<PackedPictures>,
): Promise<PackedPictures> {
  const { count, side } = expected;
  const path = join(folder, `${name}-${count}x${side}.u8`);
  try {
    const data = new Uint8Array(await readFile(path));
    if (data.length === count * side * side * 3) return { side, count, data };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const pictures = await make();
  await mkdir(folder, { recursive: true });
  await writeFile(`${path}.part`, pictures.data);
  await rename(`${path}.part`, path);
  return pictures;
}
