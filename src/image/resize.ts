/**
 * From a decoded picture to the RGB square a model looks at: how large it becomes, which part is cut out or
 * padded, and in which order resizing and conversion to RGB happen.
 */
import type { ImagePreprocessing } from '../models/preprocessing.ts';
import { heightAndWidth } from '../models/sides.ts';
import { borderColour, divideByAlpha, dropAlpha, fromCmyk, timesAlpha, toPlainColours } from './colours.ts';
import type { DecodedPicture } from './decode.ts';
import { type Interpolation, resample, type Span } from './resample.ts';
import { resampleWide } from './resample-wide.ts';

/** What of the resized picture is wanted, and where it lies in the square. */
export interface Geometry {
  across: Span;
  down: Span;
  /** Columns and rows of padding before the picture. */
  left: number;
  top: number;
}

/** An RGB picture in what a model reads, mostly a square: [height, width, channels], a grey picture with one channel. */
export interface Square {
  /** [height, width, channels] of the part that the picture covers. */
  data: Uint8ClampedArray;
  channels: 1 | 3;
  width: number;
  height: number;
  left: number;
  top: number;
  /** RGB around it. */
  border: readonly [number, number, number];
}

/**
 * Resizes, crops or pads, and converts to RGB (or leaves grey as one channel, which is the same three times).
 * The result is that of Pillow's `resize` followed by a crop, although only the cropped part is computed. For
 * that every pixel of the original is needed: a JPEG cannot be decoded at a fraction of its size here.
 */
export function resizeExact(picture: DecodedPicture, preprocessing: ImagePreprocessing): Square {
  const { across, down, left, top } = planGeometry(picture.width, picture.height, preprocessing);
  const converted = preprocessing.toRgb === 'first' ? toPlainColours(picture) : picture;
  const region = resizeInMode(converted, across, down, preprocessing.interpolation);
  return {
    ...region,
    width: across.count,
    height: down.count,
    left,
    top,
    border: borderColour(converted, preprocessing.fill),
  };
}

/** Sizes and margins as torchvision, Hugging Face and open_clip compute them. */
export function planGeometry(width: number, height: number, preprocessing: ImagePreprocessing): Geometry {
  const [rows, columns] = heightAndWidth(preprocessing.size);
  let toWidth = columns;
  let toHeight = rows;
  if (preprocessing.resize === 'shortest' && rows === columns) {
    if (width <= height) toHeight = Math.trunc((rows * height) / width);
    else toWidth = Math.trunc((columns * width) / height);
  } else if (preprocessing.resize !== 'squash') {
    // open_clip's own resize, which it also uses for rectangles that are to be covered.
    const choose = preprocessing.resize === 'longest' ? Math.max : Math.min;
    const ratio = choose(height / rows, width / columns);
    toWidth = Math.max(1, roundHalfEven(width / ratio));
    toHeight = Math.max(1, roundHalfEven(height / ratio));
  }
  const horizontal = middle(toWidth, columns, preprocessing.cropRounding);
  const vertical = middle(toHeight, rows, preprocessing.cropRounding);
  return {
    across: { from: width, to: toWidth, first: horizontal.first, count: horizontal.count },
    down: { from: height, to: toHeight, first: vertical.first, count: vertical.count },
    left: horizontal.before,
    top: vertical.before,
  };
}

/** The middle `size` pixels of a side of `length`, or the padding before it where it is shorter. */
function middle(length: number, size: number, rounding: ImagePreprocessing['cropRounding']) {
  if (length <= size) return { first: 0, count: length, before: Math.floor((size - length) / 2) };
  const margin = (length - size) / 2;
  return { first: rounding === 'down' ? Math.floor(margin) : roundHalfEven(margin), count: size, before: 0 };
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

interface Region {
  data: Uint8ClampedArray;
  channels: 1 | 3;
}

/** Resizes in the stored values, then converts to RGB. */
function resizeInMode(
  picture: DecodedPicture,
  across: Span,
  down: Span,
  interpolation: Interpolation,
): Region {
  const { data, mode } = picture;
  if (data instanceof Uint16Array) {
    return { data: resampleWide(data, across, down, interpolation), channels: 1 };
  }
  switch (mode) {
    case 'grey':
    case 'grey16':
      return { data: resample(data, 1, across, down, interpolation), channels: 1 };
    case 'rgb':
      return { data: resample(data, 3, across, down, interpolation), channels: 3 };
    case 'bilevel':
      return { data: resample(data, 1, across, down, 'nearest'), channels: 1 };
    case 'palette':
      return { data: resample(data, 3, across, down, 'nearest'), channels: 3 };
    case 'cmyk':
      return { data: fromCmyk(resample(data, 4, across, down, interpolation)), channels: 3 };
    case 'rgb_alpha': {
      // The nearest neighbour mixes no colours, so alpha does not matter to it.
      if (interpolation === 'nearest' || (across.from === across.to && down.from === down.to)) {
        return { data: dropAlpha(resample(data, 4, across, down, interpolation)), channels: 3 };
      }
      return { data: divideByAlpha(resample(timesAlpha(data), 4, across, down, interpolation)), channels: 3 };
    }
  }
}
