/** The one synchronisation that may be under way: started here or elsewhere, followed by its events. */
import { useQuery, useQueryClient } from '@tanstack/react-query';
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import type { SyncProgress, SyncReport } from '../../../src/client/index.ts';
import { server } from '../server.ts';

interface Synchronisation {
  running: boolean;
  progress: SyncProgress | undefined;
  /** Of the last one that came to its end while this page was open. */
  report: SyncReport | undefined;
  error: unknown;
  start(): void;
  stop(): void;
}

const context = createContext<Synchronisation>({
  running: false,
  progress: undefined,
  report: undefined,
  error: undefined,
  start: () => {},
  stop: () => {},
});

export function useSynchronisation(): Synchronisation {
  return useContext(context);
}

/** What is known of the index; an error 404 where the server has none. */
export function useIndex() {
  return useQuery({ queryKey: ['index'], queryFn: ({ signal }) => server.index({ signal }) });
}

export function SynchronisationProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const index = useIndex();
  const [state, setState] = useState<Pick<Synchronisation, 'running' | 'progress' | 'report' | 'error'>>({
    running: false,
    progress: undefined,
    report: undefined,
    error: undefined,
  });
  const controller = useRef<AbortController>(undefined);

  const start = useCallback(() => {
    if (controller.current !== undefined) return;
    const own = new AbortController();
    controller.current = own;
    setState({ running: true, progress: undefined, report: undefined, error: undefined });
    server
      .sync({
        signal: own.signal,
        onProgress: (progress) => setState((state) => ({ ...state, progress })),
      })
      .then(
        (report) => setState({ running: false, progress: undefined, report, error: undefined }),
        (error: unknown) => {
          const reason = own.signal.aborted ? undefined : error;
          setState({ running: false, progress: undefined, report: undefined, error: reason });
        },
      )
      .finally(() => {
        controller.current = undefined;
        void queries.invalidateQueries();
      });
  }, [queries]);

  const stop = useCallback(() => controller.current?.abort(), []);

  // One that somebody else has started is joined, once; leaving the page does not stop it for them.
  const elsewhere = index.data?.syncing === true;
  useEffect(() => {
    if (elsewhere) start();
  }, [elsewhere, start]);

  const value = useMemo(() => ({ ...state, start, stop }), [state, start, stop]);
  return <context.Provider value={value}>{children}</context.Provider>;
}
