/** Byte-pair merging: the pair with the lowest rank is joined first, of equal ones the leftmost. */

/** Which two tokens become which, and in what order. */
export interface MergeTable {
  /** One more than the highest id. */
  size: number;
  /** left·size + right → rank. */
  ranks: Map<number, number>;
  /** The id that the pair of each rank becomes. */
  results: Int32Array;
}

/** Joins the ids of a word's symbols; negative ids stand for unknown symbols and never join. */
export function mergeSymbols(symbols: readonly number[], table: MergeTable): number[] {
  return symbols.length <= 48 ? mergeShort(symbols.slice(), table) : mergeLong(symbols, table);
}

/** Looks through the whole word for each merge: quickest for the words that people write. */
function mergeShort(word: number[], table: MergeTable): number[] {
  const { size, ranks, results } = table;
  // pairRanks[i] is the rank of the pair that begins at i.
  const pairRanks = word.map((left, i) => rankOf(left, word[i + 1] ?? -1, size, ranks));
  for (;;) {
    let best = Number.POSITIVE_INFINITY;
    let at = -1;
    for (let i = 0; i < word.length - 1; i++) {
      if (pairRanks[i]! < best) {
        best = pairRanks[i]!;
        at = i;
      }
    }
    if (at < 0) return word;
    word[at] = results[best]!;
    word.splice(at + 1, 1);
    pairRanks.splice(at + 1, 1);
    pairRanks[at] = rankOf(word[at]!, word[at + 1] ?? -1, size, ranks);
    if (at > 0) pairRanks[at - 1] = rankOf(word[at - 1]!, word[at]!, size, ranks);
  }
}

/** A linked list and a heap of pairs: n·log n, so that a text without spaces cannot hold up the program. */
function mergeLong(symbols: readonly number[], table: MergeTable): number[] {
  const { size, ranks, results } = table;
  const count = symbols.length;
  const ids = Int32Array.from(symbols);
  const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : -1));
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
  const heap: number[] = [];
  const offer = (at: number): void => {
    if (at < 0 || next[at]! < 0) return;
    const rank = rankOf(ids[at]!, ids[next[at]!]!, size, ranks);
    if (rank !== Number.POSITIVE_INFINITY) push(heap, rank * count + at);
  };
  for (let at = 0; at < count - 1; at++) offer(at);
  while (heap.length > 0) {
    const entry = pop(heap);
    const at = entry % count;
    const rank = (entry - at) / count;
    const right = next[at]!;
    // An entry is stale when its left or right token has meanwhile become part of another.
    if (right < 0 || ids[at] === gone || rankOf(ids[at]!, ids[right]!, size, ranks) !== rank) continue;
    ids[at] = results[rank]!;
    ids[right] = gone;
    next[at] = next[right]!;
    if (next[at]! >= 0) previous[next[at]!] = at;
    offer(previous[at]!);
    offer(at);
  }
  const merged: number[] = [];
  for (let at = 0; at >= 0; at = next[at]!) merged.push(ids[at]!);
  return merged;
}

const gone = -2147483648;

function rankOf(left: number, right: number, size: number, ranks: Map<number, number>): number {
  if (left < 0 || right < 0) return Number.POSITIVE_INFINITY;
  return ranks.get(left * size + right) ?? Number.POSITIVE_INFINITY;
}

/** Puts a number into a binary heap whose smallest stands first. */
export function push(heap: number[], value: number): void {
  let at = heap.length;
  heap.push(value);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (heap[parent]! <= value) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = value;
}

/** Takes the smallest number out of a heap that is not empty. */
export function pop(heap: number[]): number {
  const smallest = heap[0]!;
  const last = heap.pop()!;
  const length = heap.length;
  if (length === 0) return smallest;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= length) break;
    if (child + 1 < length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= last) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return smallest;
}
