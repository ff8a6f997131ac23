/** A picture in the grid: a link to its view, and under it the line that tells how well it fits. */
import { memo, useState } from 'react';
import { useMessages } from '../language/language.tsx';
import { go } from '../navigation.ts';
import { fileName } from '../picture/file-name.ts';
import { server } from '../server.ts';
import { opensElsewhere } from '../shell/header.tsx';
import styles from './grid.module.css';
import type { Place } from './justify.ts';
import { fitLine, thumbnailFor } from './measures.ts';
import type { Result } from './results.ts';

interface TileProps {
  result: Result;
  place: Place;
  index: number;
  total: number;
  /** Whether Tab comes here; the arrow keys go to the others. */
  reachable: boolean;
  onActive?: (index: number) => void;
  /** Of the element ids of a list of tiles. */
  idPrefix?: string;
}

export const Tile = memo(
  function Tile({ result, place, index, total, reachable, onActive, idPrefix = 'picture' }: TileProps) {
    const messages = useMessages();
    const [shown, setShown] = useState(false);
    const { id, probability } = result;
    const name = fileName(result.image);
    const share = probability === undefined ? undefined : messages.percent(probability);
    return (
      <li
        className={styles.tile}
        style={{ left: place.left, top: place.top, width: place.width }}
        aria-posinset={index + 1}
        aria-setsize={total}
      >
        <a
          id={`${idPrefix}-${index}`}
          href={`?picture=${encodeURIComponent(id)}`}
          tabIndex={reachable ? 0 : -1}
          style={{ height: place.height }}
          onFocus={() => onActive?.(index)}
          onClick={(event) => {
            if (opensElsewhere(event)) return;
            event.preventDefault();
            go({ picture: id });
          }}
        >
          <img
            src={server.thumbnailUrl(id, thumbnailFor(place.width, place.height))}
            alt={result.caption ?? name}
            decoding="async"
            draggable={false}
            data-shown={shown || undefined}
            // What the browser still has in memory is shown without fading in.
            ref={(image) => {
              if (image?.complete && !shown) setShown(true);
            }}
            onLoad={() => setShown(true)}
            onError={() => setShown(true)}
          />
          <span className={styles.words}>
            <span>{name}</span>
            {share !== undefined && (
              <span>
                <span className={styles.hidden}>{messages.find.probability(share)}</span>
                <span aria-hidden="true">{share}</span>
              </span>
            )}
          </span>
        </a>
        {probability !== undefined && (
          <span
            className={styles.scale}
            style={{ marginTop: fitLine.gap, height: fitLine.height }}
            aria-hidden="true"
          >
            <span className={styles.fit} style={{ width: `${probability * 100}%` }} />
          </span>
        )}
      </li>
    );
  },
  // Places are made anew at every scroll; their numbers rarely change.
  (before, after) =>
    before.result === after.result &&
    before.index === after.index &&
    before.total === after.total &&
    before.reachable === after.reachable &&
    before.place.left === after.place.left &&
    before.place.top === after.place.top &&
    before.place.width === after.place.width &&
    before.place.height === after.place.height,
);
