/** Search: the line on top, what was found, and the pictures. */
import { Button } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useEffect, useState } from 'react';
import { type Address, parseAddress } from '../address.ts';
import { FilesDropped } from '../files-dropped.tsx';
import { useMessages } from '../language/language.tsx';
import { type LocalPicture, readPicture } from '../local-picture.ts';
import { go } from '../navigation.ts';
import { isMissing } from '../server.ts';
import { Quiet } from '../states/quiet.tsx';
import { Trouble } from '../states/trouble.tsx';
import { Grid } from './grid.tsx';
import { isEverything, keyOf, type Look, type ResultPage, useFirstPage } from './results.ts';
import { SearchField } from './search-field.tsx';
import styles from './search-page.module.css';
import { Waiting } from './waiting.tsx';

/** Long enough not to ask at every letter of a fast writer, short enough to feel at once. */
const pause = 160;

interface SearchPageProps {
  address: Address;
  picture: LocalPicture | undefined;
  onPicture(picture: LocalPicture | undefined): void;
}

export function SearchPage({ address, picture, onPicture }: SearchPageProps) {
  const messages = useMessages();
  const [written, setWritten] = useWritten(address.words);
  const [unreadable, setUnreadable] = useState<string>();
  const look: Look = { words: address.words.trim(), picture, closest: address.closest };
  const { data, error, isFetching, isPending, refetch } = useFirstPage(look);

  const takeFiles = async ([file]: File[]) => {
    if (file === undefined) return;
    setUnreadable(undefined);
    try {
      onPicture(await readPicture(file));
      go({ closest: false });
    } catch {
      setUnreadable(messages.find.unreadablePicture(file.name));
    }
  };

  return (
    <>
      <FilesDropped invitation={messages.find.drop} onFiles={takeFiles} />
      <SearchField
        words={written}
        picture={picture}
        busy={isFetching}
        onWords={setWritten}
        onFiles={takeFiles}
        onClear={() => setWritten('')}
        onRemovePicture={() => onPicture(undefined)}
      >
        {unreadable !== undefined && (
          <p role="alert" className={styles.unreadable}>
            {unreadable}
          </p>
        )}
      </SearchField>
      <main className={styles.main} id="main" tabIndex={-1}>
        <h1 className={styles.hidden}>{messages.search}</h1>
        {error !== null ? (
          <Failure error={error} onRetry={() => void refetch()} />
        ) : isPending ? (
          <Waiting />
        ) : (
          <Found data={data} onIdea={setWritten} />
        )}
      </main>
    </>
  );
}

function Found({ data, onIdea }: { data: ResultPage; onIdea(words: string): void }) {
  const messages = useMessages();
  const { look, total, nothingFits } = data;
  const everything = isEverything(look);
  const summary = everything
    ? messages.find.all(total)
    : look.closest
      ? messages.find.closest(total)
      : messages.find.fits(total);

  if (everything && total === 0) {
    return (
      <Quiet title={messages.empty.title} text={messages.empty.text}>
        <code>{messages.empty.command}</code>
      </Quiet>
    );
  }
  if (total === 0 || (nothingFits && !look.closest)) {
    return (
      <div role="status">
        <Quiet title={messages.nothing.title} text={messages.nothing.text}>
          <Button variant="default" onClick={() => go({ closest: true })}>
            {messages.nothing.closest}
          </Button>
        </Quiet>
      </div>
    );
  }
  return (
    <>
      <div className={styles.summary}>
        <p role="status">{summary}</p>
        {look.closest && !everything && (
          <button type="button" className={styles.idea} onClick={() => go({ closest: false })}>
            {messages.nothing.backToFits}
          </button>
        )}
        {everything && (
          <ul className={styles.ideas} aria-label={messages.find.ideasLabel}>
            {messages.find.ideas.map((idea) => (
              <li key={idea}>
                <button type="button" className={styles.idea} onClick={() => onIdea(idea)}>
                  {idea}
                </button>
              </li>
            ))}
          </ul>
        )}
      </div>
      <Grid key={JSON.stringify(keyOf(look))} first={data} label={summary} />
    </>
  );
}

function Failure({ error, onRetry }: { error: unknown; onRetry(): void }) {
  const messages = useMessages();
  if (isMissing(error)) {
    return (
      <Quiet title={messages.empty.title} text={messages.failed.noIndex}>
        <code>{messages.failed.noIndexCommand}</code>
      </Quiet>
    );
  }
  return <Trouble error={error} onRetry={onRetry} />;
}

/** The words as they are being written; the address, and with it the search, follows after a pause. */
function useWritten(words: string): [string, (words: string) => void] {
  const [written, setWritten] = useState(words);
  const [settled] = useDebouncedValue(written, pause);
  useEffect(() => {
    // An address that was opened with its words stays as it is.
    if (settled !== parseAddress(location.search).words) go({ words: settled, closest: false }, 'replace');
  }, [settled]);
  // Going back, or choosing a keyword, changes the words from outside.
  useEffect(() => setWritten(words), [words]);
  return [written, setWritten];
}
