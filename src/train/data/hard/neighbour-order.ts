/**
 * An order of rows in which neighbours are near one another: spherical k-means with two centroids (Dhillon and Modha
 * 2001), again and again, until a few rows are left of each part (bisecting k-means, Steinbach et al. 2000).
 */
import { randomNumbers } from '../../../graph/initialise.ts';

/** Parts of no more rows stay as they are. */
const leafRows = 4;
/** Rows from which the two centroids of a part are found. */
const mostSampled = 512;
const rounds = 5;
/** A smaller part than this share is no part: the rows are halved in its place. */
const leastShare = 1 / 16;

/** Rows [first, end) of the order, and the direction of those before them. */
interface Part {
  first: number;
  end: number;
  before: Float32Array | undefined;
}

/**
 * The places of all rows in that order, [rows]: those of near places are near one another. The same rows give the same
 * order. Rows of zeros have the last places.
 * @param rows [rows, width], each of unit length or zeros
 */
export function neighbourOrder(rows: Float32Array, width: number): Uint32Array {
  const count = rows.length / width;
  const isKnown = (row: number): boolean =>
    rows.subarray(row * width, (row + 1) * width).some((value) => value !== 0);
  const all = Array.from({ length: count }, (_, row) => row);
  const known = all.filter(isKnown);
  const order = Uint32Array.from([...known, ...all.filter((row) => !isKnown(row))]);
  const scores = new Float32Array(count);
  const random = randomNumbers(0x0de5);
  const parts: Part[] = [{ first: 0, end: known.length, before: undefined }];
  for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
    if (part.end - part.first <= leafRows) continue;
    const { middle, left } = bisect(part, { rows, width, order, scores, random });
    // The left part comes next, so that the order is gone through from its beginning.
    parts.push({ first: middle, end: part.end, before: left });
    parts.push({ first: part.first, end: middle, before: part.before });
  }
  const places = new Uint32Array(count);
  for (const [place, row] of order.entries()) places[row] = place;
  return places;
}

interface Space {
  rows: Float32Array;
  width: number;
  order: Uint32Array;
  /** Room for a number a row. */
  scores: Float32Array;
  random: () => number;
}

/** Puts the rows of a part into two; that which is nearer to what stands before them comes first. */
function bisect(part: Part, space: Space): { middle: number; left: Float32Array } {
  const { first, end, before } = part;
  const { rows, width, order, scores } = space;
  const [one, other] = centroids(part, space);
  const isTurned = before !== undefined && product(before, other) > product(before, one);
  const [left, right] = isTurned ? [other, one] : [one, other];
  const difference = left.map((value, i) => value - right[i]!);
  let lefts = 0;
  for (let at = first; at < end; at++) {
    const score = productWith(difference, rows, order[at]! * width);
    scores[order[at]!] = score;
    if (score > 0) lefts++;
  }
  const least = Math.max(1, (end - first) * leastShare);
  const isEven = lefts >= least && end - first - lefts >= least;
  const own = order.subarray(first, end);
  if (!isEven) own.sort((a, b) => scores[b]! - scores[a]! || a - b);
  else own.set([...own.filter((row) => scores[row]! > 0), ...own.filter((row) => !(scores[row]! > 0))]);
  return { middle: first + (isEven ? lefts : (end - first) >> 1), left };
}

/** Two directions that the rows of a part gather around, from some of them. */
function centroids(
  { first, end }: Part,
  { rows, width, order, random }: Space,
): [Float32Array, Float32Array] {
  const count = end - first;
  const sample =
    count <= mostSampled
      ? order.slice(first, end)
      : Uint32Array.from({ length: mostSampled }, () => order[first + Math.floor(random() * count)]!);
  const rowAt = (row: number): Float32Array => rows.slice(row * width, (row + 1) * width);
  const farthest = (from: Float32Array): Float32Array => {
    let [least, found] = [Number.POSITIVE_INFINITY, sample[0]!];
    for (const row of sample) {
      const near = productWith(from, rows, row * width);
      if (near < least) [least, found] = [near, row];
    }
    return rowAt(found);
  };
  let one = farthest(rowAt(sample[0]!));
  let other = farthest(one);
  for (let round = 0; round < rounds; round++) {
    const difference = one.map((value, i) => value - other[i]!);
    const sums = [new Float32Array(width), new Float32Array(width)] as const;
    const counts = [0, 0];
    for (const row of sample) {
      const side = productWith(difference, rows, row * width) > 0 ? 0 : 1;
      const sum = sums[side];
      for (let i = 0, from = row * width; i < width; i++) sum[i]! += rows[from + i]!;
      counts[side]!++;
    }
    if (counts[0] === 0 || counts[1] === 0) break;
    [one, other] = [unit(sums[0]), unit(sums[1])];
  }
  return [one, other];
}

function product(a: Float32Array, b: Float32Array): number {
  return productWith(a, b, 0);
}

function productWith(a: Float32Array, rows: Float32Array, from: number): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * rows[from + i]!;
  return sum;
}

function unit(row: Float32Array): Float32Array {
  const length = Math.sqrt(product(row, row));
  return length === 0 ? row : row.map((value) => value / length);
}
