/** Laws that resampling obeys whatever the picture. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runByKernel } from '../../src/image/kernel.ts';
import { type Interpolation, planPasses, resample, runPlainly, type Span } from '../../src/image/resample.ts';
import { planGeometry } from '../../src/image/resize.ts';
import { clipPreprocessing } from '../../src/models/preprocessing.ts';
import { difference } from './fixture-pictures.ts';

fc.configureGlobal({ numRuns: 50 });

const interpolations: Interpolation[] = ['bicubic', 'bilinear', 'lanczos', 'nearest'];
const side = fc.integer({ min: 1, max: 40 });

interface Picture {
  data: Uint8Array;
  width: number;
  height: number;
  channels: number;
}

const picture = (channels: fc.Arbitrary<number>): fc.Arbitrary<Picture> =>
  fc.tuple(side, side, channels, fc.integer()).map(([width, height, count, seed]) => {
    const data = new Uint8Array(width * height * count);
    let state = seed | 1;
    for (let i = 0; i < data.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      data[i] = state >>> 24;
    }
    return { data, width, height, channels: count };
  });

function whole(from: number, to: number): Span {
  return { from, to, first: 0, count: to };
}

function resizeTo(image: Picture, width: number, height: number, interpolation: Interpolation): Picture {
  const across = whole(image.width, width);
  const down = whole(image.height, height);
  const data = new Uint8Array(resample(image.data, image.channels, across, down, interpolation));
  return { data, width, height, channels: image.channels };
}

function flip(image: Picture): Picture {
  const data = new Uint8Array(image.data.length);
  for (let y = 0; y < image.height; y++) {
    for (let x = 0; x < image.width; x++) {
      for (let c = 0; c < image.channels; c++) {
        data[(y * image.width + image.width - 1 - x) * image.channels + c] =
          image.data[(y * image.width + x) * image.channels + c]!;
      }
    }
  }
  return { ...image, data };
}

describe.each(interpolations)('%s', (interpolation) => {
  test('to the same size is the identity', () => {
    fc.assert(
      fc.property(picture(fc.integer({ min: 1, max: 4 })), (image) => {
        expect(resizeTo(image, image.width, image.height, interpolation).data).toEqual(image.data);
      }),
    );
  });

  test('a constant picture stays constant', () => {
    fc.assert(
      fc.property(side, side, side, side, fc.nat(255), (width, height, toWidth, toHeight, value) => {
        const image = { data: new Uint8Array(width * height * 3).fill(value), width, height, channels: 3 };
        const result = resizeTo(image, toWidth, toHeight, interpolation);
        expect(result.data.every((found) => found === value)).toBe(true);
      }),
    );
  });

  test('channels do not see each other', () => {
    fc.assert(
      fc.property(picture(fc.constantFrom(2, 3, 4)), side, side, (image, width, height) => {
        const together = resizeTo(image, width, height, interpolation);
        for (let channel = 0; channel < image.channels; channel++) {
          const take = (from: Picture) => from.data.filter((_, i) => i % image.channels === channel);
          const alone = resizeTo({ ...image, data: take(image), channels: 1 }, width, height, interpolation);
          expect(alone.data).toEqual(take(together));
        }
      }),
    );
  });

  test('a part alone equals the part of the whole', () => {
    fc.assert(
      fc.property(
        picture(fc.constantFrom(1, 3)),
        side,
        side,
        fc.float({ min: 0, max: 1, noNaN: true }),
        fc.float({ min: 0, max: 1, noNaN: true }),
        (image, width, height, begin, extent) => {
          const part = (length: number) => {
            const first = Math.floor(begin * (length - 1));
            return { first, count: 1 + Math.floor(extent * (length - first - 1)) };
          };
          const across = { ...whole(image.width, width), ...part(width) };
          const down = { ...whole(image.height, height), ...part(height) };
          const alone = resample(image.data, image.channels, across, down, interpolation);
          const all = resizeTo(image, width, height, interpolation);
          const cut: number[] = [];
          for (let y = down.first; y < down.first + down.count; y++) {
            const at = (y * width + across.first) * image.channels;
            cut.push(...all.data.subarray(at, at + across.count * image.channels));
          }
          expect([...alone]).toEqual(cut);
        },
      ),
    );
  });

  // The nearest neighbour of a border between two pixels is always the right one, so it does not commute.
  test.skipIf(interpolation === 'nearest')('commutes with flipping up to rounding', () => {
    fc.assert(
      fc.property(picture(fc.constant(3)), side, side, (image, width, height) => {
        const one = flip(resizeTo(image, width, height, interpolation));
        const other = resizeTo(flip(image), width, height, interpolation);
        expect(difference(one.data, other.data).max).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('the WebAssembly kernel computes what plain code does', () => {
  test.each(['bicubic', 'bilinear', 'lanczos'] as const)('%s', (interpolation) => {
    let ran = 0;
    fc.assert(
      fc.property(picture(fc.constantFrom(1, 3, 4)), side, side, (image, width, height) => {
        const across = {
          from: image.width,
          to: width,
          first: Math.floor(width / 3),
          count: Math.ceil(width / 2),
        };
        const down = {
          from: image.height,
          to: height,
          first: Math.floor(height / 2),
          count: Math.ceil(height / 3),
        };
        across.count = Math.min(across.count, width - across.first);
        down.count = Math.min(down.count, height - down.first);
        const passes = planPasses(image.data, image.channels, across, down, interpolation);
        const found = runByKernel(passes);
        if (!found) return;
        ran += 1;
        expect(found).toEqual(runPlainly(passes));
      }),
    );
    expect(ran).toBeGreaterThan(15);
  });

  test('black and white, where weights overshoot', () => {
    for (const to of [7, 63, 65, 500]) {
      const data = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (Math.floor(i / 3) % 5 < 2 ? 255 : 0));
      const passes = planPasses(data, 3, whole(64, to), whole(64, to), 'lanczos');
      expect(difference(runByKernel(passes)!, runPlainly(passes)).max).toBe(0);
    }
  });

  test('a picture of many strips', () => {
    const data = Uint8Array.from({ length: 2500 * 900 * 3 }, (_, i) => (i * 7919) >> 4);
    const passes = planPasses(data, 3, whole(2500, 33), whole(900, 31), 'bicubic');
    expect(difference(runByKernel(passes)!, runPlainly(passes)).max).toBe(0);
  });

  test('a picture that would swell its memory goes without', () => {
    const data = new Uint8Array(100_000 * 3).fill(9);
    const passes = planPasses(data, 3, whole(1, 224), whole(100_000, 224), 'bicubic');
    expect(runByKernel(passes)).toBeUndefined();
    expect(resample(data, 3, whole(1, 224), whole(100_000, 224), 'bicubic').every((v) => v === 9)).toBe(true);
  });
});

describe('geometry', () => {
  test('extreme shapes cost only what is looked at', () => {
    const strip = new Uint8Array(3_000_000);
    for (const [width, height] of [
      [1_000_000, 1],
      [1, 1_000_000],
    ] as const) {
      const { across, down } = planGeometry(width, height, { ...clipPreprocessing, size: 224 });
      expect([across.count, down.count]).toEqual([224, 224]);
      expect(resample(strip, 3, across, down, 'bicubic').length).toBe(224 * 224 * 3);
      expect(resample(strip, 3, across, down, 'nearest').length).toBe(224 * 224 * 3);
    }
  });

  test('an odd margin is rounded half to even, or down', () => {
    const firsts = (width: number, cropRounding: 'half_even' | 'down') =>
      planGeometry(width, 32, { ...clipPreprocessing, size: 32, cropRounding }).across.first;
    expect([33, 35, 37].map((width) => firsts(width, 'half_even'))).toEqual([0, 2, 2]);
    expect([33, 35, 37].map((width) => firsts(width, 'down'))).toEqual([0, 1, 2]);
  });

  test('the longest side fits, and a picture one pixel high keeps one row', () => {
    const { across, down, left, top } = planGeometry(1000, 3, {
      ...clipPreprocessing,
      size: 32,
      resize: 'longest',
    });
    expect({ across, down, left, top }).toEqual({
      across: { from: 1000, to: 32, first: 0, count: 32 },
      down: { from: 3, to: 1, first: 0, count: 1 },
      left: 0,
      top: 15,
    });
  });
});
