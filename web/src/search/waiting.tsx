/** Grey pictures in the place of the first ones that are awaited. */
import { useRef } from 'react';
import { useMessages } from '../language/language.tsx';
import { justify } from './justify.ts';
import { measuresFor } from './measures.ts';
import { usePlace } from './use-place.ts';
import styles from './waiting.module.css';

/** Proportions as photographs have them, so that the real ones hardly move anything. */
const usual = [1.5, 1.33, 0.75, 1.5, 1.78, 1, 1.5, 0.67, 1.33, 1.5, 1.5, 0.75, 1.78, 1.33, 1.5, 1];

export function Waiting() {
  const messages = useMessages();
  const ref = useRef<HTMLDivElement>(null);
  const { width } = usePlace(ref);
  const { places, height } =
    width === 0
      ? { places: [], height: 600 }
      : justify(usual, { ...measuresFor(width, false), loose: false });
  return (
    <div
      ref={ref}
      className={styles.waiting}
      style={{ height }}
      role="status"
      aria-label={messages.find.searching}
    >
      {places.map(({ left, top, width, height }) => (
        <div key={`${left} ${top}`} style={{ left, top, width, height }} />
      ))}
    </div>
  );
}
