/** The line at the top: words, a picture, or both. It stays in sight while the pictures scroll. */
import { ActionIcon, Tooltip } from '@mantine/core';
import { type ReactNode, type RefObject, useEffect, useId, useRef } from 'react';
import { CloseIcon, PictureIcon, SearchIcon } from '../design/icons.tsx';
import { useMessages } from '../language/language.tsx';
import type { LocalPicture } from '../local-picture.ts';
import styles from './search-field.module.css';

interface SearchFieldProps {
  words: string;
  picture: LocalPicture | undefined;
  busy: boolean;
  onWords(words: string): void;
  onFiles(files: File[]): void;
  onClear(): void;
  onRemovePicture(): void;
  /** Under the line: what was found. */
  children: ReactNode;
}

export function SearchField(props: SearchFieldProps) {
  const { words, picture, busy, onWords, onFiles, onClear, onRemovePicture, children } = props;
  const messages = useMessages();
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const file = useRef<HTMLInputElement>(null);
  useSlashKey(input);
  return (
    <search className={styles.bar} data-search-bar>
      <form
        className={styles.line}
        onSubmit={(event) => {
          event.preventDefault();
          // On a phone the keyboard makes room for the pictures.
          input.current?.blur();
        }}
      >
        <label htmlFor={id} className={styles.icon}>
          <SearchIcon />
          <span className={styles.hidden}>{messages.find.label}</span>
        </label>
        {picture !== undefined && (
          <span className={styles.picture}>
            <img src={picture.data} alt={messages.find.withPicture(picture.name)} />
            <button type="button" onClick={onRemovePicture} aria-label={messages.find.removePicture}>
              <CloseIcon />
            </button>
          </span>
        )}
        <input
          id={id}
          ref={input}
          type="search"
          enterKeyHint="search"
          autoComplete="off"
          spellCheck={false}
          placeholder={messages.find.placeholder}
          value={words}
          onChange={(event) => onWords(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape' && words !== '') onClear();
          }}
        />
        {words !== '' && (
          <ActionIcon
            variant="subtle"
            color="gray"
            size={40}
            radius="xl"
            aria-label={messages.find.clear}
            onClick={() => {
              onClear();
              input.current?.focus();
            }}
          >
            <CloseIcon />
          </ActionIcon>
        )}
        <Tooltip label={messages.find.addPicture} openDelay={500}>
          <ActionIcon
            variant="subtle"
            color="gray"
            size={40}
            radius="xl"
            aria-label={messages.find.addPicture}
            onClick={() => file.current?.click()}
          >
            <PictureIcon />
          </ActionIcon>
        </Tooltip>
        <input
          ref={file}
          type="file"
          accept="image/*"
          hidden
          onChange={(event) => {
            onFiles([...(event.currentTarget.files ?? [])]);
            // The same file may be chosen again.
            event.currentTarget.value = '';
          }}
        />
        <span className={styles.busy} data-busy={busy || undefined} aria-hidden="true" />
      </form>
      {children}
    </search>
  );
}

/** `/` goes to the search from everywhere but where one writes. */
function useSlashKey(input: RefObject<HTMLInputElement | null>): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const { target } = event;
      const writes =
        target instanceof HTMLElement && target.closest('input, textarea, [role="dialog"]') !== null;
      if (event.key !== '/' || event.ctrlKey || event.metaKey || writes) return;
      event.preventDefault();
      input.current?.focus();
      input.current?.select();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [input]);
}
