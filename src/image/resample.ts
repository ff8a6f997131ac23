/**
 * Resampling of 8-bit pictures bit for bit as Pillow does it: weights in 22-bit fixed point, first along the
 * rows, then along the columns, rounded to 8 bits in between. Only the part that is asked for is computed.
 */

export type Interpolation = 'bicubic' | 'bilinear' | 'lanczos' | 'nearest';

/** One direction: a side of `from` pixels becomes `to`, of which `count` are wanted, beginning with `first`. */
export interface Span {
  from: number;
  to: number;
  first: number;
  count: number;
}

/** For each wanted pixel the first source pixel it depends on, and `taps` weights from there on. */
export interface Weights<Values> {
  starts: Int32Array;
  /** [count, taps] */
  values: Values;
  taps: number;
}

const kernels: {
  readonly [Name in Exclude<Interpolation, 'nearest'>]: { radius: number; at: (x: number) => number };
} = {
  bilinear: { radius: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { radius: 2, at: (x) => cubic(Math.abs(x)) },
  lanczos: { radius: 3, at: (x) => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Keys, "Cubic Convolution Interpolation for Digital Image Processing", equation 4, with a = −1/2. */
function cubic(x: number): number {
  const a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/**
 * Weights as real numbers; each pixel's sum to 1. The kernel is widened by the scale when shrinking, so that
 * every source pixel counts. All pixels get the same number of taps, filled up with zeros, inside the side.
 */
export function realWeights(
  span: Span,
  interpolation: Exclude<Interpolation, 'nearest'>,
): Weights<Float64Array> {
  const { radius, at } = kernels[interpolation];
  const scale = span.from / span.to;
  const widening = Math.max(1, scale);
  const inverse = 1 / widening;
  const support = radius * widening;
  const taps = Math.min(span.from, Math.ceil(support) * 2 + 1);
  const starts = new Int32Array(span.count);
  const values = new Float64Array(span.count * taps);
  for (let i = 0; i < span.count; i++) {
    const centre = (span.first + i + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(span.from, Math.trunc(centre + support + 0.5));
    const start = Math.min(begin, span.from - taps);
    starts[i] = start;
    const at0 = i * taps + begin - start;
    let sum = 0;
    for (let j = 0; j < end - begin; j++) {
      const value = at((j + begin - centre + 0.5) * inverse);
      values[at0 + j] = value;
      sum += value;
    }
    if (sum !== 0) for (let j = 0; j < end - begin; j++) values[at0 + j]! /= sum;
  }
  return { starts, values, taps };
}

/** 8 bits for the pixel and 2 for sums beyond it leave 22 of 32 for the weights. */
const fractionBits = 22;
const one = 1 << fractionBits;
const half = 1 << (fractionBits - 1);

/** Weights in fixed point, the number of taps rounded up to a multiple of `multiple`. */
function fixedWeights(
  span: Span,
  interpolation: Exclude<Interpolation, 'nearest'>,
  multiple: number,
): Weights<Int32Array> {
  const real = realWeights(span, interpolation);
  const used = lastUsedTap(real) + 1;
  const taps = Math.ceil(used / multiple) * multiple;
  const values = new Int32Array(span.count * taps);
  for (let i = 0; i < span.count; i++) {
    for (let j = 0; j < used; j++) {
      const scaled = real.values[i * real.taps + j]! * one;
      values[i * taps + j] = Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    }
  }
  return { starts: real.starts, values, taps };
}

/** The reach of a kernel is rounded up generously: the last tap is often zero everywhere. */
function lastUsedTap({ starts, values, taps }: Weights<Float64Array>): number {
  let last = 0;
  for (let i = 0; i < starts.length; i++) {
    for (let j = taps - 1; j > last; j--) if (values[i * taps + j] !== 0) last = j;
  }
  return last;
}

/**
 * Resamples the wanted part of a picture, [height, width, channels] in and out.
 * @param across how columns are resampled, @param down how rows are
 */
export function resample(
  data: Uint8Array,
  channels: number,
  across: Span,
  down: Span,
  interpolation: Interpolation,
): Uint8ClampedArray {
  if (interpolation === 'nearest') return nearest(data, channels, across, down);
  const columns = fixedWeights(down, interpolation, 4);
  const top = columns.starts[0] ?? 0;
  const needed = Math.min(down.from, (columns.starts[down.count - 1] ?? 0) + columns.taps) - top;
  const line = across.count * channels;
  const resampleRows = down.from !== down.to;
  // The last taps may lie below the picture, where their weight is zero.
  const middle = new Uint8ClampedArray(Math.max(needed, columns.taps + needed - 1) * line);
  if (across.from === across.to) {
    for (let y = 0; y < needed; y++) {
      const at = ((top + y) * across.from + across.first) * channels;
      middle.set(data.subarray(at, at + line), y * line);
    }
  } else {
    const rows = fixedWeights(across, interpolation, 1);
    const source = data.subarray(top * across.from * channels, (top + needed) * across.from * channels);
    if (channels === 3) rowsOfThree(source, across.from, needed, rows, middle);
    else rowsOfAny(source, across.from, needed, channels, rows, middle);
  }
  if (!resampleRows) {
    const at = (down.first - top) * line;
    return middle.subarray(at, at + down.count * line);
  }
  const result = new Uint8ClampedArray(down.count * line);
  columnsOf(middle, line, top, columns, result);
  return result;
}

/** Along the rows, three channels: the loop that most of the time goes into. Sums stay below 2³¹. */
function rowsOfThree(
  source: Uint8Array,
  width: number,
  height: number,
  { starts, values, taps }: Weights<Int32Array>,
  result: Uint8ClampedArray,
): void {
  const count = starts.length;
  let out = 0;
  for (let y = 0; y < height; y++) {
    const row = y * width * 3;
    let tap = 0;
    for (let x = 0; x < count; x++) {
      let at = row + starts[x]! * 3;
      let red = half;
      let green = half;
      let blue = half;
      for (const end = tap + taps; tap < end; tap++) {
        const weight = values[tap]!;
        red = (red + Math.imul(weight, source[at]!)) | 0;
        green = (green + Math.imul(weight, source[at + 1]!)) | 0;
        blue = (blue + Math.imul(weight, source[at + 2]!)) | 0;
        at += 3;
      }
      result[out] = red >> fractionBits;
      result[out + 1] = green >> fractionBits;
      result[out + 2] = blue >> fractionBits;
      out += 3;
    }
  }
}

/** Along the rows, any number of channels. */
function rowsOfAny(
  source: Uint8Array,
  width: number,
  height: number,
  channels: number,
  { starts, values, taps }: Weights<Int32Array>,
  result: Uint8ClampedArray,
): void {
  const count = starts.length;
  let out = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < count; x++) {
      const pixel = (y * width + starts[x]!) * channels;
      for (let channel = 0; channel < channels; channel++) {
        let at = pixel + channel;
        let sum = half;
        for (let tap = x * taps; tap < (x + 1) * taps; tap++) {
          sum = (sum + Math.imul(values[tap]!, source[at]!)) | 0;
          at += channels;
        }
        result[out++] = sum >> fractionBits;
      }
    }
  }
}

/** Along the columns: whole lines are weighed, four at a time, so that memory is read in order. */
function columnsOf(
  source: Uint8ClampedArray,
  line: number,
  top: number,
  { starts, values, taps }: Weights<Int32Array>,
  result: Uint8ClampedArray,
): void {
  const sums = new Int32Array(line);
  for (let y = 0; y < starts.length; y++) {
    let tap = y * taps;
    let at = (starts[y]! - top) * line;
    let left = taps;
    sums.fill(half);
    for (; left > 8; left -= 4, tap += 4, at += 4 * line) addFour(source, at, line, values, tap, sums);
    if (left === 8) finishEight(source, at, line, values, tap, sums, result, y * line);
    else finishFour(source, at, line, values, tap, sums, result, y * line);
  }
}

function addFour(
  source: Uint8ClampedArray,
  at: number,
  line: number,
  values: Int32Array,
  tap: number,
  sums: Int32Array,
): void {
  const at1 = at + line;
  const at2 = at1 + line;
  const at3 = at2 + line;
  const w0 = values[tap]!;
  const w1 = values[tap + 1]!;
  const w2 = values[tap + 2]!;
  const w3 = values[tap + 3]!;
  for (let i = 0; i < line; i++) {
    sums[i] =
      sums[i]! +
      Math.imul(w0, source[at + i]!) +
      Math.imul(w1, source[at1 + i]!) +
      Math.imul(w2, source[at2 + i]!) +
      Math.imul(w3, source[at3 + i]!);
  }
}

function finishFour(
  source: Uint8ClampedArray,
  at: number,
  line: number,
  values: Int32Array,
  tap: number,
  sums: Int32Array,
  result: Uint8ClampedArray,
  out: number,
): void {
  const at1 = at + line;
  const at2 = at1 + line;
  const at3 = at2 + line;
  const w0 = values[tap]!;
  const w1 = values[tap + 1]!;
  const w2 = values[tap + 2]!;
  const w3 = values[tap + 3]!;
  for (let i = 0; i < line; i++) {
    result[out + i] =
      (sums[i]! +
        Math.imul(w0, source[at + i]!) +
        Math.imul(w1, source[at1 + i]!) +
        Math.imul(w2, source[at2 + i]!) +
        Math.imul(w3, source[at3 + i]!)) >>
      fractionBits;
  }
}

function finishEight(
  source: Uint8ClampedArray,
  at: number,
  line: number,
  values: Int32Array,
  tap: number,
  sums: Int32Array,
  result: Uint8ClampedArray,
  out: number,
): void {
  const at1 = at + line;
  const at2 = at1 + line;
  const at3 = at2 + line;
  const at4 = at3 + line;
  const at5 = at4 + line;
  const at6 = at5 + line;
  const at7 = at6 + line;
  const w0 = values[tap]!;
  const w1 = values[tap + 1]!;
  const w2 = values[tap + 2]!;
  const w3 = values[tap + 3]!;
  const w4 = values[tap + 4]!;
  const w5 = values[tap + 5]!;
  const w6 = values[tap + 6]!;
  const w7 = values[tap + 7]!;
  for (let i = 0; i < line; i++) {
    result[out + i] =
      (sums[i]! +
        Math.imul(w0, source[at + i]!) +
        Math.imul(w1, source[at1 + i]!) +
        Math.imul(w2, source[at2 + i]!) +
        Math.imul(w3, source[at3 + i]!) +
        Math.imul(w4, source[at4 + i]!) +
        Math.imul(w5, source[at5 + i]!) +
        Math.imul(w6, source[at6 + i]!) +
        Math.imul(w7, source[at7 + i]!)) >>
      fractionBits;
  }
}

function nearest(data: Uint8Array, channels: number, across: Span, down: Span): Uint8ClampedArray {
  const xs = nearestPositions(across);
  const ys = nearestPositions(down);
  const result = new Uint8ClampedArray(across.count * down.count * channels);
  let out = 0;
  for (const y of ys) {
    for (const x of xs) {
      const at = (y * across.from + x) * channels;
      for (let channel = 0; channel < channels; channel++) result[out++] = data[at + channel]!;
    }
  }
  return result;
}

/**
 * Pillow adds up the step from pixel to pixel instead of multiplying it, and where a position falls on the
 * border between two pixels the rounding of that sum decides. Sides beyond any real picture are multiplied.
 */
function nearestPositions(span: Span): Int32Array {
  const step = span.from / span.to;
  const positions = new Int32Array(span.count);
  let position = step * 0.5;
  if (span.first < 2 ** 24) for (let i = 0; i < span.first; i++) position += step;
  else position += step * span.first;
  for (let i = 0; i < span.count; i++) {
    positions[i] = Math.min(span.from - 1, Math.trunc(position));
    position += step;
  }
  return positions;
}
