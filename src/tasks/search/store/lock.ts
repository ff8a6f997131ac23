/** One writer at a time for an index in a folder. */
import { type LockOptions, takeLock } from '../../../disk/lock.ts';
import { EidosError } from '../../../errors.ts';

/**
 * Runs an action while nobody else works on the index; waits for them.
 * @throws EidosError `aborted` while waiting; `write_failed` where the folder cannot be written
 */
export async function withIndexLock<T>(
  path: string,
  options: Pick<LockOptions, 'signal' | 'onWait'>,
  action: () => Promise<T>,
): Promise<T> {
  const release = await takeLock(path, options).catch((cause: Error) => {
    if (cause instanceof EidosError) throw cause;
    throw new EidosError('write_failed', `${path} cannot be written: ${cause.message}`, { cause });
  });
  try {
    return await action();
  } finally {
    await release();
  }
}
