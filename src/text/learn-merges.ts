/**
 * Which tokens are joined, pair by pair, from words and how often each comes (Sennrich et al. 2016, algorithm 1).
 *
 * All words lie in one array, and a pair keeps the places where it stands, so that a merge touches nothing but those
 * places. New pairs all have the new token in them: their places are known, once and for all, when its merge is done.
 */
import { symbolOfByte, symbolsInVocabularyOrder } from './byte-symbols.ts';
import { createPairs, type Pairs } from './frequent-pairs.ts';
import type { MergePair } from './openai-vocabulary.ts';

/** Ids of bytes inside and at the end of words. */
const symbols = 512;

/** Ids are numbered as in the finished vocabulary, so that the id of a merge is 512 + its rank. */
export function learnMerges(wordCounts: ReadonlyMap<string, number>, wanted: number): MergePair[] {
  const tokens = [...symbolsInVocabularyOrder, ...symbolsInVocabularyOrder.map((symbol) => `${symbol}</w>`)];
  const known = new Set(tokens);
  const words = layOut(wordCounts);
  const pairs = createPairs();
  offerSymbols(words, pairs);
  const neighbours = createNeighbours(symbols + wanted);
  const merges: MergePair[] = [];
  while (merges.length < wanted) {
    const best = pairs.takeMostFrequent();
    if (best === undefined) break;
    const { left, right, places } = best;
    const token = tokens[left]! + tokens[right]!;
    // The same letters joined in another way: a token must not stand in the vocabulary twice.
    if (known.has(token)) continue;
    known.add(token);
    const id = tokens.length;
    tokens.push(token);
    merges.push([tokens[left]!, tokens[right]!]);
    const joined = join(words, { left, right, places }, id, pairs);
    offerNew(words, joined, id, pairs, neighbours);
  }
  return merges;
}

/** All words as tokens, one after the other. */
interface Words {
  /**
   * `boundary` before and after each word. A token lies in as many cells as it has bytes: its id in the first, in the
   * second and in the last −(their number), so that the next and the one before are found from both sides.
   */
  cells: Int32Array;
  /** How often the word at a place comes. */
  weightAt(place: number): number;
}

const boundary = -2147483648;

function layOut(wordCounts: ReadonlyMap<string, number>): Words {
  const idInside = new Map(symbolsInVocabularyOrder.map((symbol, id) => [symbol, id]));
  const idOfByte = Int32Array.from(symbolOfByte, (symbol) => idInside.get(symbol)!);
  // Equally frequent words lie together, so that a few thousand numbers tell how often each word comes.
  const sorted = [...wordCounts].sort((a, b) => b[1] - a[1]);
  const encoder = new TextEncoder();
  let bytes = new Uint8Array(1024);
  let cells = new Int32Array(1 << 16);
  let length = 1;
  cells[0] = boundary;
  const starts: number[] = [];
  const weights: number[] = [];
  for (const [word, count] of sorted) {
    if (bytes.length < 3 * word.length) bytes = new Uint8Array(6 * word.length);
    const { written } = encoder.encodeInto(word, bytes);
    if (written < 2) continue;
    if (cells.length <= length + written) cells = grown(cells, length + written + 1);
    if (weights.at(-1) !== count) {
      starts.push(length);
      weights.push(count);
    }
    for (let i = 0; i < written; i++) cells[length++] = idOfByte[bytes[i]!]!;
    cells[length - 1]! += 256;
    cells[length++] = boundary;
  }
  return {
    cells: cells.subarray(0, length),
    weightAt(place) {
      let [low, high] = [0, starts.length - 1];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (starts[middle]! <= place) low = middle;
        else high = middle - 1;
      }
      return weights[low]!;
    },
  };
}

function grown(cells: Int32Array<ArrayBuffer>, needed: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(needed, Math.ceil(cells.length * 1.5)));
  larger.set(cells);
  return larger;
}

/** The place of the token after the one at `place`; a boundary where the word ends. */
function after(cells: Int32Array, place: number): number {
  const next = cells[place + 1]!;
  return next < 0 && next !== boundary ? place - next : place + 1;
}

/** The place of the token before the one at `place`; a boundary where the word begins. */
function before(cells: Int32Array, place: number): number {
  const last = cells[place - 1]!;
  return last < 0 && last !== boundary ? place + last : place - 1;
}

/** The pairs of single bytes. */
function offerSymbols({ cells, weightAt }: Words, pairs: Pairs): void {
  const counts = new Int32Array(symbols * symbols);
  const weights = new Float64Array(symbols * symbols);
  const each = (visit: (pair: number, place: number) => void): void => {
    for (let place = 1; place + 1 < cells.length; place++) {
      if (cells[place]! >= 0 && cells[place + 1]! >= 0)
        visit(cells[place]! * symbols + cells[place + 1]!, place);
    }
  };
  each((pair, place) => {
    counts[pair]!++;
    weights[pair]! += weightAt(place);
  });
  const ends = new Int32Array(symbols * symbols);
  let total = 0;
  for (let pair = 0; pair < counts.length; pair++) {
    ends[pair] = total;
    if (weights[pair]! >= 2) total += counts[pair]!;
  }
  const places = new Int32Array(total);
  each((pair, place) => {
    if (weights[pair]! >= 2) places[ends[pair]!++] = place;
  });
  for (let pair = 0; pair < counts.length; pair++) {
    if (weights[pair]! < 2) continue;
    const [left, right] = [Math.floor(pair / symbols), pair % symbols];
    const [start, end] = [ends[pair]! - counts[pair]!, ends[pair]!];
    pairs.offer({ left, right, count: weights[pair]!, block: places, start, end });
  }
}

/**
 * Joins the pair wherever it still stands, from left to right, and takes what it stood beside from the counts of pairs.
 * Returns the places of the new token.
 */
function join(
  { cells, weightAt }: Words,
  { left, right, places }: { left: number; right: number; places: Int32Array },
  id: number,
  pairs: Pairs,
): Int32Array {
  let count = 0;
  for (const place of places) {
    if (cells[place] !== left) continue;
    const middle = after(cells, place);
    if (cells[middle] !== right) continue;
    const weight = weightAt(place);
    const end = after(cells, middle);
    const [ahead, behind] = [cells[before(cells, place)]!, cells[end]!];
    // What stands beside a token that has just been made is counted when all of them are made.
    if (ahead !== boundary && ahead !== id) pairs.lower(ahead, left, weight);
    if (behind !== boundary) pairs.lower(right, behind, weight);
    const span = end - place;
    cells[place] = id;
    cells[middle] = -span; // no longer a token, wherever it lies
    cells[place + 1] = -span;
    cells[end - 1] = -span;
    // The list is read once: the places that count go to its beginning.
    places[count++] = place;
  }
  return places.subarray(0, count);
}

/** What stands beside a new token: by the neighbour's id, how often and at how many places. */
interface Neighbours {
  counts: Int32Array;
  weights: Float64Array;
  /** The ids whose counts are not zero. */
  met: number[];
}

function createNeighbours(ids: number): { left: Neighbours; right: Neighbours } {
  const empty = (): Neighbours => ({
    counts: new Int32Array(ids),
    weights: new Float64Array(ids),
    met: [],
  });
  return { left: empty(), right: empty() };
}

/** The pairs of a new token with what stands before it and after it. */
function offerNew(
  { cells, weightAt }: Words,
  joined: Int32Array,
  id: number,
  pairs: Pairs,
  neighbours: { left: Neighbours; right: Neighbours },
): void {
  const { left, right } = neighbours;
  const each = (visit: (side: Neighbours, neighbour: number, place: number, of: number) => void): void => {
    for (const place of joined) {
      const first = before(cells, place);
      // Two new ones side by side are one pair, which the first one tells.
      if (cells[first] !== boundary && cells[first] !== id) visit(left, cells[first]!, first, place);
      const next = cells[after(cells, place)]!;
      if (next !== boundary) visit(right, next, place, place);
    }
  };
  each((side, neighbour, _, place) => {
    if (side.counts[neighbour]! === 0) side.met.push(neighbour);
    side.counts[neighbour]!++;
    side.weights[neighbour]! += weightAt(place);
  });
  let total = 0;
  for (const { met, counts, weights } of [left, right]) {
    // What comes once is never joined; of the others `counts` becomes where their places go.
    for (const neighbour of met) {
      const [count, weight] = [counts[neighbour]!, weights[neighbour]!];
      counts[neighbour] = weight < 2 ? -1 : total;
      if (weight >= 2) total += count;
    }
  }
  const block = new Int32Array(total);
  each((side, neighbour, place) => {
    if (side.counts[neighbour]! >= 0) block[side.counts[neighbour]!++] = place;
  });
  let start = 0;
  for (const side of [left, right]) {
    for (const neighbour of side.met) {
      const [end, count] = [side.counts[neighbour]!, side.weights[neighbour]!];
      side.counts[neighbour] = 0;
      side.weights[neighbour] = 0;
      if (end < 0) continue;
      const pair = side === left ? { left: neighbour, right: id } : { left: id, right: neighbour };
      pairs.offer({ ...pair, count, block, start, end });
      start = end;
    }
    side.met.length = 0;
  }
}
