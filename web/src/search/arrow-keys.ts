/** Where the arrow keys, Home and End lead in the grid, across its pages. */
import type { Place } from './justify.ts';
import { pageSize } from './measures.ts';

/** Where a key leads from a picture, possibly past the ends; undefined for other keys. */
export function targetOf(
  key: string,
  from: number,
  total: number,
  placeAt: (index: number) => Place | undefined,
): number | undefined {
  switch (key) {
    case 'ArrowRight':
      return from + 1;
    case 'ArrowLeft':
      return from - 1;
    case 'Home':
      return 0;
    case 'End':
      return total - 1;
    case 'ArrowDown':
      return inNextRow(from, 1, placeAt);
    case 'ArrowUp':
      return inNextRow(from, -1, placeAt);
    default:
      return undefined;
  }
}

/** The picture of the next row, down or up, whose middle is closest to the middle of this one. */
function inNextRow(from: number, step: 1 | -1, placeAt: (index: number) => Place | undefined): number {
  const start = placeAt(from);
  if (start === undefined) return from + step;
  const middle = start.left + start.width / 2;
  let index = from;
  while (sameRow(index, from, placeAt)) index += step;
  let best = index;
  for (const next = index; sameRow(index, next, placeAt); index += step) {
    if (distance(index, middle, placeAt) < distance(best, middle, placeAt)) best = index;
  }
  return best;
}

function sameRow(a: number, b: number, placeAt: (index: number) => Place | undefined): boolean {
  const row = placeAt(a)?.row;
  return (
    row !== undefined && row === placeAt(b)?.row && Math.floor(a / pageSize) === Math.floor(b / pageSize)
  );
}

function distance(index: number, middle: number, placeAt: (index: number) => Place | undefined): number {
  const place = placeAt(index);
  return place === undefined ? Number.POSITIVE_INFINITY : Math.abs(place.left + place.width / 2 - middle);
}
