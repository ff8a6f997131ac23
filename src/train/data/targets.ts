/** Which pictures and captions of a batch belong together. */

/**
 * Which picture belongs to which caption, [n, n]: every caption whose key is among those of the picture matches. Rows
 * and columns sum to one (by Sinkhorn's alternating scaling, ended after a few rounds with the rows exact), so that no
 * pair counts more because others match as well.
 * @param shown the keys of each picture
 * @param said the key of each caption
 */
export function matchingTargets(
  shown: readonly (readonly string[])[],
  said: readonly string[],
): Float32Array<ArrayBuffer> {
  const n = shown.length;
  const targets = new Float32Array(n * n);
  const columnsOf = new Map<string, number[]>();
  for (const [column, key] of said.entries()) columnsOf.set(key, [...(columnsOf.get(key) ?? []), column]);
  let several = false;
  for (let row = 0; row < n; row++) {
    targets[row * n + row] = 1;
    for (const key of shown[row]!) {
      for (const column of columnsOf.get(key) ?? []) {
        targets[row * n + column] = 1;
        several ||= column !== row;
      }
    }
  }
  // The identity is balanced already, and most batches of captioned pictures are that.
  if (several) balance(targets, n);
  return targets;
}

/**
 * Which pairs of sentences say the same, [n, n]: those that share a key. Rows and columns sum to one, as in
 * matchingTargets.
 * @param keys of each pair
 */
export function sharingTargets(keys: readonly (readonly string[])[]): Float32Array<ArrayBuffer> {
  const n = keys.length;
  const targets = new Float32Array(n * n);
  const pairsOf = new Map<string, number[]>();
  for (const [pair, own] of keys.entries()) {
    for (const key of own) pairsOf.set(key, [...(pairsOf.get(key) ?? []), pair]);
  }
  for (const sharing of pairsOf.values()) {
    for (const row of sharing) for (const column of sharing) targets[row * n + column] = 1;
  }
  balance(targets, n);
  return targets;
}

function balance(targets: Float32Array, n: number): void {
  for (let round = 0; round < 8; round++) {
    scaleLines(targets, n, 1, n);
    scaleLines(targets, n, n, 1);
  }
}

/** Makes each line sum to one; a line's elements lie `step` apart and lines begin `stride` apart. */
function scaleLines(targets: Float32Array, n: number, stride: number, step: number): void {
  for (let line = 0; line < n; line++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += targets[line * stride + i * step]!;
    for (let i = 0; i < n; i++) targets[line * stride + i * step]! /= sum;
  }
}
