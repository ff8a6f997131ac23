/** One at a time, over processes: a lock file that names its holder. */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { EidosError } from '../errors.ts';

/** The holder touches the file this often; who has seen it untouched for three times as long takes it for dead. */
const heartbeat = 10_000;
const pollPause = 50;

export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** Told once when another process has to be waited for. */
  onWait?: (() => void) | undefined;
  /**
   * The error that ends the wait as soon as the holder shows signs of life. One that shows none is listened to until it
   * is taken for dead.
   */
  refuse?: ((holder: LockHolder) => EidosError) | undefined;
  /** Who is waited for, in the error of a wait that is aborted. @default 'another process' */
  holderName?: string;
}

/** Who has a lock; nothing where it died before it wrote its name. */
export interface LockHolder {
  host?: string;
  process?: number;
}

/**
 * Runs an action while nobody else holds the lock; waits for it.
 * @throws EidosError what takeLock throws
 */
export async function withLock<T>(path: string, options: LockOptions, action: () => Promise<T>): Promise<T> {
  const release = await takeLock(path, options);
  try {
    return await action();
  } finally {
    await release();
  }
}

/**
 * Takes the lock; waits for it. A holder that died, whenever and however, holds nothing up: its process is asked for,
 * and where that tells nothing (it ran on another machine, or another process has its number by now) its silence
 * counts, as long as we have listened to it by our own clock.
 * @returns what gives the lock back
 * @throws EidosError `aborted` while waiting; errors of the system as they are where the file cannot be written
 */
export async function takeLock(
  path: string,
  { signal, onWait, refuse, holderName = 'another process' }: LockOptions = {},
): Promise<() => Promise<void>> {
  const mark = `${hostname()} ${process.pid} ${randomBytes(6).toString('hex')}`;
  const listen = createListener(path);
  for (let waited = false; !(await acquire(path, mark)); ) {
    if (signal?.aborted) throw new EidosError('aborted', `Waiting for ${holderName} was aborted.`);
    const holder = await readFile(path, 'utf8').catch(() => '');
    const heard = isDead(holder) ? undefined : await listen(holder);
    if (heard === undefined || heard.silence > 3 * heartbeat) await removeLock(path, holder);
    else {
      if (refuse !== undefined && heard.lives) throw refuse(holderOf(holder));
      if (!waited) onWait?.();
      waited = true;
    }
    await delay(pollPause);
  }
  const timer = setInterval(() => void touch(path), heartbeat);
  timer.unref();
  return async () => {
    clearInterval(timer);
    // Only what is still ours: who was thought dead (a machine that slept) must not take away another's lock.
    if ((await readFile(path, 'utf8').catch(() => '')) === mark) await rm(path, { force: true });
  };
}

async function acquire(path: string, mark: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(mark);
    } catch (error) {
      await rm(path, { force: true }); // a full disk: nobody shall wait for a lock without a name
      throw error;
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return false;
}

interface Heard {
  /** For how many milliseconds a holder has not touched the lock while we were listening. */
  silence: number;
  /** Whether it touched it lately, if its clock is ours, or while we were listening. */
  lives: boolean;
}

function createListener(path: string): (holder: string) => Promise<Heard> {
  let before: string | undefined;
  let since = performance.now();
  return async (holder) => {
    const touched = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    const now = `${holder} ${touched}`;
    const changed = before !== now;
    const lives = (changed && before !== undefined) || Math.abs(Date.now() - touched) < 3 * heartbeat;
    if (changed) since = performance.now();
    before = now;
    return { silence: performance.now() - since, lives };
  };
}

async function removeLock(path: string, mark: string): Promise<void> {
  // Renaming is what only one of several waiting processes can do; who moved a fresh lock away puts it back.
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) === mark) await rm(aside, { force: true });
    else await rename(aside, path);
  } catch {
    // Another process was faster.
  }
}

/** Whether the holder was a process of this machine that is no more. */
function isDead(mark: string): boolean {
  const { host, process: id } = holderOf(mark);
  return host === hostname() && id !== undefined && !isAlive(id);
}

function holderOf(mark: string): LockHolder {
  const [host, id] = mark.split(' ');
  return host && id ? { host, process: Number(id) } : {};
}

function isAlive(id: number): boolean {
  try {
    process.kill(id, 0); // asks, and sends nothing
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => undefined);
}
