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
  for (let round = 0; several && round < 8; round++) {
    scaleLines(targets, n, 1, n);
    scaleLines(targets, n, n, 1);
  }
  return targets;
}

/** Makes each line sum to one; a line's elements lie `step` apart and lines begin `stride` apart. */
function scaleLines(targets: Float32Array, n: number, stride: number, step: number): void {
  for (let line = 0; line < n; line++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += targets[line * stride + i * step]!;
    for (let i = 0; i < n; i++) targets[line * stride + i * step]! /= sum;
  }
}
