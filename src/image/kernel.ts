/**
 * Runs the two passes of resampling in WebAssembly with 128-bit vectors: the same integers as in plain code,
 * five times as fast. Pictures go through its memory in strips, so that it stays small whatever their size.
 */
import { kernelBytes } from './kernel-bytes.ts';
import type { Passes, Weights } from './resample.ts';

interface Kernel {
  memory: WebAssembly.Memory;
  rows(
    channels: number,
    source: number,
    rowBytes: number,
    height: number,
    count: number,
    starts: number,
    weights: number,
    pairs: number,
    result: number,
    stride: number,
  ): void;
  columns(
    source: number,
    stride: number,
    height: number,
    starts: number,
    weights: number,
    pairs: number,
    result: number,
  ): void;
}

const pageBytes = 65_536;
const stripBytes = 1 << 20;
/** WebAssembly's memory never shrinks; a picture that would need more (a very long strip) goes without. */
const largestMemory = 64 << 20;
/** Vectors may be written and read past the end of what is meant. */
const slack = 16;

/** Runs the passes, or returns undefined where the kernel cannot. */
export function runByKernel(passes: Passes): Uint8ClampedArray | undefined {
  const { data, channels, width, height, rows, columns, columnCount, rowCount } = passes;
  if ((channels !== 3 && channels !== 4) || !(rows || columns)) return undefined;
  const line = columnCount * channels;
  const stride = Math.ceil(line / 8) * 8;
  const rowBytes = width * channels;
  const stripRows = Math.max(1, Math.floor(stripBytes / rowBytes));
  const layout = createLayout();
  const rowTable = rows && layoutWeights(layout, rows);
  const columnTable = columns && layoutWeights(layout, columns);
  const middle = layout.take((height + 1) * stride);
  const result = columns ? layout.take(rowCount * stride) : middle;
  const strip = rows ? layout.take(stripRows * rowBytes) : 0;
  const kernel = layout.size() <= largestMemory ? kernelWith(layout.size()) : undefined;
  if (!kernel) return undefined;
  const bytes = new Uint8Array(kernel.memory.buffer);
  if (rows && rowTable) {
    writeWeights(kernel.memory, rowTable, rows, channels);
    for (let y = 0; y < height; y += stripRows) {
      const count = Math.min(stripRows, height - y);
      bytes.set(data.subarray(y * rowBytes, (y + count) * rowBytes), strip);
      const { starts, weights, pairs } = rowTable;
      const out = middle + y * stride;
      kernel.rows(channels, strip, rowBytes, count, columnCount, starts, weights, pairs, out, stride);
    }
  } else {
    for (let y = 0; y < height; y++) {
      const at = y * rowBytes + passes.firstColumn * channels;
      bytes.set(data.subarray(at, at + line), middle + y * stride);
    }
  }
  if (columns && columnTable) {
    writeWeights(kernel.memory, columnTable, columns, stride);
    const { starts, weights, pairs } = columnTable;
    kernel.columns(middle, stride, rowCount, starts, weights, pairs, result);
  }
  const copy = new Uint8ClampedArray(rowCount * line);
  for (let y = 0; y < rowCount; y++) {
    copy.set(bytes.subarray(result + y * stride, result + y * stride + line), y * line);
  }
  return copy;
}

/** Hands out parts of the memory, one behind the other. */
function createLayout(): { take(length: number): number; size(): number } {
  let next = 0;
  return {
    take(length) {
      const at = next;
      next += Math.ceil((length + slack) / 16) * 16;
      return at;
    },
    size: () => next,
  };
}

interface WeightTable {
  starts: number;
  weights: number;
  /** Weights are read two at a time. */
  pairs: number;
}

function layoutWeights(layout: { take(length: number): number }, { starts, taps }: Weights<Int32Array>) {
  const pairs = Math.ceil(taps / 2);
  return { starts: layout.take(starts.length * 4), weights: layout.take(starts.length * pairs * 8), pairs };
}

/**
 * Starts in bytes; for each pair of weights two 32-bit words, of the upper parts (signed) and of the lower
 * eleven bits, the first weight in the lower half of the word.
 */
function writeWeights(
  memory: WebAssembly.Memory,
  table: WeightTable,
  { starts, values, taps }: Weights<Int32Array>,
  unit: number,
): void {
  const offsets = new Int32Array(memory.buffer, table.starts, starts.length);
  const words = new Int32Array(memory.buffer, table.weights, starts.length * table.pairs * 2);
  let out = 0;
  for (let i = 0; i < starts.length; i++) {
    offsets[i] = starts[i]! * unit;
    for (let tap = 0; tap < taps; tap += 2) {
      const first = values[i * taps + tap]!;
      const second = tap + 1 < taps ? values[i * taps + tap + 1]! : 0;
      words[out] = ((second >> 11) << 16) | ((first >> 11) & 0xffff);
      words[out + 1] = ((second & 2047) << 16) | (first & 2047);
      out += 2;
    }
  }
}

let loaded: Kernel | 'unavailable' | undefined;

/** The kernel with at least `size` bytes of memory. It is compiled at its first use, in a millisecond. */
function kernelWith(size: number): Kernel | undefined {
  loaded ??= load();
  if (loaded === 'unavailable') return undefined;
  const missing = size - loaded.memory.buffer.byteLength;
  if (missing > 0) loaded.memory.grow(Math.ceil(missing / pageBytes));
  return loaded;
}

/** Not available without WebAssembly's vectors, and on processors that store the high byte first. */
function load(): Kernel | 'unavailable' {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1 || typeof WebAssembly === 'undefined') {
    return 'unavailable';
  }
  const bytes = Uint8Array.from(atob(kernelBytes), (letter) => letter.charCodeAt(0));
  if (!WebAssembly.validate(bytes)) return 'unavailable';
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return { memory, rows: exports.rows, columns: exports.columns } as unknown as Kernel;
}
