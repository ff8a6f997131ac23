/**
 * Resampling of 8-bit pictures bit for bit as Pillow does it: weights in 22-bit fixed point, first along the
 * rows, then along the columns, rounded to 8 bits in between. Only the part that is asked for is computed.
 */
import { runByKernel } from './kernel.ts';

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

function fixedWeights(span: Span, interpolation: Exclude<Interpolation, 'nearest'>): Weights<Int32Array> {
  const real = realWeights(span, interpolation);
  const taps = lastUsedTap(real) + 1;
  const values = new Int32Array(span.count * taps);
  for (let i = 0; i < span.count; i++) {
    for (let j = 0; j < taps; j++) {
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
  const passes = planPasses(data, channels, across, down, interpolation);
  return runByKernel(passes) ?? runPlainly(passes);
}

/** The two passes over a picture. A direction in which nothing changes has no weights, only a part. */
export interface Passes {
  /** The rows that count, all of their columns. */
  data: Uint8Array;
  channels: number;
  width: number;
  height: number;
  rows: Weights<Int32Array> | undefined;
  firstColumn: number;
  columnCount: number;
  columns: Weights<Int32Array> | undefined;
  rowCount: number;
}

export function planPasses(
  data: Uint8Array,
  channels: number,
  across: Span,
  down: Span,
  interpolation: Exclude<Interpolation, 'nearest'>,
): Passes {
  const columns = down.from === down.to ? undefined : fixedWeights(down, interpolation);
  const rows = across.from === across.to ? undefined : fixedWeights(across, interpolation);
  const top = columns ? (columns.starts[0] ?? 0) : down.first;
  const bottom = columns ? (columns.starts[down.count - 1] ?? 0) + columns.taps : top + down.count;
  const line = across.from * channels;
  return {
    data: data.subarray(top * line, bottom * line),
    channels,
    width: across.from,
    height: bottom - top,
    rows,
    firstColumn: across.first,
    columnCount: across.count,
    columns: columns && { ...columns, starts: columns.starts.map((start) => start - top) },
    rowCount: down.count,
  };
}

/** The passes in plain code: where the kernel does not run, and what it is checked against. */
export function runPlainly(passes: Passes): Uint8ClampedArray {
  const { channels, width, height, columns, columnCount, rowCount } = passes;
  const line = columnCount * channels;
  const middle = new Uint8ClampedArray(height * line);
  if (passes.rows) resampleRows(passes.data, width, height, channels, passes.rows, middle);
  else {
    for (let y = 0; y < height; y++) {
      const at = (y * width + passes.firstColumn) * channels;
      middle.set(passes.data.subarray(at, at + line), y * line);
    }
  }
  if (!columns) return middle;
  const result = new Uint8ClampedArray(rowCount * line);
  resampleColumns(middle, line, columns, result);
  return result;
}

/** Along the rows. Sums stay below 2³¹. */
function resampleRows(
  source: Uint8Array,
  width: number,
  height: number,
  channels: number,
  { starts, values, taps }: Weights<Int32Array>,
  result: Uint8ClampedArray,
): void {
  let out = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < starts.length; x++) {
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

/** Along the columns, a whole line at a time, so that memory is read in order. */
function resampleColumns(
  source: Uint8ClampedArray,
  line: number,
  { starts, values, taps }: Weights<Int32Array>,
  result: Uint8ClampedArray,
): void {
  const sums = new Int32Array(line);
  for (let y = 0; y < starts.length; y++) {
    sums.fill(half);
    for (let tap = 0; tap < taps; tap++) {
      const weight = values[y * taps + tap]!;
      const at = (starts[y]! + tap) * line;
      for (let i = 0; i < line; i++) sums[i] = sums[i]! + Math.imul(weight, source[at + i]!);
    }
    for (let i = 0; i < line; i++) result[y * line + i] = sums[i]! >> fractionBits;
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
