/** One picture over the page: large, with what is known of it and the pictures that look like it. */
import { ActionIcon, Modal } from '@mantine/core';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { CloseIcon, NextIcon, PreviousIcon } from '../design/icons.tsx';
import { useMessages } from '../language/language.tsx';
import { go } from '../navigation.ts';
import { type Look, neighboursOf, type Result } from '../search/results.ts';
import { isMissing, server } from '../server.ts';
import { Quiet } from '../states/quiet.tsx';
import { Trouble } from '../states/trouble.tsx';
import { About } from './about.tsx';
import { fileName } from './file-name.ts';
import { Keywords } from './keywords.tsx';
import styles from './picture-view.module.css';
import { Similar } from './similar.tsx';
import { Stage } from './stage.tsx';

export function PictureView({ id, look }: { id: string | undefined; look: Look }) {
  const messages = useMessages();
  const queries = useQueryClient();
  const around = id === undefined ? {} : neighboursOf(queries, look, id);
  const close = () => go({ picture: undefined });

  return (
    <Modal.Root
      opened={id !== undefined}
      onClose={close}
      fullScreen
      padding={0}
      transitionProps={{ transition: 'fade', duration: 120 }}
      classNames={{ content: styles.content, body: styles.body }}
      onKeyDown={(event) => {
        const towards = { ArrowLeft: around.previous, ArrowRight: around.next }[event.key];
        if (towards !== undefined) go({ picture: towards.id }, 'replace');
      }}
    >
      <Modal.Content aria-label={messages.picture.view}>
        <Modal.Body>
          {id !== undefined && (
            <>
              <div className={styles.controls}>
                <Step to={around.previous} label={messages.picture.previous}>
                  <PreviousIcon />
                </Step>
                <Step to={around.next} label={messages.picture.next}>
                  <NextIcon />
                </Step>
                <ActionIcon
                  variant="default"
                  size={40}
                  radius="xl"
                  aria-label={messages.close}
                  onClick={close}
                  data-autofocus
                >
                  <CloseIcon />
                </ActionIcon>
              </div>
              <Content id={id} key={id} />
            </>
          )}
        </Modal.Body>
      </Modal.Content>
    </Modal.Root>
  );
}

function Content({ id }: { id: string }) {
  const messages = useMessages();
  const queries = useQueryClient();
  const top = useRef<HTMLDivElement>(null);
  const { data, error, refetch } = useQuery({
    queryKey: ['picture', id],
    queryFn: ({ signal }) => server.picture(id, { signal }),
    // What the grid knows already is shown at once.
    placeholderData: () => known(queries.getQueriesData({ queryKey: ['results'] }), id),
  });
  useEffect(() => {
    // In braces: newer browsers answer with a promise, which React would call to clean up.
    top.current?.scrollIntoView({ block: 'start' });
  }, []);

  if (error !== null) {
    return isMissing(error) ? (
      <Quiet title={fileName(id)} text={messages.picture.gone} />
    ) : (
      <Trouble error={error} onRetry={() => void refetch()} />
    );
  }
  return (
    <div className={styles.picture} ref={top}>
      <Stage id={id} picture={data} />
      <div className={styles.side}>
        {data !== undefined && (
          <>
            <h2 className={styles.title}>{fileName(data.image)}</h2>
            {data.caption !== undefined && <p className={styles.caption}>{data.caption}</p>}
          </>
        )}
        <Keywords id={id} />
        {data !== undefined && <About picture={data} />}
        <Similar id={id} />
      </div>
    </div>
  );
}

function Step({ to, label, children }: { to: Result | undefined; label: string; children: React.ReactNode }) {
  return (
    <ActionIcon
      variant="default"
      size={40}
      radius="xl"
      aria-label={label}
      disabled={to === undefined}
      onClick={() => to !== undefined && go({ picture: to.id }, 'replace')}
    >
      {children}
    </ActionIcon>
  );
}

function known(pages: [unknown, unknown][], id: string): Result | undefined {
  for (const [, page] of pages as [unknown, { results: Result[] } | undefined][]) {
    const result = page?.results.find((candidate) => candidate.id === id);
    if (result !== undefined) return result;
  }
  return undefined;
}
