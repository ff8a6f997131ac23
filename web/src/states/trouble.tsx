/** What went wrong, and what to do: one component for every failure of the page. */
import { Button, PasswordInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { EidosError, ServerError } from '../../../src/client/index.ts';
import { useMessages } from '../language/language.tsx';
import { demandsKey, server } from '../server.ts';
import styles from './states.module.css';

interface TroubleProps {
  error: unknown;
  onRetry?: (() => void) | undefined;
  /** In a panel, without a headline. */
  small?: boolean;
}

export function Trouble({ error, onRetry, small = false }: TroubleProps) {
  const messages = useMessages();
  if (demandsKey(error)) return <SignIn />;
  const unreachable =
    error instanceof EidosError && error.code === 'server_failed' && !(error instanceof ServerError);
  const text = unreachable
    ? messages.failed.unreachable
    : error instanceof Error
      ? error.message
      : String(error);
  return (
    <div className={small ? styles.small : styles.state} role="alert">
      {!small && <h2>{messages.failed.title}</h2>}
      <p>{text}</p>
      {onRetry !== undefined && (
        <Button variant="default" onClick={onRetry}>
          {messages.tryAgain}
        </Button>
      )}
    </div>
  );
}

/** A server that listens beyond this machine asks for its key; in return it gives this browser a cookie. */
function SignIn() {
  const messages = useMessages();
  const queries = useQueryClient();
  const [key, setKey] = useState('');
  const [refusal, setRefusal] = useState<string>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await server.signIn(key);
      await queries.resetQueries();
    } catch (error) {
      setRefusal(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form className={styles.state} onSubmit={submit}>
      <h2>{messages.failed.key}</h2>
      <PasswordInput
        label={messages.failed.keyLabel}
        value={key}
        onChange={(event) => setKey(event.currentTarget.value)}
        error={refusal}
        autoComplete="current-password"
        required
        w="min(340px, 100%)"
      />
      <Button type="submit">{messages.failed.keySend}</Button>
    </form>
  );
}
