/** The best of many scores, without sorting all of them. */

export interface BestOptions {
  /** 1 for rows that count; undefined for all. */
  passing?: Uint8Array | undefined;
  /** The smallest score that counts. @default −∞ */
  least?: number | undefined;
}

/** The rows of the `count` highest scores, best first, equal ones in their order; and how many rows count at all. */
export function bestRows(
  scores: Float32Array,
  count: number,
  { passing, least = Number.NEGATIVE_INFINITY }: BestOptions = {},
): { rows: number[]; total: number } {
  const heap: number[] = []; // the worst of the best at its root
  let total = 0;
  const isWorse = (a: number, b: number): boolean =>
    scores[a]! < scores[b]! || (scores[a] === scores[b] && a > b);
  for (let row = 0; row < scores.length; row++) {
    if (passing !== undefined && passing[row] === 0) continue;
    // A score that is no number is below every other one.
    if (!(scores[row]! >= least)) continue;
    total += 1;
    if (heap.length < count) {
      heap.push(row);
      siftUp(heap, isWorse);
    } else if (count > 0 && isWorse(heap[0]!, row)) {
      heap[0] = row;
      siftDown(heap, isWorse);
    }
  }
  heap.sort((a, b) => (isWorse(a, b) ? 1 : -1));
  return { rows: heap, total };
}

function siftUp(heap: number[], isWorse: (a: number, b: number) => boolean): void {
  for (let at = heap.length - 1; at > 0; ) {
    const parent = (at - 1) >> 1;
    if (!isWorse(heap[at]!, heap[parent]!)) return;
    swap(heap, at, parent);
    at = parent;
  }
}

function siftDown(heap: number[], isWorse: (a: number, b: number) => boolean): void {
  for (let at = 0; ; ) {
    let worst = at;
    for (const child of [2 * at + 1, 2 * at + 2]) {
      if (child < heap.length && isWorse(heap[child]!, heap[worst]!)) worst = child;
    }
    if (worst === at) return;
    swap(heap, at, worst);
    at = worst;
  }
}

function swap(heap: number[], a: number, b: number): void {
  const kept = heap[a]!;
  heap[a] = heap[b]!;
  heap[b] = kept;
}
