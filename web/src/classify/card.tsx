/** A picture and, beside it, a bar for every label. */
import { ActionIcon } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { EidosError } from '../../../src/client/index.ts';
import { CloseIcon } from '../design/icons.tsx';
import { useMessages } from '../language/language.tsx';
import type { LocalPicture } from '../local-picture.ts';
import { server } from '../server.ts';
import { Trouble } from '../states/trouble.tsx';
import styles from './classify-page.module.css';

/** Of more labels the likeliest are shown. */
const mostBars = 12;

interface CardProps {
  picture: LocalPicture;
  labels: readonly string[];
  onRemove(): void;
}

interface Score {
  label: string;
  probability: number;
}

export function Card({ picture, labels, onRemove }: CardProps) {
  const messages = useMessages();
  const { data, error, refetch } = useQuery({
    queryKey: ['classify', picture.key, labels],
    queryFn: ({ signal }) => classify(picture, labels, signal),
    enabled: labels.length >= 2,
    placeholderData: keepPreviousData,
  });
  const best = data?.[0];
  return (
    <li className={styles.card}>
      <div className={styles.picture}>
        <img src={picture.data} alt={picture.name} />
        <ActionIcon
          className={styles.remove}
          variant="default"
          size={32}
          radius="xl"
          aria-label={messages.label.remove(picture.name)}
          onClick={onRemove}
        >
          <CloseIcon />
        </ActionIcon>
      </div>
      <div className={styles.answer}>
        <p className={styles.best} role="status">
          {labels.length < 2
            ? messages.label.few
            : best !== undefined && messages.label.best(best.label, messages.percent(best.probability))}
        </p>
        {error !== null && <Trouble error={error} small onRetry={() => void refetch()} />}
        {labels.length >= 2 && data !== undefined && (
          <ul className={styles.bars}>
            {inOrder(data, labels).map(({ label, probability }) => (
              <li key={label} data-best={label === best?.label || undefined}>
                <span>{label}</span>
                <span className={styles.share}>{messages.percent(probability)}</span>
                <span className={styles.bar} style={{ width: `${probability * 100}%` }} aria-hidden="true" />
              </li>
            ))}
          </ul>
        )}
      </div>
    </li>
  );
}

/** The likeliest labels in the order in which they are written: bars change, and do not jump about. */
function inOrder(scores: readonly Score[], labels: readonly string[]): Score[] {
  const place = new Map(labels.map((label, i) => [label, i]));
  const placeOf = ({ label }: Score) => place.get(label) ?? labels.length;
  return scores.slice(0, mostBars).sort((a, b) => placeOf(a) - placeOf(b));
}

async function classify(
  picture: LocalPicture,
  labels: readonly string[],
  signal: AbortSignal,
): Promise<Score[]> {
  const { answers } = await server.classify({ images: [picture.data], labels, signal });
  const [answer] = answers;
  if (answer?.results === undefined) {
    throw new EidosError('invalid_image', answer?.error?.message ?? `${picture.name} was not answered.`);
  }
  return answer.results;
}
