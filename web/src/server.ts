/** The server that has sent this page, and how often a request to it is tried again. */
import { QueryClient } from '@tanstack/react-query';
import { createClient, ServerError } from '../../src/client/index.ts';

/** Relative to the page, so that a proxy may put both into a folder. */
export const server = createClient({ baseUrl: new URL('./', location.href) });

/** Whether the server demands its key first. */
export function demandsKey(error: unknown): boolean {
  return error instanceof ServerError && error.status === 401;
}

/** Whether what was asked for is not there: a picture that has left, or an index on a server without one. */
export function isMissing(error: unknown): boolean {
  return error instanceof ServerError && error.status === 404;
}

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 60_000,
      refetchOnWindowFocus: false,
      // A busy server says when to come back; every other refusal would only be repeated.
      retry: (failures, error) => failures < 4 && waitFor(error) !== undefined,
      retryDelay: (_, error) => waitFor(error) ?? 0,
    },
  },
});

function waitFor(error: unknown): number | undefined {
  return error instanceof ServerError && error.retryAfter !== undefined ? error.retryAfter * 1000 : undefined;
}
