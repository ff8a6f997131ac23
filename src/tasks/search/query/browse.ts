/** Pictures without a query, newest first. */

import type { Snapshot } from '../snapshot/snapshot.ts';
import type { BrowseOptions, IndexedPicture } from '../types.ts';
import { checkCount } from './counts.ts';
import { filterRows, localTimeOf } from './filters.ts';
import { indexedPicture } from './picture.ts';

/** @throws EidosError `invalid_option` */
export function browse(
  snapshot: Snapshot,
  { filters, limit = 100, offset = 0 }: BrowseOptions,
): { pictures: IndexedPicture[]; total: number } {
  checkCount('limit', limit, 0);
  checkCount('offset', offset, 0);
  const passing = filterRows(snapshot, filters);
  const all = newestFirst(snapshot);
  const rows = passing === undefined ? all : all.filter((row) => passing[row] !== 0);
  return {
    pictures: Array.from(rows.subarray(offset, offset + limit), (row) => indexedPicture(snapshot, row)),
    total: rows.length,
  };
}

const orders = new WeakMap<Snapshot, Int32Array>();

/** Rows by time. Who scrolls asks for page after page: sorting a hundred thousand for each would take its time. */
function newestFirst(snapshot: Snapshot): Int32Array {
  let order = orders.get(snapshot);
  if (order === undefined) {
    order = Int32Array.from({ length: snapshot.count }, (_, row) => row);
    const times = Float64Array.from(order, (row) => localTimeOf(snapshot, row));
    order.sort((a, b) => times[b]! - times[a]! || a - b);
    orders.set(snapshot, order);
  }
  return order;
}
