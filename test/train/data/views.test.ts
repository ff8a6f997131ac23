import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomNumbers } from '../../../src/graph/initialise.ts';
import { writeRandomView } from '../../../src/train/data/augment.ts';
import { augmentationSchema } from '../../../src/train/data/config.ts';
import { drawLines } from '../../../src/train/data/drawing.ts';
import { randomView, resizeView, wholeView } from '../../../src/train/data/views.ts';
import { preprocessing } from './tiny-data.ts';

const size = preprocessing.size;
const plane = size * size;
const plain = { area: [1, 1], proportion: 1, flip: 0, colour: 0, grey: 0, coarse: 0 } as const;
const settings = (changes: object) => ({
  preprocessing,
  augmentation: augmentationSchema.parse({ ...plain, ...changes }),
});

/** A square of RGB bytes by formula. */
const picture = (side: number, value: (x: number, y: number, channel: number) => number) => ({
  side,
  data: Uint8Array.from({ length: side * side * 3 }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return value(pixel % side, Math.floor(pixel / side), i % 3);
  }),
});

/** The bytes that a normalised value stands for. */
const shade = (values: Float32Array, channel: number, pixel: number): number =>
  (values[channel * plane + pixel]! * preprocessing.deviation[channel]! + preprocessing.mean[channel]!) * 255;

const look = (
  of: ReturnType<typeof picture>,
  changes: object,
  seed = 1,
  crop?: Parameters<typeof writeRandomView>[5],
) => {
  const target = new Float32Array(3 * plane + 2).fill(7);
  writeRandomView(of, settings(changes), randomNumbers(seed), target, 1, crop);
  expect([target[0], target.at(-1)]).toEqual([7, 7]);
  return target.subarray(1, -1);
};

describe('views', () => {
  test('lie inside the picture and keep the area asked for', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 300 }), (seed, side) => {
        const options = { area: [0.5, 0.75], proportion: 4 / 3, flip: 0.5 } as const;
        const { left, top, width, height } = randomView(side, randomNumbers(seed), options);
        expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
        expect(Math.max(left + width, top + height)).toBeLessThanOrEqual(side + 1e-9);
        expect(width * height).toBeLessThanOrEqual(0.75 * side * side + 1e-6);
        expect(width * height).toBeGreaterThan(0.4 * side * side);
      }),
    );
  });

  const some = picture(5, (x, y, channel) => (x * 37 + y * 91 + channel * 13) % 256);

  test('of the whole at the same size change nothing, mirrored ones reverse the rows', () => {
    expect([...resizeView(some.data, 5, wholeView(5), 5)]).toEqual([...some.data]);
    const mirrored = resizeView(some.data, 5, { ...wholeView(5), mirrored: true }, 5);
    for (let y = 0; y < 5; y++) {
      for (let x = 0; x < 5; x++) {
        expect(mirrored[(y * 5 + x) * 3 + 1]).toBe(some.data[(y * 5 + 4 - x) * 3 + 1]);
      }
    }
  });

  test('agree with plain sums over the picture, its edge repeated', () => {
    const views = fc.record({
      left: fc.double({ min: 0, max: 3, noNaN: true }),
      top: fc.double({ min: 0, max: 3, noNaN: true }),
      width: fc.double({ min: 0.2, max: 2, noNaN: true }),
      height: fc.double({ min: 0.2, max: 2, noNaN: true }),
      mirrored: fc.boolean(),
    });
    fc.assert(
      fc.property(views, fc.integer({ min: 1, max: 9 }), (view, wanted) => {
        const result = resizeView(some.data, 5, view, wanted);
        const weightsOf = (from: number, length: number, i: number) => {
          const step = length / wanted;
          const reach = Math.max(1, step);
          const centre = from + (i + 0.5) * step - 0.5;
          const weights = new Map<number, number>();
          let sum = 0;
          for (let source = -12; source < 20; source++) {
            const weight = Math.max(0, 1 - Math.abs(source - centre) / reach);
            const inside = Math.min(4, Math.max(0, source));
            weights.set(inside, (weights.get(inside) ?? 0) + weight);
            sum += weight;
          }
          return [...weights].map(([source, weight]) => [source, weight / sum] as const);
        };
        for (let y = 0; y < wanted; y++) {
          for (let x = 0; x < wanted; x++) {
            let value = 0;
            for (const [row, down] of weightsOf(view.top, view.height, y)) {
              const at = view.mirrored ? wanted - 1 - x : x;
              for (const [column, across] of weightsOf(view.left, view.width, at)) {
                value += down * across * some.data[(row * 5 + column) * 3 + 2]!;
              }
            }
            expect(Math.abs(result[(y * wanted + x) * 3 + 2]! - value)).toBeLessThan(1e-3);
          }
        }
      }),
      { endOnFailure: true },
    );
  });
});

describe('augmentation', () => {
  test('that is switched off is resizing and normalising alone', () => {
    const whole = picture(size, (x, y, channel) => x * 20 + y * 7 + channel);
    const values = look(whole, {});
    for (let i = 0; i < plane * 3; i++) {
      expect(shade(values, i % 3, Math.floor(i / 3))).toBeCloseTo(whole.data[i]!, 3);
    }
  });

  test('of one colour stays of that colour whatever the crop, and within black and white whatever the colours', () => {
    const grey = picture(9, () => 90);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const values = look(
          grey,
          { area: [0.2, 1], flip: 0.5, grey: 0.5, coarse: 0.5, coarseSide: [3, 6] },
          seed,
        );
        const wild = look(
          picture(9, (x) => x * 28),
          { colour: 0.9 },
          seed,
        );
        for (let pixel = 0; pixel < plane; pixel++) {
          expect(shade(values, 1, pixel)).toBeCloseTo(90, 2);
          expect(shade(wild, 2, pixel)).toBeGreaterThan(-0.01);
          expect(shade(wild, 2, pixel)).toBeLessThan(255.01);
        }
      }),
      { endOnFailure: true, numRuns: 40 },
    );
  });

  test('makes pictures grey, coarse and mirrored as often as asked', () => {
    const stripes = picture(32, (x, y, channel) => ((x + y) % 2) * 200 + channel * 20);
    const flat = look(stripes, { coarse: 1, coarseSide: [2, 2] });
    const middle = [0, 1, 2].map((channel) => shade(flat, channel, plane / 2 + 4));
    for (const [channel, value] of middle.entries())
      expect(Math.abs(value - 100 - channel * 20)).toBeLessThan(15);
    const grey = look(
      picture(8, (_x, _y, channel) => channel * 100),
      { grey: 1 },
    );
    expect(shade(grey, 0, 9)).toBeCloseTo(shade(grey, 2, 9), 3);
    expect(shade(grey, 0, 9)).toBeCloseTo(0.587 * 100 + 0.114 * 200, 2);
    const slope = picture(8, (x) => x * 30);
    const mirrored = look(slope, { flip: 1 });
    expect(shade(mirrored, 0, 0)).toBeGreaterThan(shade(mirrored, 0, 7));
  });

  test('covers a rectangle with the mean colour', () => {
    const white = picture(8, () => 255);
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const values = look(white, { cutOut: 1, cutOutArea: [0.2, 0.3] }, seed);
        const covered = values.subarray(0, plane).filter((value) => value === 0).length;
        expect(covered).toBeGreaterThan(4);
        expect(covered).toBeLessThan(0.5 * plane);
        expect(values.filter((value) => value === 0)).toHaveLength(3 * covered);
      }),
      { endOnFailure: true },
    );
  });

  test('shrinks a picture and puts it anywhere on a plain ground or one of its mean colour', () => {
    const blue = picture(16, (_x, _y, channel) => [10, 20, 200][channel]!);
    const places = new Set<string>();
    let plain = 0;
    for (let seed = 0; seed < 60; seed++) {
      const values = look(blue, { shrink: 1, shrinkSide: [0.3, 0.7] }, seed);
      const isOwn = (pixel: number): boolean =>
        [10, 20, 200].every((wanted, channel) => Math.abs(shade(values, channel, pixel) - wanted) < 0.01);
      const own = [...Array(plane).keys()].filter(isOwn);
      // On its mean colour a picture of one colour cannot be told from the ground.
      if (own.length === plane) continue;
      plain++;
      const side = Math.sqrt(own.length);
      expect([2, 3, 4, 5, 6]).toContain(side);
      const [first] = own;
      const rows = Array.from({ length: side }, (_, row) => first! + row * size);
      expect(own).toEqual(
        rows.flatMap((start) => Array.from({ length: side }, (_, column) => start + column)),
      );
      places.add(String(first));
      const ground = [...Array(plane).keys()].filter((pixel) => !own.includes(pixel));
      for (const channel of [0, 1, 2]) {
        const shades = ground.map((pixel) => shade(values, channel, pixel));
        expect(Math.max(...shades) - Math.min(...shades)).toBeLessThan(1e-3);
      }
    }
    expect(plain).toBeGreaterThan(15);
    expect(plain).toBeLessThan(45);
    expect(places.size).toBeGreaterThan(8);
  });

  test('draws dark lines on white where the luminance has edges, as loops over a Gaussian say', () => {
    const side = 12;
    const pixels = Float32Array.from({ length: side * side * 3 }, (_, i) => (i * 97 + (i % 7) * 31) % 256);
    const style = { sigma: 0.9, threshold: 0.4, steepness: 1.5 };
    const luminance = (x: number, y: number): number => {
      const [column, row] = [x, y].map((at) => Math.min(side - 1, Math.max(0, at)));
      const [red, green, blue] = pixels.subarray((row! * side + column!) * 3);
      return 0.299 * red! + 0.587 * green! + 0.114 * blue!;
    };
    const blur = (x: number, y: number, sigma: number): number => {
      const radius = Math.ceil(2.5 * sigma);
      let [sum, weights] = [0, 0];
      for (let dy = -radius; dy <= radius; dy++) {
        for (let dx = -radius; dx <= radius; dx++) {
          const weight = Math.exp(-(dx * dx + dy * dy) / (2 * sigma ** 2));
          sum += weight * luminance(x + dx, y + dy);
          weights += weight;
        }
      }
      return sum / weights;
    };
    const places = Array.from(
      { length: side * side },
      (_, at) => [at % side, Math.floor(at / side)] as const,
    );
    const differences = places.map(([x, y]) => blur(x, y, style.sigma) - blur(x, y, 1.6 * style.sigma));
    const spread = Math.sqrt(differences.reduce((sum, one) => sum + one * one, 0) / differences.length);
    const wanted = differences.map((difference) => {
      const above = difference / spread + style.threshold;
      return above >= 0 ? 255 : 255 * (1 + Math.tanh(style.steepness * above));
    });
    const drawn = pixels.slice();
    drawLines(drawn, side, style);
    expect(new Set(wanted).size).toBeGreaterThan(side);
    wanted.forEach((shade, at) => {
      for (const channel of [0, 1, 2]) expect(Math.abs(drawn[3 * at + channel]! - shade)).toBeLessThan(0.01);
    });
  });

  test('leaves a plain picture white as a drawing, and a small drawing on white paper', () => {
    for (let seed = 0; seed < 20; seed++) {
      const plain = look(
        picture(16, () => 70),
        { drawing: 1 },
        seed,
      );
      for (let pixel = 0; pixel < plane; pixel++) expect(shade(plain, 1, pixel)).toBeCloseTo(255, 2);
      const halves = picture(64, (x) => (x < 32 ? 0 : 255));
      const small = look(halves, { drawing: 1, shrink: 1, shrinkSide: [0.5, 0.5] }, seed);
      const dark = [...Array(plane).keys()].filter((pixel) => shade(small, 0, pixel) < 254.9);
      expect(dark.length).toBeGreaterThan(0);
      expect(dark.length).toBeLessThanOrEqual(16);
    }
  });

  test('that may draw and shrink but does not is what it was without', () => {
    const stripes = picture(32, (x, y, channel) => ((x + y) % 2) * 200 + channel * 20);
    const all = {
      area: [0.3, 1],
      flip: 0.5,
      colour: 0.3,
      grey: 0.3,
      coarse: 0.5,
      coarseSide: [3, 6],
      cutOut: 0.5,
    };
    for (let seed = 0; seed < 10; seed++) {
      expect(look(stripes, { ...all, drawing: 0, shrink: 0 }, seed)).toEqual(look(stripes, all, seed));
    }
  });

  test('takes a given crop in place of a random one', () => {
    const halves = picture(16, (x) => (x < 8 ? 10 : 200));
    const values = look(halves, { area: [0.1, 0.1] }, 3, { left: 9, top: 0, width: 7, height: 16 });
    for (let pixel = 0; pixel < plane; pixel++) expect(shade(values, 0, pixel)).toBeCloseTo(200, 2);
  });
});
