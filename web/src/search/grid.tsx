/**
 * Pictures in justified rows, drawn only where one looks: 100,000 of them scroll like ten.
 *
 * The virtual list is one of pages, not of rows: a page is laid out as a block of its own (justify.ts), so any page
 * can be jumped to without knowing those above, whose heights are guesses until they are seen.
 */
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { useLayoutEffect, useRef } from 'react';
import { useMessages } from '../language/language.tsx';
import styles from './grid.module.css';
import { GridPage } from './grid-page.tsx';
import { guessHeight } from './justify.ts';
import { measuresFor, pageSize } from './measures.ts';
import { isEverything, type ResultPage } from './results.ts';
import { useArrowKeys } from './use-arrow-keys.ts';
import { usePlace } from './use-place.ts';

export function Grid({ first, label }: { first: ResultPage; label: string }) {
  const messages = useMessages();
  const list = useRef<HTMLUListElement>(null);
  const { width, top } = usePlace(list);
  const pages = Math.ceil(first.total / pageSize);
  const measures = measuresFor(width, !isEverything(first.look));
  const virtualizer = useWindowVirtualizer({
    count: width === 0 ? 0 : pages,
    estimateSize: (page) => guessHeight(picturesOf(page, first.total), measures),
    gap: measures.rowGap,
    overscan: 1,
    scrollMargin: top,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another width makes every height a guess again
  useLayoutEffect(() => {
    virtualizer.measure();
  }, [width]);
  // A new search is seen from its best picture on.
  useLayoutEffect(() => {
    if (scrollY > 0 && first.look !== undefined) scrollTo({ top: 0 });
  }, [first.look]);
  const keys = useArrowKeys(first.total, (page) => virtualizer.scrollToIndex(page, { align: 'center' }));

  return (
    <>
      <p id="grid-help" className={styles.hidden}>
        {messages.find.gridHelp}
      </p>
      <ul
        ref={list}
        className={styles.grid}
        aria-label={label}
        aria-describedby="grid-help"
        style={{ height: virtualizer.getTotalSize() }}
        onKeyDown={keys.onKeyDown}
      >
        {virtualizer.getVirtualItems().map(({ index, start }) => (
          <GridPage
            key={index}
            page={index}
            top={start - top}
            first={first}
            measures={{ ...measures, loose: index === pages - 1 }}
            guess={picturesOf(index, first.total)}
            active={keys.active}
            onActive={keys.onActive}
            onLayout={keys.onLayout}
            onHeight={virtualizer.resizeItem}
          />
        ))}
      </ul>
    </>
  );
}

function picturesOf(page: number, total: number): number {
  return Math.min(pageSize, total - page * pageSize);
}
