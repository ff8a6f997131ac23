/**
 * What the first bytes of a picture file say: its format, and how its pixels are stored. Extensions and MIME
 * types are never trusted, and formats that can refer to other files (SVG, PDF, …) do not exist here.
 */
import { EidosError } from '../errors.ts';

/** The raster formats that eidos reads. */
export type PictureFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'avif' | 'tiff';

/**
 * How a file stores its pixels. The order of resizing and conversion to RGB depends on it: palettes and
 * bilevel pictures can only be resized by the nearest neighbour before conversion, alpha weighs the colours
 * beside it, CMYK and 16-bit grey are resized in their own values.
 */
export type PixelMode = 'grey' | 'rgb' | 'rgb_alpha' | 'cmyk' | 'palette' | 'bilevel' | 'grey16';

/** The rectangle that the first frame of a GIF covers, and the colour around it. */
export interface GifFrame {
  left: number;
  top: number;
  width: number;
  height: number;
  outside: readonly [number, number, number];
}

export interface PictureHeader {
  format: PictureFormat;
  /** Undefined where only the decoder can tell (AVIF, TIFF). */
  mode: PixelMode | undefined;
  /** JPEG: the sides as they are stored, before any turning. */
  sides?: [width: number, height: number];
  /** Red, green, blue of each colour of a palette. */
  palette?: Uint8Array;
  /** GIF: where the first frame lies. */
  frame?: GifFrame;
  /** GIF: offset of the byte whose lowest bit marks a transparent colour, if it does so. */
  transparencyFlag?: number;
}

/** Formats in the words of an error message. */
export const readableFormats = 'JPEG, PNG, WebP, GIF, AVIF and TIFF';

/**
 * Recognises the format from the content.
 * @throws EidosError `invalid_image` if it is none of the readable formats; `label` names the picture there.
 */
export function readHeader(bytes: Uint8Array, label: string): PictureHeader {
  if (bytes.length === 0) throw new EidosError('invalid_image', `${label} is empty.`);
  if (startsWith(bytes, 0, [0xff, 0xd8, 0xff])) return jpegHeader(bytes);
  if (startsWith(bytes, 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return pngHeader(bytes);
  if (ascii(bytes, 0, 4) === 'RIFF' && ascii(bytes, 8, 4) === 'WEBP') {
    return { format: 'webp', mode: webpMode(bytes) };
  }
  if (/^GIF8[79]a$/.test(ascii(bytes, 0, 6))) return gifHeader(bytes);
  const byteOrder = ascii(bytes, 0, 4);
  if (['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(byteOrder)) return { format: 'tiff', mode: undefined };
  if (ascii(bytes, 4, 4) === 'ftyp' && mediaBrands(bytes).some((brand) => /^avi[fs]$/.test(brand))) {
    return { format: 'avif', mode: undefined };
  }
  const found = nameOfOther(bytes);
  throw new EidosError(
    'invalid_image',
    `${label} is ${found ?? 'not a picture that eidos knows'}: convert it to one of the formats that can be read, ${readableFormats}.`,
  );
}

/** CMYK and grey JPEG are told apart from colour by the number of components in the frame header. */
function jpegHeader(bytes: Uint8Array): PictureHeader {
  let at = 2;
  while (at + 9 < bytes.length) {
    if (bytes[at] !== 0xff) break;
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at += 1; // fill byte
      continue;
    }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at += 2; // markers without a length
      continue;
    }
    // SOF0 to SOF15, less DHT (c4), JPG (c8) and DAC (cc)
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      const components = bytes[at + 9];
      const mode = components === 1 ? 'grey' : components === 4 ? 'cmyk' : 'rgb';
      return { format: 'jpeg', mode, sides: [uint16(bytes, at + 7), uint16(bytes, at + 5)] };
    }
    at += 2 + uint16(bytes, at + 2);
  }
  return { format: 'jpeg', mode: 'rgb' };
}

function pngHeader(bytes: Uint8Array): PictureHeader {
  const depth = bytes[24];
  switch (bytes[25]) {
    case 0:
      return { format: 'png', mode: depth === 1 ? 'bilevel' : depth === 16 ? 'grey16' : 'grey' };
    case 3: {
      const palette = pngPalette(bytes);
      return palette ? { format: 'png', mode: 'palette', palette } : { format: 'png', mode: 'palette' };
    }
    case 4:
    case 6:
      return { format: 'png', mode: 'rgb_alpha' };
    default:
      return { format: 'png', mode: 'rgb' };
  }
}

function pngPalette(bytes: Uint8Array): Uint8Array | undefined {
  let at = 8;
  while (at + 8 <= bytes.length) {
    const length = uint16(bytes, at) * 65536 + uint16(bytes, at + 2);
    const name = ascii(bytes, at + 4, 4);
    if (name === 'PLTE') return bytes.subarray(at + 8, Math.min(at + 8 + length, bytes.length));
    if (name === 'IDAT') return undefined;
    at += 12 + length;
  }
  return undefined;
}

/** Each of the three kinds of WebP notes the use of alpha in another bit. */
function webpMode(bytes: Uint8Array): PixelMode {
  const kind = ascii(bytes, 12, 4);
  const alpha =
    (kind === 'VP8X' && (bytes[20]! & 0x10) !== 0) || (kind === 'VP8L' && (bytes[24]! & 0x10) !== 0);
  return alpha ? 'rgb_alpha' : 'rgb';
}

function gifHeader(bytes: Uint8Array): PictureHeader {
  const canvasFlags = bytes[10] ?? 0;
  const header: PictureHeader = { format: 'gif', mode: 'palette' };
  let at = 13;
  if (canvasFlags & 0x80) {
    const length = 3 * 2 ** ((canvasFlags & 7) + 1);
    header.palette = bytes.subarray(at, at + length);
    at += length;
  }
  let transparent: number | undefined;
  // Extensions up to the first image descriptor (2c).
  while (bytes[at] === 0x21) {
    if (bytes[at + 1] === 0xf9 && bytes[at + 2] === 4 && (bytes[at + 3]! & 1) === 1) {
      header.transparencyFlag = at + 3;
      transparent = bytes[at + 6];
    }
    at += 2;
    while (at < bytes.length && bytes[at] !== 0) at += bytes[at]! + 1;
    at += 1;
  }
  if (bytes[at] !== 0x2c || at + 10 > bytes.length) return header;
  const frameFlags = bytes[at + 9]!;
  if (frameFlags & 0x80) header.palette = bytes.subarray(at + 10, at + 10 + 3 * 2 ** ((frameFlags & 7) + 1));
  if (header.palette && isGreyRamp(header.palette)) header.mode = 'grey';
  header.frame = {
    left: littleUint16(bytes, at + 1),
    top: littleUint16(bytes, at + 3),
    width: littleUint16(bytes, at + 5),
    height: littleUint16(bytes, at + 7),
    outside: paletteColour(header.palette, transparent ?? 0),
  };
  return header;
}

/** The colour at `index`, black where the palette has none. */
export function paletteColour(palette: Uint8Array | undefined, index: number): [number, number, number] {
  return [palette?.[index * 3] ?? 0, palette?.[index * 3 + 1] ?? 0, palette?.[index * 3 + 2] ?? 0];
}

/** A palette in which every index is its own grey value makes a grey picture. */
function isGreyRamp(palette: Uint8Array): boolean {
  return palette.every((value, position) => value === Math.floor(position / 3));
}

/** Major and compatible brands of an ISO media file, from its first box. */
function mediaBrands(bytes: Uint8Array): string[] {
  const length = Math.min(uint16(bytes, 0) * 65536 + uint16(bytes, 2), bytes.length, 256);
  const brands = [ascii(bytes, 8, 4)];
  for (let at = 16; at + 4 <= length; at += 4) brands.push(ascii(bytes, at, 4));
  return brands;
}

/** Names a few common formats that are not read, so that the message helps. */
function nameOfOther(bytes: Uint8Array): string | undefined {
  if (ascii(bytes, 0, 2) === 'BM' && bytes.length > 26) return 'a BMP file';
  if (ascii(bytes, 0, 4) === '%PDF') return 'a PDF file';
  if (ascii(bytes, 4, 4) === 'ftyp') {
    return mediaBrands(bytes).some((brand) => /^(hei|hev|mif1)/.test(brand)) ? 'a HEIC file' : 'a video file';
  }
  if (startsWith(bytes, 0, [0xff, 0x0a]) || ascii(bytes, 4, 4) === 'JXL ') return 'a JPEG XL file';
  if (ascii(bytes, 4, 4) === 'jP  ') return 'a JPEG 2000 file';
  if (ascii(bytes, 0, 4) === '8BPS') return 'a Photoshop file';
  if (startsWith(bytes, 0, [0, 0, 1, 0])) return 'an icon file';
  if (/^\s*(<\?xml|<!DOCTYPE|<!--|<svg)/i.test(ascii(bytes, 0, 256).replace(/^\u00ef\u00bb\u00bf/, ''))) {
    return 'an XML or SVG file';
  }
  return undefined;
}

function startsWith(bytes: Uint8Array, at: number, expected: readonly number[]): boolean {
  return expected.every((value, index) => bytes[at + index] === value);
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
}

function littleUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
}
