/**
 * Lays a page of pictures out in rows that fill the width, every picture in its own proportions.
 *
 * Where to break the rows is one shortest path over all breaks: a row's cost is how far its height, which follows
 * from its pictures and the width, lies from the height that was wished for. Each page is laid out for itself, so
 * that a page in the middle of 100,000 pictures has its place before the pages above it are known.
 */

/** A picture's place in its page, in CSS pixels. */
export interface Place {
  left: number;
  top: number;
  width: number;
  height: number;
  /** Which row of the page, from 0; for moving up and down with the keyboard. */
  row: number;
}

/** The places of a page's pictures in their order, and the height of it all without a gap below. */
export interface Layout {
  places: Place[];
  height: number;
}

export interface Measures {
  /** CSS pixels to fill. */
  width: number;
  /** The row height to come close to. */
  rowHeight: number;
  /** Between pictures of a row. */
  gap: number;
  /** Between rows. */
  rowGap: number;
  /** Whether the last row may stay short instead of being stretched: true on the last page. */
  loose: boolean;
}

/** Proportions beyond these are cut to them in the grid; the picture's own view shows all of it. */
const narrowest = 0.45;
const widest = 3.4;

/**
 * Places pictures of the given proportions (width / height) in rows. The pictures of a row share one height, and
 * rows reach from 0 to `width`; on a loose page the last row keeps the wished height where that fits.
 */
export function justify(proportions: readonly number[], measures: Measures): Layout {
  const ratios = proportions.map((ratio) => Math.min(widest, Math.max(narrowest, ratio || 1)));
  const places: Place[] = [];
  let top = 0;
  let row = 0;
  for (const [start, end] of breakRows(ratios, measures)) {
    const height = heightOf(ratios, start, end, measures);
    let left = 0;
    for (let picture = start; picture < end; picture++) {
      const width = ratios[picture]! * height;
      places.push({ left, top, width, height, row });
      left += width + measures.gap;
    }
    top += height + measures.rowGap;
    row++;
  }
  return { places, height: Math.max(0, top - measures.rowGap) };
}

/** How high a page of `pictures` will be before their proportions are known. */
export function guessHeight(
  pictures: number,
  { width, rowHeight, gap, rowGap }: Omit<Measures, 'loose'>,
): number {
  const photograph = 1.4;
  const perRow = Math.max(1, (width + gap) / (photograph * rowHeight + gap));
  return Math.ceil(pictures / perRow) * (rowHeight + rowGap) - rowGap;
}

/** The rows [start, end) with the least total cost. */
function breakRows(ratios: readonly number[], measures: Measures): [number, number][] {
  const count = ratios.length;
  const least = new Float64Array(count + 1).fill(Number.POSITIVE_INFINITY);
  const from = new Int32Array(count + 1);
  least[0] = 0;
  for (let end = 1; end <= count; end++) {
    for (let start = end - 1; start >= 0; start--) {
      const cost = least[start]! + costOf(ratios, start, end, measures);
      if (cost < least[end]!) {
        least[end] = cost;
        from[end] = start;
      }
      // Longer rows only get lower from here.
      if (start < end - 1 && filledHeight(ratios, start, end, measures) < measures.rowHeight / 3) break;
    }
  }
  const rows: [number, number][] = [];
  for (let end = count; end > 0; end = from[end]!) rows.unshift([from[end]!, end]);
  return rows;
}

/** The squared logarithm of height over wished height: half as high is as bad as twice as high. */
function costOf(ratios: readonly number[], start: number, end: number, measures: Measures): number {
  const height = heightOf(ratios, start, end, measures);
  // A row that is too full for its gaps is no row; one picture must always be possible.
  if (height <= 0) return Number.POSITIVE_INFINITY;
  return Math.log(height / measures.rowHeight) ** 2;
}

function heightOf(ratios: readonly number[], start: number, end: number, measures: Measures): number {
  const filled = filledHeight(ratios, start, end, measures);
  const short = measures.loose && end === ratios.length && filled > measures.rowHeight;
  return short ? measures.rowHeight : filled;
}

/** The height at which the pictures [start, end) fill the width exactly. */
function filledHeight(ratios: readonly number[], start: number, end: number, measures: Measures): number {
  let sum = 0;
  for (let picture = start; picture < end; picture++) sum += ratios[picture]!;
  return (measures.width - measures.gap * (end - start - 1)) / sum;
}
