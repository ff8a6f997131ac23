/** One picture from its source to a normalised tensor: read, decode, resize, convert, normalise. */
import { EidosError } from '../errors.ts';
import type { ImagePreprocessing } from '../models/preprocessing.ts';
import { pictureNumbers } from '../models/sides.ts';
import { type DecodedPicture, type DecodeOptions, decodeImage } from './decode.ts';
import { resizeFast } from './fast.ts';
import { type ChannelTables, channelTables, writeNormalised } from './normalise.ts';
import { resizeExact, type Square } from './resize.ts';
import {
  type ImageSource,
  imageLabel,
  isRawPixels,
  readSource,
  type SourceOptions,
  throwIfAborted,
} from './source.ts';

export interface PreprocessOptions extends SourceOptions, DecodeOptions {
  /**
   * - `exact`: the pixels that Pillow computes, to the bit. Every pixel of the original counts, so huge JPEGs
   *   are decoded in full.
   * - `fast`: JPEGs of at least twice the wanted size are decoded at a fraction of it and resized by sharp. On
   *   the reference pictures where that changes anything, values differ by 0.5 of 255 on average and 15 at
   *   most; a photograph of 12 megapixels takes less than half the time. All others are resized exactly.
   * @default 'exact'
   */
  resize?: 'exact' | 'fast' | undefined;
  /** Told of a picture that was decoded in full, before it is resized: what else is to be known of its pixels. */
  onDecoded?: ((picture: DecodedPicture, label: string) => void) | undefined;
}

/**
 * Preprocesses a picture.
 * @param target written at `offset` (in floats) where it is given; otherwise a new array of 3 · height · width
 * @returns target, holding [3, height, width] at `offset`
 * @throws EidosError `not_found`, `invalid_image`, `image_too_large`, `offline`, `download_failed`, `aborted`,
 * `invalid_option`
 */
export async function preprocessImage(
  source: ImageSource,
  preprocessing: ImagePreprocessing,
  options: PreprocessOptions = {},
  target: Float32Array = new Float32Array(pictureNumbers(preprocessing.size)),
  offset = 0,
): Promise<Float32Array> {
  const end = offset + pictureNumbers(preprocessing.size);
  if (!Number.isInteger(offset) || offset < 0 || end > target.length) {
    throw new EidosError(
      'invalid_option',
      `The target has ${target.length} floats: ${end} are needed from offset ${offset} on.`,
    );
  }
  const square = await imageSquare(source, preprocessing, options);
  writeNormalised(square, preprocessing.size, tablesOf(preprocessing), target, offset);
  return target;
}

/** The picture in 8 bits, before normalisation. */
export async function imageSquare(
  source: ImageSource,
  preprocessing: ImagePreprocessing,
  options: PreprocessOptions = {},
  label: string = imageLabel(source),
): Promise<Square> {
  const [square] = await imageSquares(source, [preprocessing], options, label);
  return square!;
}

/** The same picture prepared in several ways, read once and, but for fast ways, decoded once. */
export async function imageSquares(
  source: ImageSource,
  preprocessings: readonly ImagePreprocessing[],
  options: PreprocessOptions = {},
  label: string = imageLabel(source),
): Promise<Square[]> {
  const input = await readSource(source, options, label);
  const squares: Square[] = [];
  let picture: DecodedPicture | undefined;
  for (const preprocessing of preprocessings) {
    if (options.resize === 'fast' && !isRawPixels(input)) {
      const square = await resizeFast(input, preprocessing, options, label);
      throwIfAborted(options.signal, label);
      if (square) {
        squares.push(square);
        continue;
      }
    }
    if (picture === undefined) {
      picture = await decodeImage(input, options, label);
      options.onDecoded?.(picture, label);
    }
    throwIfAborted(options.signal, label);
    squares.push(resizeExact(picture, preprocessing));
  }
  return squares;
}

const cachedTables = new WeakMap<ImagePreprocessing, ChannelTables>();

/** Tables are made once per model, not per picture. */
export function tablesOf(preprocessing: ImagePreprocessing): ChannelTables {
  let tables = cachedTables.get(preprocessing);
  if (!tables) {
    tables = channelTables(preprocessing);
    cachedTables.set(preprocessing, tables);
  }
  return tables;
}
