/** One synchronisation of the index at a time, for all who ask: it stops when the last of them has left. */
import { EidosError } from '../errors.ts';
import type { SearchIndex, SyncProgress, SyncReport } from '../tasks/search/types.ts';

export interface Synchronisation {
  isRunning(): boolean;
  /**
   * Begins one, or joins the one that is under way.
   * @param listener `folders` are taken into the index where it begins one. @default those that it has
   * @throws EidosError `aborted` for who has left; whatever the index throws
   */
  join(listener: Listener): Promise<SyncReport>;
}

interface Listener {
  signal: AbortSignal;
  onProgress: (progress: SyncProgress) => void;
  folders?: readonly string[] | undefined;
}

interface Run {
  listeners: Set<(progress: SyncProgress) => void>;
  stop: AbortController;
  report: Promise<SyncReport>;
  /** What was told last: who joins is told at once. */
  told: { progress?: SyncProgress };
}

/** @param closing stops it, however many wait */
export function createSynchronisation(index: SearchIndex, closing: AbortSignal): Synchronisation {
  let running: Run | undefined;

  function begin(folders: readonly string[] | undefined): Run {
    const stop = new AbortController();
    const onClosing = () => stop.abort(closing.reason);
    closing.addEventListener('abort', onClosing);
    const listeners: Run['listeners'] = new Set();
    const told: Run['told'] = {};
    const onProgress = (progress: SyncProgress) => {
      told.progress = progress;
      for (const listener of listeners) listener(progress);
    };
    const report = index.sync(folders, { signal: stop.signal, onProgress }).finally(() => {
      closing.removeEventListener('abort', onClosing);
      if (running?.stop === stop) running = undefined;
    });
    return { listeners, stop, report, told };
  }

  return {
    isRunning: () => running !== undefined,
    async join({ signal, onProgress, folders }) {
      if (signal.aborted) throw left();
      // One that is being stopped is not joined: a new one begins behind it.
      if (running?.stop.signal.aborted) await running.report.catch(() => {});
      running ??= begin(folders);
      const run = running;
      run.listeners.add(onProgress);
      if (run.told.progress !== undefined) onProgress(run.told.progress);
      const leave = () => {
        run.listeners.delete(onProgress);
        if (run.listeners.size === 0) run.stop.abort();
      };
      let onAbort = () => {};
      const leaving = new Promise<never>((_, reject) => {
        onAbort = () => reject(left());
      });
      signal.addEventListener('abort', onAbort);
      try {
        return await Promise.race([run.report, leaving]);
      } finally {
        signal.removeEventListener('abort', onAbort);
        leave();
      }
    },
  };
}

function left(): EidosError {
  return new EidosError(
    'aborted',
    'Nobody waits for the synchronisation any more: it goes on the next time.',
  );
}
