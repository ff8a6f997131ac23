/** Where an element lies in the document, and how wide it is; kept current. */
import { type RefObject, useLayoutEffect, useState } from 'react';

export interface ElementPlace {
  /** CSS pixels; 0 before the first layout. */
  width: number;
  /** Below the top of the document. */
  top: number;
}

export function usePlace(ref: RefObject<HTMLElement | null>): ElementPlace {
  const [place, setPlace] = useState<ElementPlace>({ width: 0, top: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const measure = () => {
      const box = element.getBoundingClientRect();
      const next = { width: box.width, top: Math.round(box.top + scrollY) };
      setPlace((before) => (before.width === next.width && before.top === next.top ? before : next));
    };
    measure();
    // What grows above the element moves it without changing its size: the body is watched too.
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [ref]);
  return place;
}
