/** Random views of a picture: crop, mirror image, colours, now and then few pixels, lines alone or a covered rectangle. */
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import { squareSide } from '../../models/sides.ts';
import type { AugmentationConfig } from './config.ts';
import { drawLines, randomStyle } from './drawing.ts';
import { randomView, resizeView, type View, wholeView } from './views.ts';

/** A square of RGB bytes, [side, side, 3]. */
export interface SquarePicture {
  side: number;
  data: Uint8Array;
}

export interface ViewSettings {
  preprocessing: Pick<ImagePreprocessing, 'size' | 'mean' | 'deviation'>;
  augmentation: AugmentationConfig;
}

/**
 * Writes a random view as normalised floats [3, size, size] to `target` from `offset` on.
 * @param crop the rectangle to take in place of a random one
 */
export function writeRandomView(
  picture: SquarePicture,
  { preprocessing, augmentation }: ViewSettings,
  random: () => number,
  target: Float32Array,
  offset: number,
  crop?: Omit<View, 'mirrored'>,
): void {
  const { mean, deviation } = preprocessing;
  const size = squareSide(preprocessing.size, 'training');
  const { cutOut, cutOutArea } = augmentation;
  const drawn = randomView(picture.side, random, augmentation);
  const view = crop === undefined ? drawn : { ...crop, mirrored: drawn.mirrored };
  const pixels = viewPixels(picture, view, size, augmentation, random);
  const { gain, shift, saturation } = drawColours(pixels, augmentation, random);
  const plane = size * size;
  for (let channel = 0; channel < 3; channel++) {
    const scale = 1 / (255 * deviation[channel]!);
    const base = -mean[channel]! / deviation[channel]!;
    const start = offset + channel * plane;
    const own = saturation * gain;
    const grey = (1 - saturation) * gain;
    for (let pixel = 0, at = 0; pixel < plane; pixel++, at += 3) {
      const luminance = 0.299 * pixels[at]! + 0.587 * pixels[at + 1]! + 0.114 * pixels[at + 2]!;
      const value = own * pixels[at + channel]! + grey * luminance + shift;
      target[start + pixel] = Math.min(Math.max(value, 0), 255) * scale + base;
    }
  }
  if (random() < cutOut) coverRectangle(target, offset, size, cutOutArea, random);
}

/** The view before its colours change, [size, size, 3]. What is left out takes nothing from the chance of the rest. */
function viewPixels(
  picture: SquarePicture,
  view: View,
  size: number,
  { coarse, coarseSide, shrink, shrinkSide, drawing }: AugmentationConfig,
  random: () => number,
): Float32Array {
  const isCoarse = random() < coarse;
  const isDrawing = drawing > 0 && random() < drawing;
  const isSmall = shrink > 0 && random() < shrink;
  const [least, most] = shrinkSide;
  const inner = isSmall ? Math.max(1, Math.round(size * (least + (most - least) * random()))) : size;
  // Lines of a picture of few pixels would be the edges of these.
  const pixels =
    isCoarse && !isDrawing
      ? resizeCoarsely(picture, view, inner, coarseSide, random)
      : resizeView(picture.data, picture.side, view, inner);
  if (isDrawing) drawLines(pixels, inner, randomStyle(inner, random));
  return isSmall ? placed(pixels, inner, size, isDrawing, random) : pixels;
}

/** A small picture anywhere on a larger ground: white paper under a drawing, else its own mean colour or any other. */
function placed(
  pixels: Float32Array,
  inner: number,
  size: number,
  onPaper: boolean,
  random: () => number,
): Float32Array {
  const left = Math.floor(random() * (size - inner + 1));
  const top = Math.floor(random() * (size - inner + 1));
  const ground = onPaper ? white : random() < 0.5 ? meanColour(pixels) : [0, 0, 0].map(() => 255 * random());
  const whole = new Float32Array(size * size * 3);
  for (let at = 0; at < whole.length; at++) whole[at] = ground[at % 3]!;
  for (let row = 0; row < inner; row++) {
    const line = pixels.subarray(row * inner * 3, (row + 1) * inner * 3);
    whole.set(line, ((top + row) * size + left) * 3);
  }
  return whole;
}

const white: readonly number[] = [255, 255, 255];

function meanColour(pixels: Float32Array): number[] {
  const sums = [0, 0, 0];
  for (let at = 0; at < pixels.length; at++) sums[at % 3]! += pixels[at]!;
  return sums.map((sum) => sum / (pixels.length / 3));
}

/** First to few pixels, then to the size that is wanted. */
function resizeCoarsely(
  { data, side }: SquarePicture,
  view: View,
  size: number,
  [fewest, most]: readonly [number, number],
  random: () => number,
): Float32Array {
  const few = fewest + Math.floor(random() * (most - fewest + 1));
  return resizeView(resizeView(data, side, view, few), few, wholeView(few), size);
}

/** Brightness, then contrast about the mean grey, then saturation, as one linear map. */
function drawColours(
  pixels: Float32Array,
  { colour, grey }: AugmentationConfig,
  random: () => number,
): { gain: number; shift: number; saturation: number } {
  const factor = (): number => 1 + (2 * random() - 1) * colour;
  const brightness = factor();
  const contrast = factor();
  const saturation = random() < grey ? 0 : factor();
  let [red, green, blue] = [0, 0, 0];
  for (let at = 0; at < pixels.length; at += 3) {
    red += pixels[at]!;
    green += pixels[at + 1]!;
    blue += pixels[at + 2]!;
  }
  const mean = (brightness * (0.299 * red + 0.587 * green + 0.114 * blue)) / (pixels.length / 3);
  return { gain: brightness * contrast, shift: mean * (1 - contrast), saturation };
}

/** Covers a random rectangle with the mean colour, which is zero after normalisation (DeVries and Taylor 2017). */
function coverRectangle(
  target: Float32Array,
  offset: number,
  size: number,
  area: readonly [number, number],
  random: () => number,
): void {
  const { left, top, width, height } = randomView(size, random, { area, proportion: 2, flip: 0 });
  const [firstColumn, firstRow] = [Math.round(left), Math.round(top)];
  const [endColumn, endRow] = [Math.round(left + width), Math.round(top + height)];
  for (let channel = 0; channel < 3; channel++) {
    for (let row = firstRow; row < endRow; row++) {
      const start = offset + (channel * size + row) * size;
      target.fill(0, start + firstColumn, start + endColumn);
    }
  }
}
