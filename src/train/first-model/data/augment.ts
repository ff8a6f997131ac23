/** Random views of a picture: crop, mirror image, colours, and now and then few pixels. */
import type { ImagePreprocessing } from '../../../models/preprocessing.ts';
import type { PackedPictures } from './packed.ts';

export interface AugmentOptions {
  /** Share of the picture's area that a crop keeps. @default [0.4, 1] */
  area?: readonly [smallest: number, largest: number];
  /** How far brightness, contrast and saturation may go from 1. @default 0.25 */
  colour?: number;
  /** Share of grey pictures. @default 0.05 */
  grey?: number;
  /** Share of pictures that first lose detail, down to 24 pixels a side. @default 0.25 */
  coarse?: number;
}

/** A rectangle of the picture, in pixels and fractions of them. */
export interface View {
  left: number;
  top: number;
  width: number;
  height: number;
  mirrored: boolean;
}

/** A random rectangle inside the square: its share of the area within limits, sides between 3:4 and 4:3. */
export function randomView(
  side: number,
  random: () => number,
  area: readonly [number, number] = [0.4, 1],
): View {
  const share = area[0] + (area[1] - area[0]) * random();
  const ratio = Math.exp((2 * random() - 1) * Math.log(4 / 3));
  const width = Math.min(side, side * Math.sqrt(share * ratio));
  const height = Math.min(side, side * Math.sqrt(share / ratio));
  return {
    left: random() * (side - width),
    top: random() * (side - height),
    width,
    height,
    mirrored: random() < 0.5,
  };
}

/** Writes a random view of picture `at` as normalised floats [3, size, size] to `target` from `offset` on. */
export function writeRandomView(
  pictures: PackedPictures,
  at: number,
  { size, mean, deviation }: Pick<ImagePreprocessing, 'size' | 'mean' | 'deviation'>,
  random: () => number,
  target: Float32Array,
  offset: number,
  options: AugmentOptions = {},
): void {
  const { side } = pictures;
  const { area = [0.4, 1], colour = 0.25, grey = 0.05, coarse = 0.25 } = options;
  const whole = pictures.data.subarray(at * side * side * 3, (at + 1) * side * side * 3);
  let view = randomView(side, random, area);
  let values: Uint8Array | Float32Array = whole;
  let valuesSide = side;
  if (random() < coarse) {
    valuesSide = 24 + Math.floor(random() * 41);
    values = resizeView(whole, side, view, valuesSide);
    view = { left: 0, top: 0, width: valuesSide, height: valuesSide, mirrored: false };
  }
  const pixels = resizeView(values, valuesSide, view, size);
  shiftColours(pixels, random, colour, grey);
  const plane = size * size;
  for (let channel = 0; channel < 3; channel++) {
    const scale = 1 / (255 * deviation[channel]!);
    const shift = -mean[channel]! / deviation[channel]!;
    const start = offset + channel * plane;
    for (let pixel = 0; pixel < plane; pixel++) {
      target[start + pixel] = pixels[pixel * 3 + channel]! * scale + shift;
    }
  }
}

/** Which source pixels make a row or column of the result: bilinear, widened where the picture shrinks. */
function spans(
  from: number,
  length: number,
  sourceSide: number,
  size: number,
): { first: Int32Array; weights: Float32Array; taps: number } {
  const step = length / size;
  const reach = Math.max(1, step);
  const taps = Math.ceil(2 * reach) + 1;
  const first = new Int32Array(size);
  const weights = new Float32Array(size * taps);
  for (let i = 0; i < size; i++) {
    const centre = from + (i + 0.5) * step - 0.5;
    const start = Math.ceil(centre - reach);
    first[i] = start;
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      const weight = Math.max(0, 1 - Math.abs(start + tap - centre) / reach);
      weights[i * taps + tap] = weight;
      sum += weight;
    }
    for (let tap = 0; tap < taps; tap++) weights[i * taps + tap]! /= sum;
  }
  for (let i = 0; i < size; i++) first[i] = Math.min(Math.max(first[i]!, -taps), sourceSide);
  return { first, weights, taps };
}

/** The view as a square of [size, size, 3]; pixels beyond the edge repeat it. */
export function resizeView(
  source: Uint8Array | Float32Array,
  sourceSide: number,
  view: View,
  size: number,
): Float32Array {
  const across = spans(view.left, view.width, sourceSide, size);
  const down = spans(view.top, view.height, sourceSide, size);
  const edge = sourceSide - 1;
  const top = Math.max(0, Math.min(edge, down.first[0]!));
  const bottom = Math.max(0, Math.min(edge, down.first[size - 1]! + down.taps - 1));
  const between = new Float32Array((bottom - top + 1) * size * 3);
  for (let y = top; y <= bottom; y++) {
    const row = y * sourceSide * 3;
    for (let x = 0; x < size; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let tap = 0; tap < across.taps; tap++) {
        const weight = across.weights[x * across.taps + tap]!;
        if (weight === 0) continue;
        const place = row + 3 * Math.max(0, Math.min(edge, across.first[x]! + tap));
        red += weight * source[place]!;
        green += weight * source[place + 1]!;
        blue += weight * source[place + 2]!;
      }
      const to = ((y - top) * size + (view.mirrored ? size - 1 - x : x)) * 3;
      between[to] = red;
      between[to + 1] = green;
      between[to + 2] = blue;
    }
  }
  const result = new Float32Array(size * size * 3);
  const width = size * 3;
  for (let y = 0; y < size; y++) {
    for (let tap = 0; tap < down.taps; tap++) {
      const weight = down.weights[y * down.taps + tap]!;
      if (weight === 0) continue;
      const from = (Math.max(top, Math.min(bottom, down.first[y]! + tap)) - top) * width;
      for (let i = 0; i < width; i++) result[y * width + i]! += weight * between[from + i]!;
    }
  }
  return result;
}

/** Brightness, then contrast about the mean grey, then saturation; values stay within 0 and 255. */
function shiftColours(pixels: Float32Array, random: () => number, amount: number, greyShare: number): void {
  const factor = (): number => 1 + (2 * random() - 1) * amount;
  const brightness = factor();
  const contrast = factor();
  const saturation = random() < greyShare ? 0 : factor();
  let mean = 0;
  for (let i = 0; i < pixels.length; i += 3) mean += luminance(pixels, i);
  mean = (brightness * mean) / (pixels.length / 3);
  const gain = brightness * contrast;
  const shift = mean * (1 - contrast);
  for (let i = 0; i < pixels.length; i += 3) {
    const grey = luminance(pixels, i) * (1 - saturation);
    for (let channel = i; channel < i + 3; channel++) {
      const value = (pixels[channel]! * saturation + grey) * gain + shift;
      pixels[channel] = Math.min(Math.max(value, 0), 255);
    }
  }
}

function luminance(pixels: Float32Array, at: number): number {
  return 0.299 * pixels[at]! + 0.587 * pixels[at + 1]! + 0.114 * pixels[at + 2]!;
}
