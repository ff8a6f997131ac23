/** Random views of a picture: crop, mirror image, colours, now and then few pixels or a covered rectangle. */
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import type { AugmentationConfig } from './config.ts';
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
  const { size, mean, deviation } = preprocessing;
  const { coarse, coarseSide, cutOut, cutOutArea } = augmentation;
  const drawn = randomView(picture.side, random, augmentation);
  const view = crop === undefined ? drawn : { ...crop, mirrored: drawn.mirrored };
  const pixels =
    random() < coarse
      ? resizeCoarsely(picture, view, size, coarseSide, random)
      : resizeView(picture.data, picture.side, view, size);
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
