// The two passes of resampling in AssemblyScript, for WebAssembly's 128-bit vectors. `kernel.ts` says what the
// memory holds; `node scripts/build-kernel.mjs` compiles this file to `kernel-bytes.ts`.
//
// A weight of 24 bits is too wide for the instruction that multiplies eight 16-bit numbers and adds them in
// pairs. It is split: weight = 2048 · high + low, and since whole numbers do not round, so are the sums.

const fractionBits: i32 = 22;
const lowBits: i32 = 11;

/** Eight bytes of two RGB pixels to [r r' g g' b b' 0 0] in 16 bits each. */
// @ts-ignore: decorator
@inline
function pairOfThree(at: usize): v128 {
  // prettier-ignore
  return v128.shuffle<i8>(
    v128.load_zero<u64>(at), i32x4.splat(0),
    0, 16, 3, 16, 1, 16, 4, 16, 2, 16, 5, 16, 16, 16, 16, 16,
  );
}

/** Two pixels of four channels to [r r' g g' b b' a a']. */
// @ts-ignore: decorator
@inline
function pairOfFour(at: usize): v128 {
  // prettier-ignore
  return v128.shuffle<i8>(
    v128.load_zero<u64>(at), i32x4.splat(0),
    0, 16, 4, 16, 1, 16, 5, 16, 2, 16, 6, 16, 3, 16, 7, 16,
  );
}

/** Puts the parts of four sums together and drops the fraction. */
// @ts-ignore: decorator
@inline
function rounded(high: v128, low: v128): v128 {
  return i32x4.shr_s(i32x4.add(i32x4.shl(high, lowBits), low), fractionBits);
}

/**
 * Along the rows: `height` rows of `rowBytes` at `source`, of three or four channels, to rows of `count` pixels
 * at `result`, `stride` bytes apart. Up to 3 bytes behind a row's end are overwritten, 2 behind the source read.
 */
export function rows(
  channels: i32,
  source: usize,
  rowBytes: i32,
  height: i32,
  count: i32,
  starts: usize,
  weights: usize,
  pairs: i32,
  result: usize,
  stride: i32,
): void {
  const half = i32x4.splat(1 << (fractionBits - 1));
  const weightBytes = <usize>pairs << 3;
  for (let y = 0; y < height; y++) {
    let weight = weights;
    let out = result;
    for (let x = 0; x < count; x++) {
      let at = source + load<u32>(starts + (<usize>x << 2));
      let high = i32x4.splat(0);
      let low = half;
      const end = weight + weightBytes;
      if (channels == 3) {
        for (; weight < end; weight += 8, at += 6) {
          const pixels = pairOfThree(at);
          high = i32x4.add(high, i32x4.dot_i16x8_s(pixels, v128.load_splat<u32>(weight)));
          low = i32x4.add(low, i32x4.dot_i16x8_s(pixels, v128.load_splat<u32>(weight, 4)));
        }
      } else {
        for (; weight < end; weight += 8, at += 8) {
          const pixels = pairOfFour(at);
          high = i32x4.add(high, i32x4.dot_i16x8_s(pixels, v128.load_splat<u32>(weight)));
          low = i32x4.add(low, i32x4.dot_i16x8_s(pixels, v128.load_splat<u32>(weight, 4)));
        }
      }
      const sums = rounded(high, low);
      const words = i16x8.narrow_i32x4_s(sums, sums);
      v128.store_lane<u32>(out, i8x16.narrow_i16x8_u(words, words), 0);
      out += channels;
    }
    source += rowBytes;
    result += stride;
  }
}

/**
 * Along the columns: rows of `stride` bytes, a multiple of 8, at `source` to `height` such rows at `result`.
 * With an odd number of weights the row behind the last one is read, and weighed with 0.
 */
export function columns(
  source: usize,
  stride: i32,
  height: i32,
  starts: usize,
  weights: usize,
  pairs: i32,
  result: usize,
): void {
  const half = i32x4.splat(1 << (fractionBits - 1));
  const weightBytes = <usize>pairs << 3;
  for (let y = 0; y < height; y++) {
    const first = source + load<u32>(starts + (<usize>y << 2));
    const end = weights + weightBytes;
    for (let x: usize = 0; x < <usize>stride; x += 8) {
      let at = first + x;
      let high0 = i32x4.splat(0);
      let high1 = high0;
      let low0 = half;
      let low1 = half;
      for (let weight = weights; weight < end; weight += 8) {
        // prettier-ignore
        const both = v128.shuffle<i8>(
          v128.load_zero<u64>(at), v128.load_zero<u64>(at + stride),
          0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
        );
        const left = i16x8.extend_low_i8x16_u(both);
        const right = i16x8.extend_high_i8x16_u(both);
        const highWeights = v128.load_splat<u32>(weight);
        const lowWeights = v128.load_splat<u32>(weight, 4);
        high0 = i32x4.add(high0, i32x4.dot_i16x8_s(left, highWeights));
        low0 = i32x4.add(low0, i32x4.dot_i16x8_s(left, lowWeights));
        high1 = i32x4.add(high1, i32x4.dot_i16x8_s(right, highWeights));
        low1 = i32x4.add(low1, i32x4.dot_i16x8_s(right, lowWeights));
        at += <usize>stride << 1;
      }
      const words = i16x8.narrow_i32x4_s(rounded(high0, low0), rounded(high1, low1));
      v128.store_lane<u64>(result + x, i8x16.narrow_i16x8_u(words, words), 0);
    }
    weights = end;
    result += stride;
  }
}
