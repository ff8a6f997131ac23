/** From places of pictures to the pixels of a batch: read, decode to a square, look at random views. */
import { readFile } from 'node:fs/promises';
import { EidosError } from '../../errors.ts';
import { writeNormalised } from '../../image/normalise.ts';
import { imageSquares, tablesOf } from '../../image/preprocess.ts';
import type { Square } from '../../image/resize.ts';
import { cutTiles } from '../../image/tiles.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../models/preprocessing.ts';
import { pictureNumbers } from '../../models/sides.ts';
import { type SquarePicture, type ViewSettings, writeRandomView } from './augment.ts';
import { randomAt } from './chance.ts';
import { createPartReader, type PicturePlace } from './places.ts';
import type { View } from './views.ts';

/** A picture that is wanted, with the views that become rows one after the other. */
export interface PixelRequest {
  place: PicturePlace;
  /** By which messages call it. */
  name: string;
  views: readonly ViewRequest[];
}

export type ViewRequest =
  /** As the model is shown pictures when it is used. */
  | 'whole'
  | {
      /** What the view follows from. */
      seed: number;
      /** A rectangle as shares of the side, in place of a random one. */
      crop?: Omit<View, 'mirrored'>;
    };

export interface PixelSettings extends ViewSettings {
  preprocessing: ImagePreprocessing;
  /** Side of the square that a picture becomes before a view is taken. */
  side: number;
}

/** Pixels [views of all requests, 3, size, size], with the requests that could not be read: their rows are zeros. */
export interface PixelAnswer {
  data: Float32Array<ArrayBuffer>;
  broken: { request: number; reason: string }[];
}

/** Reads pictures; whoever made one closes it. */
export interface SquareReader {
  /** @throws EidosError `not_found`, `invalid_image`, `image_too_large` */
  read(place: PicturePlace, name: string, side: number): Promise<SquarePicture>;
  /** The picture as the model is shown it, and the square for random views where a side is given. @throws as read does */
  readWhole(
    place: PicturePlace,
    name: string,
    preprocessing: ImagePreprocessing,
    side: number | undefined,
  ): Promise<{ whole: Square; square: SquarePicture | undefined }>;
  close(): Promise<void>;
}

/** Pictures that are decoded at the same time. */
const atOnce = 4;

export function createSquareReader(): SquareReader {
  const parts = createPartReader();
  let sheet: { path: string; tiles: ReturnType<typeof cutTiles> } | undefined;
  /** What lies there: a square that is decoded already, or a file's path or bytes. */
  const find = async (place: PicturePlace): Promise<SquarePicture | Uint8Array | string> => {
    switch (place.kind) {
      case 'square':
        return { side: place.side, data: await parts.read({ ...place, length: place.side ** 2 * 3 }) };
      case 'tile': {
        if (sheet?.path !== place.path) sheet = { path: place.path, tiles: readSheet(place) };
        const { data, channels } = (await sheet.tiles)[place.tile]!;
        return { side: place.side, data: toRgb(data, channels) };
      }
      case 'part':
        return await parts.read(place);
      case 'file':
        return place.path;
    }
  };
  return {
    async read(place, name, side) {
      const found = await find(place);
      if (isSquare(found)) return found;
      const [square] = await imageSquares(found, [centreSquare(side)], { resize: 'fast' }, name);
      return toSquarePicture(square!, side, name);
    },
    async readWhole(place, name, preprocessing, side) {
      const found = await find(place);
      if (isSquare(found)) {
        const pixels = { data: found.data, width: found.side, height: found.side, channels: 3 as const };
        const [whole] = await imageSquares(pixels, [preprocessing], {}, name);
        return { whole: whole!, square: found };
      }
      const wanted = [preprocessing, ...(side === undefined ? [] : [centreSquare(side)])];
      const [whole, square] = await imageSquares(found, wanted, { resize: 'fast' }, name);
      return {
        whole: whole!,
        square: side === undefined ? undefined : toSquarePicture(square!, side, name),
      };
    },
    close: () => parts.close(),
  };
}

function isSquare(found: SquarePicture | Uint8Array | string): found is SquarePicture {
  return typeof found === 'object' && 'side' in found;
}

/** Reads the pictures of a batch, or a part of it. */
export async function readPixels(
  reader: SquareReader,
  requests: readonly PixelRequest[],
  settings: PixelSettings,
): Promise<PixelAnswer> {
  const { preprocessing } = settings;
  const length = pictureNumbers(preprocessing.size);
  const firstRows: number[] = [];
  let rows = 0;
  for (const { views } of requests) {
    firstRows.push(rows);
    rows += views.length;
  }
  const data = new Float32Array(rows * length);
  const broken: PixelAnswer['broken'] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < requests.length) {
      const request = next++;
      try {
        await writeViews(reader, requests[request]!, settings, data, firstRows[request]! * length);
      } catch (error) {
        if (!(error instanceof EidosError) || error.code === 'closed') throw error;
        broken.push({ request, reason: error.message });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return { data, broken: broken.sort((one, other) => one.request - other.request) };
}

/** Writes all views of a picture, each [3, size, size], one after the other. */
async function writeViews(
  reader: SquareReader,
  { place, name, views }: PixelRequest,
  settings: PixelSettings,
  target: Float32Array,
  offset: number,
): Promise<void> {
  const { preprocessing, side } = settings;
  const random = views.some((view) => view !== 'whole');
  const { whole, square } = views.includes('whole')
    ? await reader.readWhole(place, name, preprocessing, random ? side : undefined)
    : { whole: undefined, square: await reader.read(place, name, side) };
  for (const [at, view] of views.entries()) {
    const start = offset + at * pictureNumbers(preprocessing.size);
    if (view === 'whole') {
      writeNormalised(whole!, preprocessing.size, tablesOf(preprocessing), target, start);
    } else {
      writeRandomView(
        square!,
        settings,
        randomAt(view.seed),
        target,
        start,
        inPixels(view.crop, square!.side),
      );
    }
  }
}

/** A crop given as shares of the side. */
function inPixels(crop: Omit<View, 'mirrored'> | undefined, side: number): typeof crop {
  if (crop === undefined) return undefined;
  const { left, top, width, height } = crop;
  return { left: left * side, top: top * side, width: width * side, height: height * side };
}

async function readSheet(place: Extract<PicturePlace, { kind: 'tile' }>) {
  const bytes = await readFile(place.path).catch((cause: Error) => {
    throw new EidosError('not_found', `The sheet ${place.path} cannot be read: ${cause.message}.`, { cause });
  });
  return await cutTiles(bytes, place, place.path);
}

/** Brings the short side to the square's and keeps the middle. */
function centreSquare(side: number): ImagePreprocessing {
  return { ...clipPreprocessing, size: side };
}

function toSquarePicture(
  { data, channels, width, height }: Square,
  side: number,
  name: string,
): SquarePicture {
  if (width !== side || height !== side) {
    throw new EidosError(
      'invalid_image',
      `${name} became ${width} × ${height} instead of ${side} × ${side}.`,
    );
  }
  return { side, data: toRgb(data, channels) };
}

/** Three channels of one or three. */
function toRgb(data: Uint8Array | Uint8ClampedArray, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.length);
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let pixel = 0, from = 0; from < data.length; pixel++, from += channels) {
    for (let channel = 0; channel < 3; channel++) {
      rgb[pixel * 3 + channel] = data[channels === 1 ? from : from + channel]!;
    }
  }
  return rgb;
}
