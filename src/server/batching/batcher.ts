/**
 * Joins inputs of requests that come together into one run. While a run is under way, what comes in waits for the
 * next one, so that nobody waits longer than two runs and a busy server forms batches by itself; an idle one waits
 * some milliseconds for company. Requests take turns, input by input: a request of a thousand texts does not hold
 * up the request of one.
 */
import { EidosError } from '../../errors.ts';

export interface BatcherOptions<Input, Output> {
  /** One output an input, in order. */
  process(inputs: readonly Input[]): Promise<readonly Output[]>;
  /** Inputs of a run. */
  batchSize: number;
  /** Milliseconds that an idle batcher waits for company. */
  gatherTime: number;
  /** Told of every run that is over. */
  onRun?: ((run: { inputs: number; seconds: number }) => void) | undefined;
}

export interface Batcher<Input, Output> {
  /**
   * The outputs of one request, in order.
   * @throws EidosError `aborted` as soon as the signal says so; what has not begun then is left out of later runs.
   * Whatever `process` throws is thrown by all requests of that run
   */
  run(inputs: readonly Input[], signal?: AbortSignal): Promise<Output[]>;
  /** Inputs that no run has taken yet. */
  readonly waiting: number;
}

interface Request<Input, Output> {
  inputs: readonly Input[];
  outputs: Output[];
  /** Inputs that a run has taken, and outputs that are there. */
  begun: number;
  done: number;
  settle(error?: unknown): void;
}

export function createBatcher<Input, Output>(options: BatcherOptions<Input, Output>): Batcher<Input, Output> {
  const { process, batchSize, gatherTime, onRun } = options;
  /** Requests with inputs that wait, the next one to be served first. */
  let line: Request<Input, Output>[] = [];
  let state: 'idle' | 'gathering' | 'running' = 'idle';
  const waiting = (): number => line.reduce((sum, { inputs, begun }) => sum + inputs.length - begun, 0);

  function begin(): void {
    if (state === 'running' || line.length === 0) return;
    if (gatherTime === 0 || waiting() >= batchSize) return void runBatches();
    if (state === 'gathering') return;
    state = 'gathering';
    setTimeout(() => {
      if (state === 'gathering') void runBatches();
    }, gatherTime);
  }

  async function runBatches(): Promise<void> {
    state = 'running';
    while (line.length > 0) await runBatch(takeTurns());
    state = 'idle';
  }

  /** One input of each request, round and round, until the batch is full. */
  function takeTurns(): { request: Request<Input, Output>; at: number }[] {
    const batch: { request: Request<Input, Output>; at: number }[] = [];
    while (batch.length < batchSize) {
      const request = line.shift();
      if (request === undefined) break;
      batch.push({ request, at: request.begun++ });
      if (request.begun < request.inputs.length) line.push(request);
    }
    return batch;
  }

  async function runBatch(batch: readonly { request: Request<Input, Output>; at: number }[]): Promise<void> {
    const began = performance.now();
    try {
      const outputs = await process(batch.map(({ request, at }) => request.inputs[at]!));
      batch.forEach(({ request, at }, i) => {
        request.outputs[at] = outputs[i]!;
        request.done += 1;
        if (request.done === request.inputs.length) request.settle();
      });
    } catch (error) {
      for (const { request } of batch) request.settle(error);
    }
    onRun?.({ inputs: batch.length, seconds: (performance.now() - began) / 1000 });
  }

  return {
    get waiting() {
      return waiting();
    },
    run(inputs, signal) {
      return new Promise((resolve, reject) => {
        const onAbort = () =>
          request.settle(new EidosError('aborted', 'The request was given up.', { cause: signal?.reason }));
        const request: Request<Input, Output> = {
          inputs,
          outputs: [],
          begun: 0,
          done: 0,
          settle(error) {
            signal?.removeEventListener('abort', onAbort);
            line = line.filter((other) => other !== request);
            if (error === undefined) resolve(request.outputs);
            else reject(error);
          },
        };
        if (signal?.aborted) return onAbort();
        if (inputs.length === 0) return resolve([]);
        signal?.addEventListener('abort', onAbort);
        line.push(request);
        begin();
      });
    },
  };
}
