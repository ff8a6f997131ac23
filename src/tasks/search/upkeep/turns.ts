/** One change of an index after the other: in this process, and over processes where the index lies in a folder. */
import { join } from 'node:path';
import { prepareFolder } from '../store/folder.ts';
import { withIndexLock } from '../store/lock.ts';
import type { IndexSource } from '../store/source.ts';

export interface Turns {
  /** Runs a change when all before it have ended. */
  alone<T>(signal: AbortSignal | undefined, change: () => Promise<T>): Promise<T>;
  /** When the changes asked for so far have ended, well or not. */
  settled(): Promise<unknown>;
}

/** @param onWarning told when another process has to be waited for */
export function createTurns(
  { path, folder, store }: IndexSource,
  onWarning: ((message: string) => void) | undefined,
): Turns {
  let last: Promise<unknown> = Promise.resolve();
  return {
    alone(signal, change) {
      const turn = last.then(async () => {
        await store();
        if (folder === undefined) return change();
        await prepareFolder(folder); // it may have been taken away since the store was opened
        const onWait = () => onWarning?.(`Another process is working on the index ${path}: waiting for it.`);
        return withIndexLock(join(folder, '.lock'), { signal, onWait }, change);
      });
      last = turn.catch(() => {});
      return turn;
    },
    settled: () => last,
  };
}
