/** Resampling of 16-bit grey, in real weights and whole numbers as Pillow does it. */
import { clipWide } from './colours.ts';
import { type Interpolation, realWeights, resample, type Span } from './resample.ts';

/**
 * 16-bit grey is resampled in whole numbers, then cut off at 255, as Pillow does: the picture of a scanner
 * that uses all 16 bits becomes nearly white, and that is what CLIP was shown.
 */
export function resampleWide(
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
