/** One writer at a time for a file, over processes: a lock file that its holder keeps fresh. */
import { open, rm, stat, utimes } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { EidosError } from '../../errors.ts';

/** The holder touches the file this often; one that is three times as old belongs to a process that died. */
const heartbeat = 10_000;

const pollPause = 100;

/** Runs an action when nobody else holds `path`; waits until then. */
export async function withLock<T>(
  path: string,
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
): Promise<T> {
  while (!(await acquire(path))) {
    if (signal?.aborted === true)
      throw new EidosError('aborted', 'Waiting for another download was aborted.');
    await delay(pollPause);
  }
  const timer = setInterval(() => void touch(path), heartbeat);
  timer.unref();
  try {
    return await action();
  } finally {
    clearInterval(timer);
    await rm(path, { force: true });
  }
}

async function acquire(path: string): Promise<boolean> {
  try {
    await (await open(path, 'wx')).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && Date.now() - found.mtimeMs > 3 * heartbeat) await rm(path, { force: true });
  return false;
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}
