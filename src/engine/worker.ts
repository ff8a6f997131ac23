/** Calls to the thread in which onnxruntime runs. */
import { Worker } from 'node:worker_threads';
import { EidosError } from '../errors.ts';

/** A thread that answers calls one by one. */
export interface EngineWorker {
  /** Throws `engine_failed` with onnxruntime's message, `closed` after the thread has ended. */
  call(kind: string, message: object, transfer?: readonly ArrayBuffer[]): Promise<unknown>;
  close(): Promise<void>;
}

interface Answer {
  call: number;
  value?: unknown;
  error?: string;
}

/** Starts the thread; it does not keep the process alive while nothing is asked of it. */
export function startWorker(): EngineWorker {
  const worker = new Worker(new URL('./session-worker.js', import.meta.url));
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;
  let ended: EidosError | undefined;

  const end = (error: EidosError): void => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  worker.unref();
  worker.on('message', ({ call, value, error }: Answer) => {
    const pending = waiting.get(call);
    waiting.delete(call);
    if (waiting.size === 0) worker.unref();
    if (error === undefined) pending?.resolve(value);
    else pending?.reject(new EidosError('engine_failed', `onnxruntime: ${error}`));
  });
  worker.on('error', (cause) => {
    end(new EidosError('engine_failed', `The engine's thread failed: ${cause.message}`, { cause }));
  });
  worker.on('exit', () => end(new EidosError('closed', 'The engine has been closed')));

  return {
    call(kind, message, transfer = []) {
      if (ended !== undefined) return Promise.reject(ended);
      return new Promise((resolve, reject) => {
        const call = calls++;
        if (waiting.size === 0) worker.ref();
        waiting.set(call, { resolve, reject });
        worker.postMessage({ call, kind, ...message }, [...transfer]);
      });
    },
    async close() {
      end(new EidosError('closed', 'The engine has been closed'));
      await worker.terminate();
    },
  };
}
