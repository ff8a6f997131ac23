/** The pictures of the index that look most like one. */
import { useQuery } from '@tanstack/react-query';
import { useRef } from 'react';
import { useMessages } from '../language/language.tsx';
import { justify } from '../search/justify.ts';
import { Tile } from '../search/tile.tsx';
import { usePlace } from '../search/use-place.ts';
import { server } from '../server.ts';
import styles from './picture-view.module.css';

const mostShown = 12;

export function Similar({ id }: { id: string }) {
  const messages = useMessages();
  const ref = useRef<HTMLUListElement>(null);
  const { width } = usePlace(ref);
  const { data, error } = useQuery({
    queryKey: ['similar', id],
    queryFn: ({ signal }) => server.similar(id, { topK: mostShown, cutOff: false, signal }),
  });
  if (error !== null) return null;
  const hits = data?.hits ?? [];
  const { places, height } = justify(
    hits.map((hit) => hit.width / hit.height),
    { width: Math.max(1, width), rowHeight: 108, gap: 6, rowGap: 6, loose: true },
  );
  return (
    <section className={styles.section}>
      <h3>{messages.picture.similar}</h3>
      {data !== undefined && hits.length === 0 && <p>{messages.picture.noSimilar}</p>}
      <ul ref={ref} className={styles.similar} style={{ height: data === undefined ? 220 : height }}>
        {width > 0 &&
          hits.map(({ probability: _, ...hit }, index) => (
            <Tile
              key={hit.id}
              result={hit}
              place={places[index]!}
              index={index}
              total={hits.length}
              idPrefix="similar"
              reachable
            />
          ))}
      </ul>
    </section>
  );
}
