/**
 * From a decoded picture to the RGB square a model looks at: how large it becomes, which part is cut out or
 * padded, and in which order resizing and conversion to RGB happen.
 */
import type { ImagePreprocessing } from '../models/preprocessing.ts';
import { borderColour, channelsOfMode, cmykToRgb, type DecodedPicture } from './decode.ts';
import { type Interpolation, realWeights, resample, type Span } from './resample.ts';

/** What of the resized picture is wanted, and where it lies in the square. */
export interface Geometry {
  across: Span;
  down: Span;
  /** Columns and rows of padding before the picture. */
  left: number;
  top: number;
}

/** An RGB picture in a square: [size, size, channels], a grey picture with one channel. */
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
  const { size } = preprocessing;
  let toWidth = size;
  let toHeight = size;
  if (preprocessing.resize === 'shortest') {
    if (width <= height) toHeight = Math.trunc((size * height) / width);
    else toWidth = Math.trunc((size * width) / height);
  } else if (preprocessing.resize === 'longest') {
    const ratio = Math.max(height / size, width / size);
    toWidth = Math.max(1, roundHalfEven(width / ratio));
    toHeight = Math.max(1, roundHalfEven(height / ratio));
  }
  const horizontal = middle(toWidth, size, preprocessing.cropRounding);
  const vertical = middle(toHeight, size, preprocessing.cropRounding);
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

/** Conversion before resizing: afterwards the picture is RGB or 8-bit grey. */
function toPlainColours(picture: DecodedPicture): DecodedPicture {
  const { data, width, height } = picture;
  if (data instanceof Uint16Array) {
    return { data: new Uint8Array(clipWide(data).buffer), width, height, mode: 'grey' };
  }
  switch (picture.mode) {
    case 'rgb_alpha':
      return { data: new Uint8Array(dropAlpha(data).buffer), width, height, mode: 'rgb' };
    case 'cmyk':
      return { data: new Uint8Array(fromCmyk(data).buffer), width, height, mode: 'rgb' };
    default:
      return { data, width, height, mode: channelsOfMode[picture.mode] === 1 ? 'grey' : 'rgb' };
  }
}

function dropAlpha(data: Uint8Array | Uint8ClampedArray): Uint8ClampedArray {
  const result = new Uint8ClampedArray((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    result[to] = data[from]!;
    result[to + 1] = data[from + 1]!;
    result[to + 2] = data[from + 2]!;
  }
  return result;
}

/** Inverted inks and black to RGB, [n, 4] → [n, 3]. */
function fromCmyk(data: Uint8Array | Uint8ClampedArray): Uint8ClampedArray {
  const result = new Uint8ClampedArray((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const black = data[from + 3]!;
    for (let c = 0; c < 3; c++) result[to + c] = cmykToRgb(data[from + c]!, black);
  }
  return result;
}

/** Colours weighed by their alpha, so that invisible ones do not bleed into visible ones. */
function timesAlpha(data: Uint8Array): Uint8Array {
  const result = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!;
    for (let c = 0; c < 3; c++) {
      const product = data[i + c]! * alpha + 128;
      result[i + c] = ((product >> 8) + product) >> 8; // division by 255, rounded
    }
    result[i + 3] = alpha;
  }
  return result;
}

/** Undoes `timesAlpha` and drops the alpha, [n, 4] → [n, 3]. */
function divideByAlpha(data: Uint8ClampedArray): Uint8ClampedArray {
  const result = new Uint8ClampedArray((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const alpha = data[from + 3]!;
    const divides = alpha !== 0 && alpha !== 255;
    for (let c = 0; c < 3; c++) {
      const value = data[from + c]!;
      result[to + c] = divides ? Math.trunc((255 * value) / alpha) : value;
    }
  }
  return result;
}

/**
 * 16-bit grey is resampled in whole numbers, then cut off at 255, as Pillow does: the picture of a scanner
 * that uses all 16 bits becomes nearly white, and that is what CLIP was shown.
 */
function resampleWide(
  data: Uint16Array,
  across: Span,
  down: Span,
  interpolation: Interpolation,
): Uint8ClampedArray {
  if (interpolation === 'nearest') {
    return resample(new Uint8Array(clipWide(data).buffer), 1, across, down, interpolation);
  }
  // Where a side stays as it is, the weights are 1 and 0, and the sums exact.
  const rows = realWeights(across, interpolation);
  const columns = realWeights(down, interpolation);
  const top = columns.starts[0] ?? 0;
  const bottom = (columns.starts[down.count - 1] ?? 0) + columns.taps;
  const middle = new Int32Array((bottom - top) * across.count);
  for (let y = top; y < bottom; y++) {
    for (let x = 0; x < across.count; x++) {
      let sum = 0;
      const at = y * across.from + rows.starts[x]!;
      for (let tap = 0; tap < rows.taps; tap++) sum += data[at + tap]! * rows.values[x * rows.taps + tap]!;
      middle[(y - top) * across.count + x] = roundAway(sum);
    }
  }
  const result = new Uint8ClampedArray(down.count * across.count);
  for (let y = 0; y < down.count; y++) {
    for (let x = 0; x < across.count; x++) {
      let sum = 0;
      const at = (columns.starts[y]! - top) * across.count + x;
      for (let tap = 0; tap < columns.taps; tap++) {
        sum += middle[at + tap * across.count]! * columns.values[y * columns.taps + tap]!;
      }
      result[y * across.count + x] = roundAway(sum);
    }
  }
  return result;
}

function roundAway(value: number): number {
  return value >= 0 ? Math.floor(value + 0.5) : -Math.floor(0.5 - value);
}

function clipWide(data: Uint16Array): Uint8ClampedArray {
  return Uint8ClampedArray.from(data);
}
