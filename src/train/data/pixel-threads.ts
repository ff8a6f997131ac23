/** Threads that make the pixels of batches, or the caller's own thread where none is wanted. */
import { Worker } from 'node:worker_threads';
import { EidosError } from '../../errors.ts';
import {
  createSquareReader,
  type PixelAnswer,
  type PixelRequest,
  type PixelSettings,
  readPixels,
} from './pixels.ts';

export interface PixelThreads {
  /** Batches that can be made at the same time. */
  count: number;
  read(requests: PixelRequest[]): Promise<PixelAnswer>;
  close(): Promise<void>;
}

/** @throws EidosError `invalid_option` */
export function startPixelThreads(settings: PixelSettings, threads: number): PixelThreads {
  if (!Number.isInteger(threads) || threads < 0 || threads > 64) {
    throw new EidosError(
      'invalid_option',
      `threads is ${threads}: a whole number from 0 to 64 prepares batches.`,
    );
  }
  if (threads === 0 || !canStart) return ownThread(settings);
  const workers = Array.from({ length: threads }, () => startWorker(settings));
  return {
    count: threads,
    read(requests) {
      const idlest = workers.reduce((best, worker) => (worker.waiting() < best.waiting() ? worker : best));
      return idlest.read(requests);
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.close()));
    },
  };
}

/** This file's own extension: `.js` once it is built. */
const extension = import.meta.url.slice(import.meta.url.lastIndexOf('.'));

/** From the sources, a thread starts only where Node reads TypeScript. */
const canStart =
  extension === '.js' || (process.features as { typescript?: string | false }).typescript !== undefined;

function ownThread(settings: PixelSettings): PixelThreads {
  const reader = createSquareReader();
  return {
    count: 1,
    read: (requests) => readPixels(reader, requests, settings),
    close: () => reader.close(),
  };
}

interface Answer {
  call: number;
  answer?: PixelAnswer;
  error?: string;
}

function startWorker(settings: PixelSettings) {
  const worker = new Worker(new URL(`./loader-worker${extension}`, import.meta.url), {
    workerData: settings,
  });
  const waiting = new Map<
    number,
    { resolve: (answer: PixelAnswer) => void; reject: (error: Error) => void }
  >();
  let calls = 0;
  let ended: EidosError | undefined;
  const end = (error: EidosError): void => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  worker.on('message', ({ call, answer, error }: Answer) => {
    const pending = waiting.get(call);
    waiting.delete(call);
    // Whoever waits for the end of the thread is still there when a last answer comes.
    if (waiting.size === 0 && ended === undefined) worker.unref();
    if (answer !== undefined) pending?.resolve(answer);
    else pending?.reject(new EidosError('invalid_option', `Preparing pictures failed: ${error}`));
  });
  worker.on('error', (cause) => {
    end(
      new EidosError('invalid_option', `The thread that prepares pictures failed: ${cause.message}`, {
        cause,
      }),
    );
  });
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      end(new EidosError('closed', 'The batches have been closed.'));
      resolve();
    });
  });
  // Last, since a listener for messages holds the process again.
  worker.unref();
  return {
    waiting: () => waiting.size,
    read(requests: PixelRequest[]): Promise<PixelAnswer> {
      if (ended !== undefined) return Promise.reject(ended);
      return new Promise((resolve, reject) => {
        const call = calls++;
        worker.ref();
        waiting.set(call, { resolve, reject });
        worker.postMessage({ call, requests });
      });
    },
    async close(): Promise<void> {
      end(new EidosError('closed', 'The batches have been closed.'));
      worker.ref();
      worker.postMessage({ call: -1, requests: undefined });
      await exited;
    },
  };
}
