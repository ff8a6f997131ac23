/** Which picture is drawn as the n-th of a training: sources by their weights, each gone through in random orders. */
import { randomAt } from './chance.ts';

export interface Draw {
  source: number;
  /** Index of the picture in its source. */
  picture: number;
}

export interface Drawable {
  /** Pictures. */
  size: number;
  weight: number;
}

/** Draws in a block, within which every source comes as often as its weight says. */
const blockLength = 4096;

/** Two kinds of chance that must not be the same numbers. */
const [ofBlocks, ofOrders, ofReplacements] = [1, 2, 3];

/**
 * The n-th draw, as a pure function of the seed and n. A source is gone through to its end, in an order of its own each
 * time, before a picture comes again.
 * @param draw.attempt counted up where the picture drawn before is broken: then any other of the same source
 */
export function createDraws(
  sources: readonly Drawable[],
  seed: number,
): (draw: { number: number; attempt?: number }) => Draw {
  const counts = countsInBlock(sources.map(({ weight }) => weight));
  const orders = new Map<number, { round: number; order: Uint32Array }>();
  let block: { number: number; sources: Uint16Array; places: Uint16Array } | undefined;

  const orderOf = (source: number, round: number): Uint32Array => {
    const known = orders.get(source);
    if (known?.round === round) return known.order;
    const order = Uint32Array.from({ length: sources[source]!.size }, (_, index) => index);
    shuffle(order, randomAt(seed, ofOrders, source, round));
    orders.set(source, { round, order });
    return order;
  };

  return ({ number, attempt = 0 }) => {
    const which = Math.floor(number / blockLength);
    if (block?.number !== which)
      block = { number: which, ...blockAt(counts, randomAt(seed, ofBlocks, which)) };
    const within = number - which * blockLength;
    const source = block.sources[within]!;
    const { size } = sources[source]!;
    if (attempt > 0) {
      const random = randomAt(seed, ofReplacements, number, attempt);
      return { source, picture: Math.floor(random() * size) };
    }
    const place = which * counts[source]! + block.places[within]!;
    const round = Math.floor(place / size);
    return { source, picture: orderOf(source, round)[place - round * size]! };
  };
}

/** The sources of a block's draws in random order, and the how-many-th of its source each one is. */
function blockAt(counts: readonly number[], random: () => number) {
  const sources = new Uint16Array(blockLength);
  let at = 0;
  for (const [source, count] of counts.entries()) {
    sources.fill(source, at, at + count);
    at += count;
  }
  shuffle(sources, random);
  const seen = counts.map(() => 0);
  const places = Uint16Array.from(sources, (source) => seen[source]!++);
  return { sources, places };
}

/** Whole numbers of draws that add up to a block, by the largest remainders; none is 0 for a source with a weight. */
function countsInBlock(weights: readonly number[]): number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const exact = weights.map((weight) => (weight / sum) * blockLength);
  const counts = exact.map((wanted, source) => (weights[source]! > 0 ? Math.max(1, Math.floor(wanted)) : 0));
  const indices = [...weights.keys()].filter((source) => weights[source]! > 0);
  const missing = (source: number): number => exact[source]! - counts[source]!;
  let rest = blockLength - counts.reduce((total, count) => total + count, 0);
  for (; rest > 0; rest--) counts[indices.reduce((a, b) => (missing(b) > missing(a) ? b : a))]!++;
  // What the lightest got too much, those with the most to spare give.
  for (; rest < 0; rest++) {
    const spare = indices.filter((source) => counts[source]! > 1);
    counts[spare.reduce((a, b) => (missing(b) < missing(a) ? b : a))]!--;
  }
  return counts;
}

/** Fisher and Yates, in place. */
function shuffle(values: Uint32Array | Uint16Array, random: () => number): void {
  for (let at = values.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [values[at], values[other]] = [values[other]!, values[at]!];
  }
}
