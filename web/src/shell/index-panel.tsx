/** How many pictures there are; behind it what is known of the index, and its updating. */
import { Button, Popover, Progress } from '@mantine/core';
import { useMessages } from '../language/language.tsx';
import { Trouble } from '../states/trouble.tsx';
import styles from './panel.module.css';
import { useIndex, useSynchronisation } from './synchronisation.tsx';

/** Files listed by name; how many there are is always said. */
const mostListed = 20;

export function IndexPanel() {
  const messages = useMessages();
  const { data: index } = useIndex();
  const { running, progress } = useSynchronisation();
  // A server without an index has nothing to tell here.
  if (index === undefined) return null;
  const share = progress === undefined || progress.total === 0 ? 0 : progress.done / progress.total;
  return (
    <Popover
      position="bottom-end"
      width="min(360px, 100vw - 24px)"
      shadow="lg"
      radius="lg"
      trapFocus
      returnFocus
    >
      <Popover.Target>
        <button type="button" className={styles.status} data-running={running || undefined}>
          <span className={styles.light} aria-hidden="true" />
          <span className={styles.long}>
            {running ? messages.index.updating : messages.index.pictures(index.pictures)}
          </span>
          <span className={styles.short} aria-hidden="true">
            {messages.number(index.pictures)}
          </span>
          {running && (
            <span className={styles.share} style={{ width: `${share * 100}%` }} aria-hidden="true" />
          )}
        </button>
      </Popover.Target>
      <Popover.Dropdown className={styles.panel}>
        <h2>{messages.index.open}</h2>
        <dl>
          <dt>{messages.index.model}</dt>
          <dd>{index.model.name}</dd>
          <dt>{messages.index.folders}</dt>
          <dd>
            {index.folders.map((folder) => (
              <span key={folder}>{folder}</span>
            ))}
          </dd>
          {index.changedAt !== undefined && (
            <>
              <dt>{messages.index.changed}</dt>
              <dd>{messages.date(index.changedAt)}</dd>
            </>
          )}
          {index.bytes !== undefined && (
            <>
              <dt>{messages.index.size}</dt>
              <dd>{messages.bytes(index.bytes)}</dd>
            </>
          )}
        </dl>
        {index.unreadableCount > 0 && (
          <details>
            <summary>{messages.index.unreadable(index.unreadableCount)}</summary>
            <ul>
              {index.unreadable.slice(0, mostListed).map(({ image, error }) => (
                <li key={image}>
                  <strong>{image}</strong> {error.message}
                </li>
              ))}
            </ul>
          </details>
        )}
        <Updating />
      </Popover.Dropdown>
    </Popover>
  );
}

function Updating() {
  const messages = useMessages();
  const { running, progress, report, error, start, stop } = useSynchronisation();
  if (running) {
    const { stage = 'scan', done = 0, total = 0 } = progress ?? {};
    const counts = messages.index.progress(messages.number(done), messages.number(total));
    return (
      <div className={styles.updating}>
        <p>
          {messages.index.stage[stage]}
          {total > 0 && <span>{counts}</span>}
        </p>
        <Progress
          value={total > 0 ? (done / total) * 100 : 100}
          animated={total === 0}
          striped={total === 0}
          size="sm"
          aria-label={messages.index.stage[stage]}
        />
        <Button variant="default" size="compact-md" onClick={stop}>
          {messages.index.stop}
        </Button>
      </div>
    );
  }
  return (
    <div className={styles.updating}>
      {error !== undefined && <Trouble error={error} small />}
      <p role="status">
        {report !== undefined && messages.index.report(report.added, report.changed, report.removed)}
      </p>
      <Button onClick={start}>{messages.index.update}</Button>
    </div>
  );
}
