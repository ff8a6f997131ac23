/**
 * From the bytes of a file to pixels, in the values the file stores them in, as a person sees them: transparent pictures
 * lie on white, and 16-bit grey and colour lose their low byte. Else colours come out as Pillow reads them: colour
 * profiles and gamma are ignored, only the first frame counts.
 */
import type { Metadata, Sharp } from 'sharp';
import { EidosError } from '../errors.ts';
import { type PictureHeader, type PixelMode, readHeader } from './header.ts';
import { isRawPixels, type RawPixels } from './source.ts';
import { requirePlainNumbers } from './tiff.ts';

export interface DecodeOptions {
  /**
   * Whether the orientation that cameras note in EXIF is applied. The original preprocessing of CLIP ignores
   * it, so that pictures lie on their side: `ignore` is for comparisons with it.
   * @default 'apply'
   */
  orientation?: 'apply' | 'ignore' | undefined;
  /**
   * - `seen`: transparent pictures lie on white, 16-bit grey is read by its high byte.
   * - `stored`: as Pillow converts to RGB, which the original preprocessing does: the colour that lies under transparent
   *   pixels, often black, and 16-bit grey cut off at 255, so that nearly all is white. For comparisons with it.
   * @default 'seen'
   */
  appearance?: 'seen' | 'stored' | undefined;
  /** The largest picture that is decoded, in pixels. @default 250,000,000 */
  maxPixels?: number | undefined;
}

/** Telephones make up to 200 megapixels, which are 600 MB once decoded to RGB. */
export const defaultMaxPixels = 250_000_000;

/** Longer strips are no pictures, and the memory for resizing them grows with their length alone. */
const largestSide = 200_000;

/** Pixels in their stored values: one channel for grey modes, three for RGB and palettes, four otherwise. */
export interface DecodedPicture {
  /** Rows from the top, channels interleaved; 16 bits only in the mode `grey16`. */
  data: Uint8Array | Uint16Array;
  width: number;
  height: number;
  mode: PixelMode;
  /** Red, green, blue of each colour, where the mode is `palette` and the file says so. */
  palette?: Uint8Array;
}

/** Channels of `DecodedPicture.data`. */
export const channelsOfMode: { readonly [Mode in PixelMode]: 1 | 3 | 4 } = {
  grey: 1,
  bilevel: 1,
  grey16: 1,
  rgb: 3,
  palette: 3,
  rgb_alpha: 4,
  cmyk: 4,
};

/**
 * Decodes a picture. Files that end too early are an error; damage that a decoder can pass over is not.
 * @param label names the picture in errors
 * @throws EidosError `invalid_image`, `image_too_large`
 */
export async function decodeImage(
  input: Uint8Array | RawPixels,
  options: DecodeOptions = {},
  label = 'the picture',
): Promise<DecodedPicture> {
  const maxPixels = options.maxPixels ?? defaultMaxPixels;
  const isSeen = (options.appearance ?? 'seen') === 'seen';
  if (isRawPixels(input)) {
    const picture = fromRawPixels(input, maxPixels, label);
    return isSeen && picture.mode === 'rgb_alpha' ? onWhite(picture) : picture;
  }
  const header = readHeader(input, label);
  if (header.format === 'tiff') requirePlainNumbers(input, label);
  const decoder = await openDecoder(input, header, options, label);
  try {
    const stored = header.mode ?? (header.format === 'tiff' ? tiffMode(await decoder.metadata()) : undefined);
    const mode = isSeen ? await seenMode(stored, decoder) : stored;
    const { data, info } = await inMode(
      isSeen ? decoder.flatten({ background: '#fff' }) : decoder,
      mode,
    ).toBuffer({
      resolveWithObject: true,
    });
    checkSides(info.width, info.height, maxPixels, label);
    if (isSeen && mode === 'grey16' && info.channels === 1) {
      const wide = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
      return { data: highBytes(wide), width: info.width, height: info.height, mode: 'grey' };
    }
    const fits = mode !== undefined && channelsOfMode[mode] === info.channels;
    const picture: DecodedPicture = {
      data:
        mode === 'grey16' && fits
          ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2)
          : bytesOf(data),
      width: info.width,
      height: info.height,
      mode: fits ? mode : modeOfChannels(info.channels, label),
    };
    if (header.palette) picture.palette = header.palette;
    if (header.frame && !isSeen) paintOutside(picture, header.frame);
    return picture;
  } catch (cause) {
    throw decodingError(cause, label, maxPixels);
  }
}

/**
 * The picture as sharp's pipeline before any output is asked for. sharp is loaded here, at the first picture,
 * because a program that only prints its help should not wait for it.
 */
export async function openDecoder(
  bytes: Uint8Array,
  header: PictureHeader,
  options: DecodeOptions,
  label: string,
): Promise<Sharp> {
  const sharp = await loadSharp();
  try {
    return sharp(options.appearance === 'stored' ? withoutTransparency(bytes, header) : bytes, {
      failOn: 'truncated',
      limitInputPixels: options.maxPixels ?? defaultMaxPixels,
      ignoreIcc: true,
      autoOrient: (options.orientation ?? 'apply') === 'apply',
    });
  } catch (cause) {
    throw decodingError(cause, label, options.maxPixels ?? defaultMaxPixels);
  }
}

type SharpConstructor = typeof import('sharp').default;

let loadedSharp: Promise<SharpConstructor> | undefined;

/** One thread a picture, since many pictures are decoded at once; no cache, since none is decoded twice. */
export function loadSharp(): Promise<SharpConstructor> {
  loadedSharp ??= import('sharp').then(({ default: sharp }) => {
    sharp.concurrency(1);
    sharp.cache(false);
    return sharp;
  });
  return loadedSharp;
}

/** Asks sharp for the stored values instead of its default, colour-managed sRGB. */
function inMode(decoder: Sharp, mode: PixelMode | undefined): Sharp {
  switch (mode) {
    case undefined:
    case 'rgb_alpha':
      return decoder.raw();
    case 'rgb':
    case 'palette':
      return decoder.removeAlpha().raw();
    case 'grey':
    case 'bilevel':
      return decoder.removeAlpha().toColourspace('b-w').raw();
    case 'grey16':
      return decoder.removeAlpha().toColourspace('grey16').raw({ depth: 'ushort' });
    case 'cmyk':
      return decoder.pipelineColourspace('cmyk').toColourspace('cmyk').raw();
  }
}

/** How pixels are read once what is transparent lies on white: colours of a palette are mixed with it, and are RGB. */
async function seenMode(stored: PixelMode | undefined, decoder: Sharp): Promise<PixelMode | undefined> {
  if (stored === 'rgb_alpha') return undefined;
  return stored === 'palette' && (await decoder.metadata()).hasAlpha ? 'rgb' : stored;
}

function tiffMode(metadata: Metadata): PixelMode {
  if (metadata.space === 'cmyk') return 'cmyk';
  if (metadata.hasAlpha) return 'rgb_alpha';
  if (metadata.space === 'grey16') return 'grey16';
  return metadata.channels === 1 ? 'grey' : 'rgb';
}

/** For files whose header leaves open, or says wrongly, what the decoder finds in them. */
function modeOfChannels(channels: number, label: string): PixelMode {
  switch (channels) {
    case 1:
      return 'grey';
    case 3:
      return 'rgb';
    case 4:
      return 'rgb_alpha';
    default:
      throw new EidosError('invalid_image', `${label} has ${channels} channels: 1, 3 and 4 can be read.`);
  }
}

/** GIF decoders make transparent pixels black; in CLIP's preprocessing they keep their colour. */
function withoutTransparency(bytes: Uint8Array, header: PictureHeader): Uint8Array {
  if (header.transparencyFlag === undefined) return bytes;
  const copy = bytes.slice();
  copy[header.transparencyFlag]! &= 0xfe;
  return copy;
}

/** Fills what the first frame of a GIF leaves uncovered, as Pillow does. */
function paintOutside(picture: DecodedPicture, frame: NonNullable<PictureHeader['frame']>): void {
  const { data, width, height } = picture;
  const right = frame.left + frame.width;
  const bottom = frame.top + frame.height;
  if (frame.left === 0 && frame.top === 0 && right >= width && bottom >= height) return;
  const channels = channelsOfMode[picture.mode];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (y >= frame.top && y < bottom && x >= frame.left && x < right) continue;
      for (let c = 0; c < channels; c++) data[(y * width + x) * channels + c] = frame.outside[c]!;
    }
  }
}

/** Checks raw pixels and spreads grey with alpha over four channels; the caller's array is never written to. */
function fromRawPixels(pixels: RawPixels, maxPixels: number, label: string): DecodedPicture {
  const { data, width, height, channels } = pixels;
  if (!(data instanceof Uint8Array || data instanceof Uint8ClampedArray)) {
    throw new EidosError('invalid_image', `${label}: the data of raw pixels must be a Uint8Array.`);
  }
  if (![width, height].every((side) => Number.isInteger(side) && side > 0)) {
    throw new EidosError('invalid_image', `${label}: width and height must be whole numbers above 0.`);
  }
  checkSides(width, height, maxPixels, label);
  if (![1, 2, 3, 4].includes(channels) || data.length !== width * height * channels) {
    throw new EidosError(
      'invalid_image',
      `${label}: ${width}×${height} pixels with ${channels} channels do not fit the ${data.length} values given; channels may be 1, 2, 3 or 4.`,
    );
  }
  if (channels === 2) {
    const spread = new Uint8Array(width * height * 4);
    for (let i = 0; i < width * height; i++) {
      spread.fill(data[i * 2]!, i * 4, i * 4 + 3);
      spread[i * 4 + 3] = data[i * 2 + 1]!;
    }
    return { data: spread, width, height, mode: 'rgb_alpha' };
  }
  const mode = channels === 1 ? 'grey' : channels === 3 ? 'rgb' : 'rgb_alpha';
  return { data: bytesOf(data), width, height, mode };
}

/** [n, 4] laid on white, [n, 3]: alpha · colour + (1 − alpha) · white. */
function onWhite({ data, width, height }: DecodedPicture): DecodedPicture {
  const seen = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < seen.length; from += 4, to += 3) {
    const alpha = data[from + 3]!;
    for (let c = 0; c < 3; c++) {
      seen[to + c] = Math.round((alpha * data[from + c]! + (255 - alpha) * 255) / 255);
    }
  }
  return { data: seen, width, height, mode: 'rgb' };
}

/** 16 bits a pixel to 8. */
function highBytes(wide: Uint16Array): Uint8Array {
  return Uint8Array.from(wide, (value) => value >> 8);
}

/** One class for all pixels, so that the loops over them are compiled once. */
function bytesOf(data: Uint8Array | Uint8ClampedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}

/** Turns what sharp throws into the closed set of errors. */
export function decodingError(cause: unknown, label: string, maxPixels: number): EidosError {
  if (cause instanceof EidosError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (/pixel limit/i.test(reason)) return tooLarge(label, maxPixels, cause);
  const firstLine = reason.split('\n')[0]!.trim().replace(/[.:]$/, '');
  return new EidosError('invalid_image', `${label} is broken or cut off: ${firstLine}.`, { cause });
}

function checkSides(width: number, height: number, maxPixels: number, label: string): void {
  if (width * height > maxPixels) throw tooLarge(label, maxPixels);
  if (Math.max(width, height) > largestSide) {
    throw new EidosError(
      'image_too_large',
      `${label} is ${width}×${height}: no side may have more than ${largestSide} pixels, so cut it first.`,
    );
  }
}

function tooLarge(label: string, maxPixels: number, cause?: unknown): EidosError {
  return new EidosError(
    'image_too_large',
    `${label} has more than ${maxPixels} pixels: raise maxPixels if it is really meant.`,
    { cause },
  );
}
