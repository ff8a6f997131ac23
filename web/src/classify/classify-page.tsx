/** Classify: pictures from this machine, labels in one's own words, and bars that follow as one writes. */
import { Button, Textarea } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useId, useRef, useState } from 'react';
import { PictureIcon } from '../design/icons.tsx';
import { FilesDropped } from '../files-dropped.tsx';
import { useMessages } from '../language/language.tsx';
import { type LocalPicture, readPicture } from '../local-picture.ts';
import { Card } from './card.tsx';
import styles from './classify-page.module.css';
import { parseLabels } from './labels.ts';

const pause = 200;

interface ClassifyPageProps {
  /** Kept by the page as a whole, so that a look at the search does not lose them. */
  pictures: readonly LocalPicture[];
  onPictures(change: (pictures: readonly LocalPicture[]) => readonly LocalPicture[]): void;
  /** As written; undefined before anything was. */
  labels: string | undefined;
  onLabels(labels: string): void;
}

export function ClassifyPage({ pictures, onPictures, labels, onLabels }: ClassifyPageProps) {
  const messages = useMessages();
  const id = useId();
  const written = labels ?? messages.label.start;
  const [settled] = useDebouncedValue(written, pause);
  const wanted = parseLabels(settled);
  const [unreadable, setUnreadable] = useState<string[]>([]);
  const file = useRef<HTMLInputElement>(null);

  const takeFiles = async (files: File[]) => {
    const answers = await Promise.allSettled(files.map(readPicture));
    const read = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
    onPictures((before) => [...read, ...before]);
    setUnreadable(files.filter((_, i) => answers[i]?.status === 'rejected').map(({ name }) => name));
  };

  return (
    <>
      <FilesDropped invitation={messages.label.drop} onFiles={takeFiles} />
      <main className={styles.main} id="main" tabIndex={-1}>
        <h1 className={styles.hidden}>{messages.classify}</h1>
        <div className={styles.question}>
          <label htmlFor={id}>{messages.label.label}</label>
          <p id={`${id}-hint`}>{messages.label.hint}</p>
        </div>
        <div className={styles.labels}>
          <Textarea
            id={id}
            aria-describedby={`${id}-hint`}
            placeholder={messages.label.placeholder}
            autosize
            minRows={1}
            maxRows={6}
            value={written}
            onChange={(event) => onLabels(event.currentTarget.value)}
            spellCheck={false}
            classNames={{ input: styles.input }}
          />
          {pictures.length > 0 && (
            <div className={styles.actions}>
              <Button variant="default" leftSection={<PictureIcon />} onClick={() => file.current?.click()}>
                {messages.label.add}
              </Button>
              <Button variant="subtle" color="gray" onClick={() => onPictures(() => [])}>
                {messages.label.removeAll}
              </Button>
            </div>
          )}
        </div>
        {unreadable.map((name) => (
          <p role="alert" className={styles.unreadable} key={name}>
            {messages.find.unreadablePicture(name)}
          </p>
        ))}
        <input
          ref={file}
          type="file"
          accept="image/*"
          multiple
          hidden
          onChange={(event) => {
            void takeFiles([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = '';
          }}
        />
        {pictures.length === 0 ? (
          <div className={styles.empty}>
            <h2>{messages.label.emptyTitle}</h2>
            <p>{messages.label.emptyText}</p>
            <Button leftSection={<PictureIcon />} onClick={() => file.current?.click()}>
              {messages.label.add}
            </Button>
          </div>
        ) : (
          <ul className={styles.cards}>
            {pictures.map((picture) => (
              <Card
                key={picture.key}
                picture={picture}
                labels={wanted}
                onRemove={() => onPictures((before) => before.filter(({ key }) => key !== picture.key))}
              />
            ))}
          </ul>
        )}
      </main>
    </>
  );
}
