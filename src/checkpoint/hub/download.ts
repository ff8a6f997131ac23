/** Fetches one file so that it is whole and the promised one: resumed where a transfer broke off, checked at the end. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { withLock } from '../../disk/lock.ts';
import { EidosError } from '../../errors.ts';
import { type Asked, describe, networkError } from './requests.ts';
import type { HubSettings } from './settings.ts';

/** A file as the hub lists it. */
export interface HubFile {
  name: string;
  size: number;
  /** SHA-256 of the content for large files, git's SHA-1 of a blob for small ones; also the name in the cache. */
  checksum: string;
  algorithm: 'sha256' | 'git';
}

export interface Download {
  url: string;
  file: HubFile;
  /** Final path; the bytes gather at this path with `.incomplete` behind, as Python's tools do it. */
  target: string;
  fetch: typeof fetch;
  settings: HubSettings;
  asked: Asked;
  signal: AbortSignal | undefined;
  onBytes: (loaded: number) => void;
}

/** Attempts without a single new byte before giving up; any progress starts the count anew. */
const attempts = 4;

/** Milliseconds before the second attempt; doubled for each further one. */
const firstPause = 200;

/**
 * @throws EidosError `download_failed`, `checksum_mismatch`, `aborted`, or what the status means. Bytes that arrived stay
 * for the next call, unless their checksum is wrong.
 */
export async function download(job: Download): Promise<void> {
  await mkdir(dirname(job.target), { recursive: true });
  const waiting = { signal: job.signal, holderName: 'another download' };
  await withLock(`${job.target}.incomplete.lock`, waiting, async () => {
    if (existsSync(job.target)) return job.onBytes(job.file.size);
    const partial = `${job.target}.incomplete`;
    const resumed = await sizeOf(partial);
    await fetchAll(job, partial);
    if (await isGenuine(partial, job.file)) return rename(partial, job.target);
    await rm(partial, { force: true });
    if (resumed > 0) {
      // What lay there may have been the damaged part.
      await fetchAll(job, partial);
      if (await isGenuine(partial, job.file)) return rename(partial, job.target);
      await rm(partial, { force: true });
    }
    throw new EidosError(
      'checksum_mismatch',
      `${describe(job.asked)} arrived with other bytes than ${job.settings.endpoint} lists (checksum ${job.file.checksum}); they were deleted. Try again; if it stays so, the server or a proxy changes the file.`,
    );
  });
}

/** Continues until all bytes are there, through interruptions. */
async function fetchAll(job: Download, partial: string): Promise<void> {
  const handle = await open(partial, 'a');
  try {
    let failures = 0;
    for (;;) {
      const before = (await handle.stat()).size;
      if (before > job.file.size) await handle.truncate(0);
      else if (before === job.file.size) return job.onBytes(before);
      try {
        await fetchRest(job, handle, before > job.file.size ? 0 : before);
      } catch (error) {
        if (!isInterruption(error)) throw error;
        failures = (await handle.stat()).size > before ? 1 : failures + 1;
        if (failures >= attempts) throw error;
        await delay(
          firstPause * 2 ** (failures - 1),
          undefined,
          job.signal === undefined ? {} : { signal: job.signal },
        ).catch((cause: unknown) => {
          throw networkError(cause, describe(job.asked), job.settings, job.signal);
        });
      }
    }
  } finally {
    await handle.close();
  }
}

/** One request, from the byte at which the file ends. */
async function fetchRest(job: Download, handle: FileHandle, from: number): Promise<void> {
  // Compressed transfers would make ranges mean something else.
  const headers: Record<string, string> = { 'Accept-Encoding': 'identity' };
  if (from > 0) headers.Range = `bytes=${from}-`;
  const response = await job.fetch(job.url, { headers });
  let loaded = from;
  if (from > 0 && !continuesAt(response, from)) {
    await handle.truncate(0);
    loaded = 0;
    if (response.status !== 200) {
      await response.body?.cancel();
      return; // The server does not know this range; the next request begins anew.
    }
  }
  if (response.body === null) throw interruption(job, 'an empty answer');
  job.onBytes(loaded);
  try {
    for await (const chunk of response.body) {
      loaded += chunk.length;
      if (loaded > job.file.size) {
        await handle.truncate(0);
        throw new EidosError(
          'checksum_mismatch',
          `${describe(job.asked)} is longer than the ${job.file.size} bytes that ${job.settings.endpoint} lists.`,
        );
      }
      await handle.write(chunk);
      job.onBytes(loaded);
    }
  } catch (cause) {
    // An error with a path or a system call is the disk's (or the caller's own), not the network's.
    if (cause instanceof EidosError || isDiskError(cause)) throw cause;
    throw networkError(cause, describe(job.asked), job.settings, job.signal);
  }
  if (loaded < job.file.size)
    throw interruption(job, `the transfer ended at byte ${loaded} of ${job.file.size}`);
}

function isDiskError(cause: unknown): boolean {
  return cause instanceof Error && (cause as NodeJS.ErrnoException).syscall === 'write';
}

function continuesAt(response: Response, from: number): boolean {
  return (
    response.status === 206 && (response.headers.get('content-range') ?? '').startsWith(`bytes ${from}-`)
  );
}

function interruption(job: Download, reason: string): EidosError {
  return networkError(new Error(reason), describe(job.asked), job.settings, job.signal);
}

function isInterruption(error: unknown): boolean {
  return error instanceof EidosError && error.code === 'download_failed' && error.cause !== undefined;
}

async function isGenuine(path: string, { size, checksum, algorithm }: HubFile): Promise<boolean> {
  const hash = createHash(algorithm === 'sha256' ? 'sha256' : 'sha1');
  if (algorithm === 'git') hash.update(`blob ${size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex') === checksum;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
