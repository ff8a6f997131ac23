/** One picture of the grid is reached by Tab, the others from it by the keys of arrow-keys.ts. */
import { type KeyboardEvent, useCallback, useRef, useState } from 'react';
import { targetOf } from './arrow-keys.ts';
import type { Layout, Place } from './justify.ts';
import { pageSize } from './measures.ts';

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

function placeOf(layouts: ReadonlyMap<number, Layout>, index: number): Place | undefined {
  return index < 0 ? undefined : layouts.get(Math.floor(index / pageSize))?.places[index % pageSize];
}
