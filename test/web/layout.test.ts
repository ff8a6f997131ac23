/** The grid's layout and its keys, without a browser. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { targetOf } from '../../web/src/search/arrow-keys.ts';
import { guessHeight, justify, type Measures, type Place } from '../../web/src/search/justify.ts';
import { measuresFor, pageSize } from '../../web/src/search/measures.ts';

const measures: Measures = { width: 1000, rowHeight: 200, gap: 10, rowGap: 12, loose: false };
const proportions = fc.array(fc.double({ min: 0.2, max: 5, noNaN: true }), {
  minLength: 1,
  maxLength: pageSize,
});
const widths = fc.double({ min: 280, max: 3000, noNaN: true });

function rowsOf(places: readonly Place[]): Place[][] {
  const rows: Place[][] = [];
  for (const place of places) {
    rows[place.row] ??= [];
    rows[place.row]!.push(place);
  }
  return rows;
}

describe('justify', () => {
  test('fills the width with every row, in order, at one height, without overlap', () => {
    fc.assert(
      fc.property(proportions, widths, (ratios, width) => {
        const wanted = { ...measuresFor(width, true), loose: false };
        const { places, height } = justify(ratios, wanted);
        expect(places).toHaveLength(ratios.length);
        let top = 0;
        for (const row of rowsOf(places)) {
          const last = row.at(-1)!;
          expect(row[0]!.left).toBe(0);
          expect(last.left + last.width).toBeCloseTo(width, 6);
          for (const [i, place] of row.entries()) {
            expect(place.top).toBeCloseTo(top, 6);
            expect(place.height).toBeCloseTo(row[0]!.height, 6);
            expect(place.width).toBeGreaterThan(0);
            if (i > 0) expect(place.left).toBeCloseTo(row[i - 1]!.left + row[i - 1]!.width + wanted.gap, 6);
          }
          top += row[0]!.height + wanted.rowGap;
        }
        expect(height).toBeCloseTo(top - wanted.rowGap, 6);
      }),
      { endOnFailure: true },
    );
  });

  test('keeps proportions that are not extreme', () => {
    const { places } = justify([1.5, 0.75, 1, 1.78, 1.33, 0.8], measures);
    const shown = places.map(({ width, height }) => width / height);
    for (const [i, ratio] of [1.5, 0.75, 1, 1.78, 1.33, 0.8].entries())
      expect(shown[i]).toBeCloseTo(ratio, 6);
  });

  test('breaks rows where the heights stay closest to the one wished for', () => {
    const ratios = [1.5, 1.5, 0.7, 1.8, 1, 0.7, 1.5, 1.3];
    const cost = (heights: number[]) =>
      heights.reduce((sum, height) => sum + Math.log(height / measures.rowHeight) ** 2, 0);
    const found = cost(rowsOf(justify(ratios, measures).places).map((row) => row[0]!.height));
    // Every way to break eight pictures into rows.
    const all = Array.from({ length: 2 ** (ratios.length - 1) }, (_, breaks) => {
      const rows: number[][] = [[]];
      for (const [i, ratio] of ratios.entries()) {
        rows.at(-1)!.push(ratio);
        if (i < ratios.length - 1 && (breaks >> i) & 1) rows.push([]);
      }
      const heights = rows.map(
        (row) =>
          (measures.width - measures.gap * (row.length - 1)) / row.reduce((sum, ratio) => sum + ratio, 0),
      );
      return heights.some((height) => height <= 0) ? Number.POSITIVE_INFINITY : cost(heights);
    });
    expect(found).toBeCloseTo(Math.min(...all), 9);
  });

  test('leaves the last row of the last page short, and no other', () => {
    const [only] = justify([1.5], { ...measures, loose: true }).places;
    expect(only).toMatchObject({ width: 300, height: 200 });
    const [stretched] = justify([1.5], measures).places;
    expect(stretched!.width).toBe(1000);
  });

  test('takes no pictures, and pictures whose size is not known', () => {
    expect(justify([], measures)).toEqual({ places: [], height: 0 });
    const { places } = justify([Number.NaN, 0, 1000], measures);
    for (const place of places) expect(Object.values(place).every(Number.isFinite)).toBe(true);
  });

  test('the guessed height of a page of photographs is near the real one', () => {
    const ratios = Array.from({ length: pageSize }, (_, i) => [1.5, 1.33, 0.75, 1.5, 1.78, 1][i % 6]!);
    for (const width of [360, 780, 1400, 2500]) {
      const wanted = { ...measuresFor(width, false), loose: false };
      const ratio = guessHeight(pageSize, wanted) / justify(ratios, wanted).height;
      expect(ratio).toBeGreaterThan(0.7);
      expect(ratio).toBeLessThan(1.45);
    }
  });
});

describe('arrow keys', () => {
  const total = pageSize * 3;
  const layout = justify(
    Array.from({ length: pageSize }, (_, i) => [1.5, 0.75, 1, 1.78][i % 4]!),
    measures,
  );
  const everywhere = (index: number) => (index < 0 ? undefined : layout.places[index % pageSize]);
  const rowAt = (index: number) => everywhere(index)!.row + Math.floor(index / pageSize) * 1000;

  test('up and down go to the next row, to the picture closest in the middle', () => {
    for (let from = 0; from < total; from++) {
      const down = targetOf('ArrowDown', from, total, everywhere)!;
      if (down >= total) continue;
      const middle = ({ left, width }: Place) => left + width / 2;
      const distance = (index: number) => Math.abs(middle(everywhere(index)!) - middle(everywhere(from)!));
      expect(down).toBeGreaterThan(from);
      const row = Array.from({ length: total }, (_, i) => i).filter((i) => rowAt(i) === rowAt(down));
      expect(Math.min(...row)).toBe(
        1 + Math.max(...Array.from({ length: total }, (_, i) => i).filter((i) => rowAt(i) === rowAt(from))),
      );
      for (const other of row) expect(distance(down)).toBeLessThanOrEqual(distance(other));
    }
  });

  test('cross into pages that are not drawn', () => {
    const firstPage = (index: number) => (index < 0 || index >= pageSize ? undefined : layout.places[index]);
    expect(targetOf('ArrowDown', pageSize - 1, total, firstPage)).toBe(pageSize);
    expect(targetOf('ArrowUp', pageSize, total, firstPage)).toBe(pageSize - 1);
  });

  test('Home, End, left and right; other keys are nobody’s', () => {
    expect(targetOf('Home', 7, total, everywhere)).toBe(0);
    expect(targetOf('End', 7, total, everywhere)).toBe(total - 1);
    expect(targetOf('ArrowRight', 7, total, everywhere)).toBe(8);
    expect(targetOf('ArrowLeft', 7, total, everywhere)).toBe(6);
    expect(targetOf('a', 7, total, everywhere)).toBeUndefined();
  });
});
