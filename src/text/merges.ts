/** Byte-pair merging: the pair with the lowest rank is joined first, of equal ones the leftmost. */

import { pop, push } from './heap.ts';

/** Which two tokens become which, and in what order: an open hash table, as it is filled at every start. */
export interface MergeTable {
  /** Slots less one; the slots are a power of two. */
  mask: number;
  /** [slots, 3]: left id, right id, rank + 1; 0 where a slot is free. */
  slots: Int32Array;
  /** The id that the pair of each rank becomes. */
  results: Int32Array;
}

/** An empty table for at most `count` pairs. */
export function createMergeTable(count: number): MergeTable {
  let length = 16;
  while (length < count * 2) length *= 2;
  return { mask: length - 1, slots: new Int32Array(length * 3), results: new Int32Array(count) };
}

/** Puts a pair in; of a pair that stands twice the later rank counts, as in the programs that wrote such files. */
export function addMerge(table: MergeTable, left: number, right: number, rank: number, result: number): void {
  const slot = slotOf(table, left, right);
  table.slots[slot] = left;
  table.slots[slot + 1] = right;
  table.slots[slot + 2] = rank + 1;
  table.results[rank] = result;
}

/** Where a pair stands, or the free place where it would stand. */
function slotOf({ mask, slots }: MergeTable, left: number, right: number): number {
  let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
  hash ^= hash >>> 15;
  for (let index = hash & mask; ; index = (index + 1) & mask) {
    const slot = index * 3;
    if (slots[slot + 2] === 0 || (slots[slot] === left && slots[slot + 1] === right)) return slot;
  }
}

/** Joins the ids of a word's symbols; negative ids stand for unknown symbols and never join. */
export function mergeSymbols(symbols: readonly number[], table: MergeTable): number[] {
  return symbols.length <= 48 ? mergeShort(symbols.slice(), table) : mergeLong(symbols, table);
}

/** Looks through the whole word for each merge: quickest for the words that people write. */
function mergeShort(word: number[], table: MergeTable): number[] {
  const { results } = table;
  // pairRanks[i] is the rank of the pair that begins at i.
  const pairRanks = word.map((left, i) => rankOf(left, word[i + 1] ?? -1, table));
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
    pairRanks[at] = rankOf(word[at]!, word[at + 1] ?? -1, table);
    if (at > 0) pairRanks[at - 1] = rankOf(word[at - 1]!, word[at]!, table);
  }
}

/** A linked list and a heap of pairs: n·log n, so that a text without spaces cannot hold up the program. */
function mergeLong(symbols: readonly number[], table: MergeTable): number[] {
  const { results } = table;
  const count = symbols.length;
  const ids = Int32Array.from(symbols);
  const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count ? i + 1 : -1));
  const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
  const heap: number[] = [];
  const offer = (at: number): void => {
    if (at < 0 || next[at]! < 0) return;
    const rank = rankOf(ids[at]!, ids[next[at]!]!, table);
    if (rank !== Number.POSITIVE_INFINITY) push(heap, rank * count + at, isLower);
  };
  for (let at = 0; at < count - 1; at++) offer(at);
  for (let entry = pop(heap, isLower); entry !== undefined; entry = pop(heap, isLower)) {
    const at = entry % count;
    const rank = (entry - at) / count;
    const right = next[at]!;
    // An entry is stale when its left or right token has meanwhile become part of another.
    if (right < 0 || ids[at] === gone || rankOf(ids[at]!, ids[right]!, table) !== rank) continue;
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

const isLower = (a: number, b: number): boolean => a < b;

const gone = -2147483648;

function rankOf(left: number, right: number, table: MergeTable): number {
  if (left < 0 || right < 0) return Number.POSITIVE_INFINITY;
  const rank = table.slots[slotOf(table, left, right) + 2]!;
  return rank === 0 ? Number.POSITIVE_INFINITY : rank - 1;
}
