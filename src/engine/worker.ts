/** Calls to the thread in which onnxruntime runs. */
import { Worker } from 'node:worker_threads';
import { EidosError } from '../errors.ts';

/** A thread that answers calls one by one, in their order. */
export interface EngineWorker {
  /** Throws `engine_failed` with onnxruntime's message, `closed` after close(). */
  call(kind: string, message: object, transfer?: readonly ArrayBuffer[]): Promise<unknown>;
  /** Rejects at once what waits, and resolves when the thread has ended. */
  close(): Promise<void>;
}

/** The environment variable with which onnxruntime gathers and sends nothing. */
export const telemetrySwitch = 'ORT_DISABLE_TELEMETRY';

interface Answer {
  call: number;
  value?: unknown;
  error?: string;
}

/**
 * Starts the thread; it does not keep the process alive while nothing is asked of it.
 *
 * onnxruntime's binaries gather telemetry unless they are told not to, and eidos tells nobody anything: the variable is
 * set before its library is loaded, here and in processes that try devices.
 */
export function startWorker(): EngineWorker {
  process.env[telemetrySwitch] = '1';
  const signals = new Int32Array(new SharedArrayBuffer(8));
  // The thread runs a file of its own: flags for how the main thread's code was given do not fit it.
  const worker = new Worker(new URL('./session-worker.js', import.meta.url), {
    workerData: { signals },
    execArgv: [],
  });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;
  let ended: EidosError | undefined;

  const end = (error: EidosError): void => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  endBeforeProcess(signals);
  worker.on('message', ({ call, value, error }: Answer) => {
    const pending = waiting.get(call);
    waiting.delete(call);
    if (waiting.size === 0 && ended === undefined) worker.unref();
    if (error === undefined) pending?.resolve(value);
    else pending?.reject(new EidosError('engine_failed', `onnxruntime: ${error}`));
  });
  worker.on('error', (cause) => {
    end(new EidosError('engine_failed', `The engine's thread failed: ${cause.message}`, { cause }));
  });
  const exited = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      running.delete(signals);
      end(new EidosError('closed', 'The engine has been closed.'));
      resolve();
    });
  });
  // Last, since a listener for messages holds the process again.
  worker.unref();

  return {
    call(kind, message, transfer = []) {
      if (ended !== undefined) return Promise.reject(ended);
      return new Promise((resolve, reject) => {
        const call = calls++;
        worker.postMessage({ call, kind, ...message }, [...transfer]);
        if (waiting.size === 0) worker.ref();
        waiting.set(call, { resolve, reject });
      });
    },
    async close() {
      end(new EidosError('closed', 'The engine has been closed.'));
      worker.ref();
      Atomics.store(signals, closing, 1);
      worker.postMessage({ kind: 'close' });
      await exited;
    },
  };
}

/** Places in the memory shared with the thread: it is inside onnxruntime; it shall begin nothing more. */
const busy = 0;
const closing = 1;

/**
 * The threads that live. One that is stopped from outside while it is inside onnxruntime takes the whole process
 * down (its binding throws into a dying environment), so it is asked to end, and so process.exit() waits for
 * the one run that has begun.
 */
const running = new Set<Int32Array<SharedArrayBuffer>>();
let listening = false;

function endBeforeProcess(signals: Int32Array<SharedArrayBuffer>): void {
  running.add(signals);
  if (listening) return;
  listening = true;
  process.on('exit', () => {
    for (const alive of running) {
      Atomics.store(alive, closing, 1);
      Atomics.wait(alive, busy, 1, longestRun);
    }
  });
}

/** In milliseconds; a run that takes longer is not worth waiting for. */
const longestRun = 30_000;
