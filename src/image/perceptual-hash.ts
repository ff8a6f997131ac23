/**
 * A perceptual hash: what a picture looks like from afar, the same for its copies in another size, compression or format,
 * and another one for pictures that only resemble it. It is the picture at 32 × 32, brightness apart from colour, so that
 * two of them are compared by how far their pixels differ, which bits of a shorter hash would not tell of plain pictures.
 */
import type { ImagePreprocessing } from '../models/preprocessing.ts';
import type { DecodedPicture } from './decode.ts';
import { resizeExact } from './resize.ts';

/** Side of the brightness, at which two pages of text differ, and of either colour, which copies keep less well. */
const lumaSide = 32;
const chromaSide = 8;
const chromaCell = lumaSide / chromaSide;
const lumaLength = lumaSide ** 2;
const chromaLength = chromaSide ** 2;

/** Bytes of a hash: brightness [32, 32], then the blue and the red difference [8, 8] around 128 (ITU-R BT.601). */
export const perceptualHashLength = lumaLength + 2 * chromaLength;

/** Rows that are looked at: more of them change a hash by less than a copy does. */
const mostRows = 2048;

/** @param preprocessing says how grey and transparent pixels become colours; its sides and cuts do not matter */
export function perceptualHash(picture: DecodedPicture, preprocessing: ImagePreprocessing): Uint8Array {
  const { data, channels } = resizeExact(withFewerRows(picture), {
    ...preprocessing,
    size: lumaSide,
    resize: 'squash',
    interpolation: 'bilinear',
    toRgb: 'first',
  });
  const hash = new Uint8Array(perceptualHashLength);
  const blue = new Float32Array(chromaLength);
  const red = new Float32Array(chromaLength);
  for (let pixel = 0; pixel < lumaLength; pixel++) {
    const r = data[pixel * channels]!;
    const g = channels === 1 ? r : data[pixel * channels + 1]!;
    const b = channels === 1 ? r : data[pixel * channels + 2]!;
    const luma = 0.299 * r + 0.587 * g + 0.114 * b;
    const [x, y] = [pixel % lumaSide, Math.floor(pixel / lumaSide)];
    const cell = Math.floor(y / chromaCell) * chromaSide + Math.floor(x / chromaCell);
    hash[pixel] = Math.round(luma);
    blue[cell]! += (0.564 * (b - luma)) / chromaCell ** 2;
    red[cell]! += (0.713 * (r - luma)) / chromaCell ** 2;
  }
  for (let cell = 0; cell < chromaLength; cell++) {
    hash[lumaLength + cell] = Math.round(128 + blue[cell]!);
    hash[lumaLength + chromaLength + cell] = Math.round(128 + red[cell]!);
  }
  return hash;
}

function withFewerRows(picture: DecodedPicture): DecodedPicture {
  const { data, height } = picture;
  const step = Math.ceil(height / mostRows);
  if (step === 1) return picture;
  const length = data.length / height;
  const rows = Math.floor(height / step);
  const kept = data instanceof Uint16Array ? new Uint16Array(rows * length) : new Uint8Array(rows * length);
  for (let row = 0; row < rows; row++) {
    const from = (row * step + (step >> 1)) * length;
    kept.set(data.subarray(from, from + length), row * length);
  }
  return { ...picture, data: kept, height: rows };
}

/** Means of copies differ by no more than this: compression moves pixels up and down, and most of them not one way. */
export const meansTolerance = 4;
/** Numbers of `HashedPicture.means`. */
export const meansLength = 5;

/** A picture as far as copies of it are told by, with what is asked of it again and again. */
export interface HashedPicture {
  hash: Uint8Array;
  /** Pixels. */
  width: number;
  height: number;
  /** Of brightness over all, the left half less the right one, the upper half less the lower; of blue, of red. */
  means: readonly [all: number, across: number, down: number, blue: number, red: number];
  /** The standard deviation of the brightness. */
  contrast: number;
}

/** @param hash of `perceptualHashLength` bytes */
export function hashedPicture(hash: Uint8Array, width: number, height: number): HashedPicture {
  let [all, squares, across, down, blue, red] = [0, 0, 0, 0, 0, 0];
  for (let pixel = 0; pixel < lumaLength; pixel++) {
    const luma = hash[pixel]!;
    all += luma / lumaLength;
    squares += luma ** 2 / lumaLength;
    across += (pixel % lumaSide < lumaSide / 2 ? luma : -luma) / lumaLength;
    down += (pixel < lumaLength / 2 ? luma : -luma) / lumaLength;
  }
  for (let cell = 0; cell < chromaLength; cell++) {
    blue += hash[lumaLength + cell]! / chromaLength;
    red += hash[lumaLength + chromaLength + cell]! / chromaLength;
  }
  const contrast = Math.sqrt(Math.max(0, squares - all ** 2));
  return { hash, width, height, means: [all, across, down, blue, red], contrast };
}

/** A picture with shorter sides has less to tell than its hash has room for: it is compared at half the hash's side. */
const smallSide = 128;

/**
 * Whether two pictures are copies of one. What may differ is little where a picture is plain, and more where it has much
 * contrast, as compression rounds strong edges more; a page of text gets a little brighter by it as a whole. Of 1,000
 * photographs, 405 of groceries and pages of text no two are taken for copies, and copies at JPEG's quality 20, of half
 * the sides or of 32 colours always are.
 */
export function isSamePicture(a: HashedPicture, b: HashedPicture): boolean {
  if (a.means.some((mean, i) => Math.abs(mean - b.means[i]!) > meansTolerance)) return false;
  if (!haveSameForm(a, b)) return false;
  const contrast = Math.min(a.contrast, b.contrast);
  const isSmall = Math.min(a.width, a.height, b.width, b.height) < smallSide;
  const brighter = a.means[0] - b.means[0];
  if (Math.abs(brighter) > 1.25 + 0.2 * contrast) return false;
  const luma = spreadOf(lumaDifference(a.hash, b.hash, isSmall ? 2 : 1), brighter);
  if (luma.usual > 1.5 + 0.08 * contrast || luma.largest > 6 + 0.35 * contrast) return false;
  const colours = spreadOf(colourDifference(a.hash, b.hash), 0);
  return colours.usual <= 2.5 + 0.08 * contrast && colours.largest <= 10 + 0.5 * contrast;
}

/** Sides of the same proportions, but for the pixel that resizing rounds away. */
function haveSameForm(a: HashedPicture, b: HashedPicture): boolean {
  const rounding = 0.01 + 1 / Math.min(a.width, a.height, b.width, b.height);
  return Math.abs(Math.log((a.width * b.height) / (a.height * b.width))) <= rounding;
}

/** Of brightness, pixel by pixel, or of means of `step` × `step` pixels. */
function lumaDifference(a: Uint8Array, b: Uint8Array, step: number): Float32Array {
  const side = lumaSide / step;
  const differences = new Float32Array(side ** 2);
  for (let pixel = 0; pixel < lumaLength; pixel++) {
    const [x, y] = [pixel % lumaSide, Math.floor(pixel / lumaSide)];
    differences[Math.floor(y / step) * side + Math.floor(x / step)]! += (a[pixel]! - b[pixel]!) / step ** 2;
  }
  return differences;
}

function colourDifference(a: Uint8Array, b: Uint8Array): Float32Array {
  return Float32Array.from({ length: 2 * chromaLength }, (_, i) => a[lumaLength + i]! - b[lumaLength + i]!);
}

/** How far numbers are from a centre: the root of the mean square, and the largest. */
function spreadOf(numbers: Float32Array, centre: number): { usual: number; largest: number } {
  let sum = 0;
  let largest = 0;
  for (const number of numbers) {
    const off = Math.abs(number - centre);
    sum += off ** 2;
    largest = Math.max(largest, off);
  }
  return { usual: Math.sqrt(sum / numbers.length), largest };
}
