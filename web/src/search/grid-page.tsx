/** One page of the grid: its pictures in their places, or grey ones until they are known. */
import { useLayoutEffect, useMemo } from 'react';
import { useMessages } from '../language/language.tsx';
import styles from './grid.module.css';
import { guessHeight, justify, type Layout, type Measures } from './justify.ts';
import { pageSize } from './measures.ts';
import { type ResultPage, usePage } from './results.ts';
import { Tile } from './tile.tsx';

interface GridPageProps {
  page: number;
  /** Below the top of the grid, in pixels. */
  top: number;
  first: ResultPage;
  measures: Measures;
  /** How many pictures there will be. */
  guess: number;
  active: number;
  onActive(index: number): void;
  onLayout(page: number, layout: Layout | undefined): void;
  onHeight(page: number, height: number): void;
}

export function GridPage(props: GridPageProps) {
  const { page, top, first, measures, guess, active, onActive, onLayout, onHeight } = props;
  const messages = useMessages();
  const query = usePage(first.look, page);
  // The first page is at hand before its query is: it may be the last answer while a new one is awaited.
  const results = page === 0 ? first.results : query.data?.results;
  const { width, rowHeight, gap, rowGap, loose } = measures;
  const layout = useMemo(
    () =>
      results === undefined
        ? undefined
        : justify(
            results.map((result) => result.width / result.height),
            { width, rowHeight, gap, rowGap, loose },
          ),
    [results, width, rowHeight, gap, rowGap, loose],
  );
  // Before the browser paints: pages below must never be seen in the wrong place.
  useLayoutEffect(() => {
    onLayout(page, layout);
    if (layout !== undefined) onHeight(page, layout.height);
    return () => onLayout(page, undefined);
  }, [page, layout, onLayout, onHeight]);

  if (layout === undefined || results === undefined) {
    const height = guessHeight(guess, measures);
    return (
      <li className={styles.unknown} style={{ top, height }} aria-hidden={query.error === null}>
        {query.error !== null && (
          <button type="button" onClick={() => void query.refetch()}>
            {messages.tryAgain}
          </button>
        )}
      </li>
    );
  }
  return layout.places.map((place, i) => {
    const index = page * pageSize + i;
    return (
      <Tile
        key={results[i]!.id}
        result={results[i]!}
        place={{ ...place, top: place.top + top }}
        index={index}
        total={first.total}
        reachable={index === active}
        onActive={onActive}
      />
    );
  });
}
