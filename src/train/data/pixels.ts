/** From places of pictures to the pixels of a batch: read, decode to a square, look at a random view. */
import { readFile } from 'node:fs/promises';
import { EidosError } from '../../errors.ts';
import { imageSquare } from '../../image/preprocess.ts';
import { cutTiles } from '../../image/tiles.ts';
import { clipPreprocessing } from '../../models/preprocessing.ts';
import { type SquarePicture, type ViewSettings, writeRandomView } from './augment.ts';
import { randomAt } from './chance.ts';
import { createPartReader, type PicturePlace } from './places.ts';
import type { View } from './views.ts';

/** A picture that is wanted, in a row of the batch. */
export interface PixelRequest {
  place: PicturePlace;
  /** By which messages call it. */
  name: string;
  /** What its view follows from. */
  seed: number;
  /** A rectangle as shares of the side, in place of a random one. */
  crop?: Omit<View, 'mirrored'>;
}

export interface PixelSettings extends ViewSettings {
  /** Side of the square that a picture becomes before a view is taken. */
  side: number;
}

/** Pixels [requests, 3, size, size], with what could not be read: its row is zeros. */
export interface PixelAnswer {
  data: Float32Array<ArrayBuffer>;
  broken: { row: number; reason: string }[];
}

/** Reads pictures; whoever made one closes it. */
export interface SquareReader {
  /** @throws EidosError `not_found`, `invalid_image`, `image_too_large` */
  read(place: PicturePlace, name: string, side: number): Promise<SquarePicture>;
  close(): Promise<void>;
}

/** Pictures that are decoded at the same time. */
const atOnce = 4;

export function createSquareReader(): SquareReader {
  const parts = createPartReader();
  let sheet: { path: string; tiles: ReturnType<typeof cutTiles> } | undefined;
  return {
    async read(place, name, side) {
      switch (place.kind) {
        case 'square': {
          const data = await parts.read({ ...place, length: place.side ** 2 * 3 });
          return { side: place.side, data };
        }
        case 'tile': {
          if (sheet?.path !== place.path) sheet = { path: place.path, tiles: readSheet(place) };
          const { data, channels } = (await sheet.tiles)[place.tile]!;
          return { side: place.side, data: toRgb(data, channels) };
        }
        case 'part':
          return await decodeSquare(await parts.read(place), name, side);
        case 'file':
          return await decodeSquare(place.path, name, side);
      }
    },
    close: () => parts.close(),
  };
}

/** Reads the pictures of a batch, or a part of it. */
export async function readPixels(
  reader: SquareReader,
  requests: readonly PixelRequest[],
  settings: PixelSettings,
): Promise<PixelAnswer> {
  const length = 3 * settings.preprocessing.size ** 2;
  const data = new Float32Array(requests.length * length);
  const broken: PixelAnswer['broken'] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < requests.length) {
      const row = next++;
      const { place, name, seed, crop } = requests[row]!;
      try {
        const picture = await reader.read(place, name, settings.side);
        const { side } = picture;
        const scaled = crop && {
          left: crop.left * side,
          top: crop.top * side,
          width: crop.width * side,
          height: crop.height * side,
        };
        writeRandomView(picture, settings, randomAt(seed), data, row * length, scaled);
      } catch (error) {
        if (!(error instanceof EidosError) || error.code === 'closed') throw error;
        broken.push({ row, reason: error.message });
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return { data, broken: broken.sort((one, other) => one.row - other.row) };
}

async function readSheet(place: Extract<PicturePlace, { kind: 'tile' }>) {
  const bytes = await readFile(place.path).catch((cause: Error) => {
    throw new EidosError('not_found', `The sheet ${place.path} cannot be read: ${cause.message}.`, { cause });
  });
  return await cutTiles(bytes, place, place.path);
}

/** Decodes a picture, brings its short side to the square's and keeps the middle. */
async function decodeSquare(source: string | Uint8Array, name: string, side: number): Promise<SquarePicture> {
  const square = await imageSquare(source, { ...clipPreprocessing, size: side }, { resize: 'fast' }, name);
  const { data, channels, width, height } = square;
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
