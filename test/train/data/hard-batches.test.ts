/** Batches whose pictures are near one another: the order behind them, and how draws become groups. */
import { describe, expect, test } from 'vitest';
import { randomNumbers } from '../../../src/graph/initialise.ts';
import { createDraws } from '../../../src/train/data/draws.ts';
import { createHardDraws, groupedDraws } from '../../../src/train/data/hard/hard-draws.ts';
import { neighbourOrder } from '../../../src/train/data/hard/neighbour-order.ts';
import { createRowFolder } from '../../../src/train/data/hard/picture-rows.ts';

const random = randomNumbers(7);
const noise = () => 2 * random() - 1;

/** Unit rows around so many directions by chance, each row's own one by chance, too. */
function gathered(count: number, width: number, directions: number, spread: number) {
  const centres = Array.from({ length: directions }, () => Array.from({ length: width }, noise));
  const own = Array.from({ length: count }, () => Math.floor(random() * directions));
  const rows = new Float32Array(count * width);
  for (const [row, centre] of own.entries()) {
    const values = centres[centre]!.map((value) => value + spread * noise());
    const length = Math.hypot(...values);
    rows.set(
      values.map((value) => value / length),
      row * width,
    );
  }
  return { rows, own };
}

const cosine = (rows: Float32Array, width: number, a: number, b: number): number => {
  let sum = 0;
  for (let i = 0; i < width; i++) sum += rows[a * width + i]! * rows[b * width + i]!;
  return sum;
};
const mean = (all: readonly number[]): number => all.reduce((sum, x) => sum + x, 0) / all.length;

/** The mean cosine of two rows of one group, over groups that lie one after the other. */
function nearnessOf(groups: readonly (readonly number[])[], rows: Float32Array, width: number): number {
  return mean(
    groups.flatMap((group) =>
      group.flatMap((a, i) => group.slice(i + 1).map((b) => cosine(rows, width, a, b))),
    ),
  );
}

const cut = (all: readonly number[], size: number): number[][] =>
  Array.from({ length: Math.floor(all.length / size) }, (_, at) => all.slice(at * size, (at + 1) * size));

describe('the order of neighbours', () => {
  test('keeps what gathers around one direction together, and the same rows have the same order', () => {
    const { rows, own } = gathered(600, 12, 20, 0.2);
    const places = neighbourOrder(rows, 12);
    expect([...places].sort((a, b) => a - b)).toEqual(Array.from({ length: 600 }, (_, i) => i));
    expect(neighbourOrder(rows, 12)).toEqual(places);
    const order = new Array<number>(600);
    for (const [row, place] of places.entries()) order[place] = row;
    // Where a direction is left, it comes again seldom.
    const changes = order.slice(1).filter((row, i) => own[row] !== own[order[i]!]).length;
    expect(changes).toBeLessThan(40);
  });

  test('of rows that gather nowhere has near neighbours all the same', () => {
    const { rows } = gathered(1000, 6, 1000, 0);
    const places = neighbourOrder(rows, 6);
    const order = new Array<number>(1000);
    for (const [row, place] of places.entries()) order[place] = row;
    const near = nearnessOf(cut(order, 8), rows, 6);
    const byChance = nearnessOf(
      cut(
        Array.from({ length: 1000 }, (_, i) => i),
        8,
      ),
      rows,
      6,
    );
    expect(Math.abs(byChance)).toBeLessThan(0.05);
    expect(near).toBeGreaterThan(0.6);
  });

  test('has equal rows in a row, and those that nothing is known of last', () => {
    const { rows } = gathered(40, 5, 3, 0);
    rows.fill(0, 5 * 5, 7 * 5);
    const places = neighbourOrder(rows, 5);
    expect([places[5], places[6]]).toEqual([38, 39]);
    expect(neighbourOrder(new Float32Array(15), 5)).toEqual(Uint32Array.of(0, 1, 2));
    expect(neighbourOrder(new Float32Array(0), 5)).toEqual(new Uint32Array(0));
  });
});

test('rows lose their mean and are as long as one; wide ones are folded without losing what is near', () => {
  const folder = createRowFolder(3, 2);
  folder.add(0, Float32Array.of(3, 4));
  folder.add(2, Float32Array.of(10, 0));
  const { rows, width } = folder.finish();
  expect(width).toBe(2);
  // (0.6, 0.8) and (1, 0) less their mean (0.8, 0.4) are (−0.2, 0.4) and its opposite.
  const wanted = [-1 / Math.sqrt(5), 2 / Math.sqrt(5), 0, 0, 1 / Math.sqrt(5), -2 / Math.sqrt(5)];
  for (const [i, value] of wanted.entries()) expect(rows[i]).toBeCloseTo(value, 6);

  const wide = gathered(60, 2000, 60, 0);
  const folding = createRowFolder(60, 2000);
  for (let row = 0; row < 60; row++) folding.add(row, wide.rows.subarray(row * 2000, (row + 1) * 2000));
  const folded = folding.finish();
  expect(folded.width).toBe(512);
  // The same without folding: less their mean, as long as one.
  const means = Array.from({ length: 2000 }, (_, i) =>
    mean(Array.from({ length: 60 }, (_, row) => wide.rows[row * 2000 + i]!)),
  );
  const centred = wide.rows.map((value, at) => value - means[at % 2000]!);
  const plain = (a: number, b: number): number =>
    cosine(centred, 2000, a, b) / Math.sqrt(cosine(centred, 2000, a, a) * cosine(centred, 2000, b, b));
  const differences = Array.from({ length: 60 * 60 }, (_, at) => [Math.floor(at / 60), at % 60] as const)
    .filter(([a, b]) => a < b)
    .map(([a, b]) => Math.abs(cosine(folded.rows, 512, a, b) - plain(a, b)));
  // 1 / √512 is the deviation of a product of folded rows.
  expect(mean(differences)).toBeLessThan(1 / Math.sqrt(512));
});

describe('draws in groups', () => {
  const sizes = [500, 60];
  const batch = 48;
  const options = { batch, share: 0.5, group: 8, seed: 3 };
  const { rows } = gathered(560, 10, 40, 0.3);
  const all = neighbourOrder(rows, 10);
  const places = [all.subarray(0, 500), all.subarray(500)];
  const byChance = (seed = 3) =>
    createDraws(
      sizes.map((size, at) => ({ size, weight: at === 0 ? 3 : 1 })),
      seed,
    );
  const hard = (changes: Partial<typeof options> = {}) =>
    createHardDraws(byChance(changes.seed), { ...options, ...changes, places });
  const pictureAt = ({ source, picture }: { source: number; picture: number }) =>
    source === 0 ? picture : 500 + picture;
  const batchOf = (draw: ReturnType<typeof hard>, step: number): number[] =>
    Array.from({ length: batch }, (_, row) => pictureAt(draw({ number: step * batch + row })));

  test('are nearer to one another than chance, in whole groups of the share of each batch', () => {
    expect(groupedDraws(options)).toBe(24);
    expect(groupedDraws({ batch: 100, share: 0.3, group: 8 })).toBe(24);
    expect(groupedDraws({ batch: 10, share: 0.5, group: 8 })).toBe(0);
    const draw = hard();
    const base = byChance();
    const batches = Array.from({ length: 40 }, (_, step) => batchOf(draw, step));
    const grouped = batches.flatMap((one) => cut(one.slice(0, 24), 8));
    const others = batches.flatMap((one) => cut(one.slice(24), 8));
    expect(nearnessOf(others, rows, 10)).toBeLessThan(0.2);
    expect(nearnessOf(grouped, rows, 10)).toBeGreaterThan(nearnessOf(others, rows, 10) + 0.5);
    // What is not in groups is what would have come anyway.
    for (const [step, one] of batches.entries()) {
      expect(one.slice(24)).toEqual(batchOf(base, step).slice(24));
    }
    // Seldom is a picture twice in a group.
    const twice = grouped.filter((group) => new Set(group).size < group.length).length;
    expect(twice / grouped.length).toBeLessThan(0.1);
  });

  test('are the same pictures as without groups, each as often, in every window', () => {
    const [draw, base] = [hard(), byChance()];
    // 560 pictures are twelve batches of 48.
    for (const window of [0, 1, 5]) {
      const steps = Array.from({ length: 12 }, (_, i) => window * 12 + i);
      const sorted = (one: ReturnType<typeof hard>) =>
        steps.flatMap((step) => batchOf(one, step)).sort((a, b) => a - b);
      expect(sorted(draw)).toEqual(sorted(base));
      const first = (one: ReturnType<typeof hard>) => batchOf(one, window * 12).slice(0, 24);
      expect(first(draw)).not.toEqual(first(base));
    }
  });

  test('follow from the seed and the number alone, in whatever order they are asked for', () => {
    const steps = [30, 2, 31, 13, 2, 0, 25];
    const draw = hard();
    const asked = steps.map((step) => batchOf(draw, step));
    for (const [at, step] of steps.entries()) expect(batchOf(hard(), step)).toEqual(asked[at]);
    expect(batchOf(hard({ seed: 4 }), 2)).not.toEqual(asked[1]);
  });

  test('replace a broken picture by another one of its source', () => {
    const draw = hard();
    for (const number of [0, 5, 30, 1000]) {
      const { source } = draw({ number });
      const again = draw({ number, attempt: 1 });
      expect(again.source).toBe(source);
      expect(draw({ number, attempt: 1 })).toEqual(again);
    }
  });
});
