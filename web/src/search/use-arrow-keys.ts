/** One picture of the grid is reached by Tab, the others by arrow keys, Home and End, across pages. */
import { type KeyboardEvent, useCallback, useRef, useState } from 'react';
import type { Layout, Place } from './justify.ts';
import { pageSize } from './results.ts';

/** Frames to wait for a page that has to be fetched before its picture can have the focus. */
const longestWait = 300;

/**
 * @param total pictures of all pages
 * @param show brings a page that is not drawn into sight
 */
export function useArrowKeys(total: number, show: (page: number) => void) {
  const [active, setActive] = useState(0);
  const layouts = useRef(new Map<number, Layout>());

  const onLayout = useCallback((page: number, layout: Layout | undefined) => {
    if (layout === undefined) layouts.current.delete(page);
    else layouts.current.set(page, layout);
  }, []);

  const focus = (index: number, framesLeft = longestWait) => {
    const element = document.getElementById(`picture-${index}`);
    if (element !== null) {
      element.focus({ preventScroll: true });
      element.scrollIntoView({ block: 'nearest' });
    } else if (framesLeft > 0) {
      if (framesLeft === longestWait) show(Math.floor(index / pageSize));
      requestAnimationFrame(() => focus(index, framesLeft - 1));
    }
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const target = targetOf(event.key, active, total, (index) => placeOf(layouts.current, index));
    if (target === undefined) return;
    event.preventDefault();
    const index = Math.min(total - 1, Math.max(0, target));
    setActive(index);
    focus(index);
  };

  return { active, onActive: setActive, onLayout, onKeyDown };
}

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

function placeOf(layouts: ReadonlyMap<number, Layout>, index: number): Place | undefined {
  return index < 0 ? undefined : layouts.get(Math.floor(index / pageSize))?.places[index % pageSize];
}
