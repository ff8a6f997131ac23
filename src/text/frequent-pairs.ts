/** Pairs of tokens with their counts and places, the most frequent one at hand; millions of them in a few plain arrays. */

/** A pair that may be joined. */
export interface OfferedPair {
  left: number;
  right: number;
  count: number;
  /** Its places are the numbers of `block` from `start` to `end`. */
  block: Int32Array;
  start: number;
  end: number;
}

export interface Pairs {
  /** Puts in a pair that was never there; from now on its count only falls. */
  offer(pair: OfferedPair): void;
  /** Takes from the count of a pair; one that was never offered or is taken already is passed over. */
  lower(left: number, right: number, by: number): void;
  /**
   * Takes out the pair with the highest count, of equal ones that with the lower left and then the lower right id;
   * undefined where none comes twice.
   */
  takeMostFrequent(): { left: number; right: number; places: Int32Array } | undefined;
}

export function createPairs(): Pairs {
  let capacity = 1 << 12;
  let size = 0;
  // By the number of a pair, in the order of their coming.
  let lefts = new Int32Array(capacity);
  let rights = new Int32Array(capacity);
  let counts = new Float64Array(capacity);
  let starts = new Int32Array(capacity);
  let ends = new Int32Array(capacity);
  const blocks: (Int32Array | undefined)[] = [];
  // An open hash table from ids to numbers + 1, at least half of it free.
  let slots = new Int32Array(2 * capacity);
  // A binary heap of numbers, by the counts that they had when they were last moved: a count that has fallen since is
  // seen when its pair comes up.
  let heap = new Int32Array(capacity);
  let seen = new Float64Array(capacity);
  let heapSize = 0;

  const slotOf = (left: number, right: number): number => {
    let hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    hash ^= hash >>> 15;
    for (let slot = hash & (slots.length - 1); ; slot = (slot + 1) & (slots.length - 1)) {
      const pair = slots[slot]! - 1;
      if (pair < 0 || (lefts[pair] === left && rights[pair] === right)) return slot;
    }
  };

  const grow = (): void => {
    capacity *= 2;
    const copied = <T extends Int32Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    lefts = copied(lefts, new Int32Array(capacity));
    rights = copied(rights, new Int32Array(capacity));
    counts = copied(counts, new Float64Array(capacity));
    starts = copied(starts, new Int32Array(capacity));
    ends = copied(ends, new Int32Array(capacity));
    heap = copied(heap, new Int32Array(capacity));
    seen = copied(seen, new Float64Array(capacity));
    slots = new Int32Array(2 * capacity);
    for (let pair = 0; pair < size; pair++) slots[slotOf(lefts[pair]!, rights[pair]!)] = pair + 1;
  };

  const comesFirst = (a: number, b: number): boolean => {
    if (seen[a] !== seen[b]) return seen[a]! > seen[b]!;
    return lefts[a] !== lefts[b] ? lefts[a]! < lefts[b]! : rights[a]! < rights[b]!;
  };
  const rise = (pair: number): void => {
    let at = heapSize++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!comesFirst(pair, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = pair;
  };
  const sinkFromTop = (pair: number): void => {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heapSize) break;
      if (child + 1 < heapSize && comesFirst(heap[child + 1]!, heap[child]!)) child++;
      if (!comesFirst(heap[child]!, pair)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = pair;
  };
  const removeTop = (): void => {
    const last = heap[--heapSize]!;
    if (heapSize > 0) sinkFromTop(last);
  };

  return {
    offer({ left, right, count, block, start, end }) {
      if (size === capacity) grow();
      const pair = size++;
      lefts[pair] = left;
      rights[pair] = right;
      counts[pair] = count;
      seen[pair] = count;
      starts[pair] = start;
      ends[pair] = end;
      blocks.push(block);
      slots[slotOf(left, right)] = pair + 1;
      rise(pair);
    },
    lower(left, right, by) {
      const pair = slots[slotOf(left, right)]! - 1;
      if (pair >= 0) counts[pair]! -= by;
    },
    takeMostFrequent() {
      while (heapSize > 0) {
        const pair = heap[0]!;
        const count = counts[pair]!;
        if (count >= 2 && count < seen[pair]!) {
          seen[pair] = count;
          sinkFromTop(pair);
          continue;
        }
        removeTop();
        const block = blocks[pair]!;
        // Nobody asks for its places again: once that is so of all pairs of a block, its memory is free.
        blocks[pair] = undefined;
        if (count < 2) continue;
        counts[pair] = 0;
        return {
          left: lefts[pair]!,
          right: rights[pair]!,
          places: block.subarray(starts[pair]!, ends[pair]!),
        };
      }
      return undefined;
    },
  };
}
