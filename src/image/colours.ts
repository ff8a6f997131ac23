/** From the values a file stores to RGB, pixel by pixel, as Pillow computes it. */
import { channelsOfMode, type DecodedPicture } from './decode.ts';
import { paletteColour } from './header.ts';

/** Conversion before resizing: afterwards the picture is RGB or 8-bit grey. */
export function toPlainColours(picture: DecodedPicture): DecodedPicture {
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

/** [n, 4] → [n, 3]. */
export function dropAlpha(data: Uint8Array | Uint8ClampedArray): Uint8ClampedArray {
  const result = new Uint8ClampedArray((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    result[to] = data[from]!;
    result[to + 1] = data[from + 1]!;
    result[to + 2] = data[from + 2]!;
  }
  return result;
}

/** Inverted inks and black to RGB, [n, 4] → [n, 3]. */
export function fromCmyk(data: Uint8Array | Uint8ClampedArray): Uint8ClampedArray {
  const result = new Uint8ClampedArray((data.length / 4) * 3);
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    const black = data[from + 3]!;
    for (let c = 0; c < 3; c++) result[to + c] = cmykToRgb(data[from + c]!, black);
  }
  return result;
}

/** Colours weighed by their alpha, so that invisible ones do not bleed into visible ones. */
export function timesAlpha(data: Uint8Array): Uint8Array {
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
export function divideByAlpha(data: Uint8ClampedArray): Uint8ClampedArray {
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

/** 16-bit grey cut off at 255. */
export function clipWide(data: Uint16Array): Uint8ClampedArray {
  return Uint8ClampedArray.from(data);
}

/** The colour around a picture that is padded: `fill` in the picture's own values, seen as RGB. */
export function borderColour(picture: DecodedPicture, fill: number): [number, number, number] {
  switch (picture.mode) {
    case 'palette':
      return picture.palette ? paletteColour(picture.palette, fill) : [fill, fill, fill];
    case 'bilevel':
      return fill > 0 ? [255, 255, 255] : [0, 0, 0];
    case 'cmyk': {
      const value = cmykToRgb(fill, fill);
      return [value, value, value];
    }
    default:
      return [fill, fill, fill];
  }
}

/** One colour of RGB from its opposite and black, all 0 to 255: (1 − ink) · (1 − black) in whole numbers. */
function cmykToRgb(ink: number, black: number): number {
  const light = 255 - black;
  const product = ink * light + 128;
  return Math.max(0, light - (((product >> 8) + product) >> 8));
}
