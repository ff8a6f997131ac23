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
  for (const [column, key] of said.entries()) {
    const known = columnsOf.get(key);
    if (known === undefined) columnsOf.set(key, [column]);
    else known.push(column);
  }
  const matches = shown.map((keys, row) => {
    const columns = new Set([row]);
    for (const key of keys) for (const column of columnsOf.get(key) ?? []) columns.add(column);
    return Int32Array.from(columns).sort();
  });
  for (const [row, columns] of matches.entries()) {
    for (const column of columns) targets[row * n + column] = 1;
  }
  balance(targets, matches);
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
    for (const key of own) {
      const known = pairsOf.get(key);
      if (known === undefined) pairsOf.set(key, [pair]);
      else known.push(pair);
    }
  }
  const matches = keys.map((own, row) => {
    const columns = new Set([row]);
    for (const key of own) for (const column of pairsOf.get(key)!) columns.add(column);
    return Int32Array.from(columns).sort();
  });
  for (const [row, columns] of matches.entries()) {
    for (const column of columns) targets[row * n + column] = 1;
  }
  balance(targets, matches);
  return targets;
}

/** Scales rows and columns in turn until both sum to one; the identity is balanced already. */
function balance(targets: Float32Array, matches: readonly Int32Array[]): void {
  if (matches.every(({ length }) => length === 1)) return;
  const n = matches.length;
  const rows = linesOf(matches, (row, column) => row * n + column);
  const columns = linesOf(turned(matches), (column, row) => row * n + column);
  for (let round = 0; round < 8; round++) {
    scaleLines(targets, columns);
    scaleLines(targets, rows);
  }
}

/** For each column the rows that match it, from the columns that each row matches. */
function turned(matches: readonly Int32Array[]): number[][] {
  const rows: number[][] = matches.map(() => []);
  for (const [row, columns] of matches.entries()) for (const column of columns) rows[column]!.push(row);
  return rows;
}

/** Places of the pairs that match, line by line: few beside all pairs, which nobody needs to go through. */
interface Lines {
  places: Int32Array;
  /** Where each line ends. */
  ends: Int32Array;
}

function linesOf(
  matches: readonly (Int32Array | readonly number[])[],
  placeOf: (line: number, other: number) => number,
): Lines {
  const places = new Int32Array(matches.reduce((sum, { length }) => sum + length, 0));
  const ends = new Int32Array(matches.length);
  let count = 0;
  for (const [line, others] of matches.entries()) {
    for (const other of others) places[count++] = placeOf(line, other);
    ends[line] = count;
  }
  return { places, ends };
}

/** Makes each line sum to one. */
function scaleLines(targets: Float32Array, { places, ends }: Lines): void {
  let start = 0;
  for (const end of ends) {
    let sum = 0;
    for (let at = start; at < end; at++) sum += targets[places[at]!]!;
    for (let at = start; at < end; at++) targets[places[at]!]! /= sum;
    start = end;
  }
}
