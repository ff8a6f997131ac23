/**
 * The thread in which onnxruntime runs, so that a long run() does not stop the thread of the caller.
 * Plain JavaScript: a worker thread starts from this very file, in the sources as well as in the build.
 */
import { MessageChannel, parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';

// Before its first session: onnxruntime's own log would go to the process's error output.
ort.env.logLevel = 'fatal';

/** @typedef {{ session: ort.InferenceSession, state: Map<string, ort.Tensor> }} Entry */
/** @type {Map<number, Entry>} */
const entries = new Map();

/** @type {{ [kind: string]: (message: any) => Promise<{ value: unknown, transfer?: ArrayBuffer[] }> }} */
const handlers = {
  /** `model` is the program or the path of one. */
  async create({ session: id, model, options }) {
    const session = await ort.InferenceSession.create(model, options);
    entries.set(id, { session, state: new Map() });
    return { value: undefined };
  },

  /** Opening a program with an output path in its options writes it there. */
  async save({ model, options }) {
    const session = await ort.InferenceSession.create(model, options);
    await session.release();
    return { value: undefined };
  },

  /** Feeds and state in, wanted outputs back; `feedback` keeps outputs here as the state of the next run. */
  async run({ session: id, feeds, fetches, feedback }) {
    const { session, state } = entry(id);
    /** @type {Record<string, ort.Tensor>} */
    const inputs = Object.fromEntries(state);
    for (const [name, { type, data, shape }] of Object.entries(feeds))
      inputs[name] = new ort.Tensor(type, data, shape);

    // No buffers are handed over for results: of each of them the binding would return a copy all the same.
    const outputs = await session.run(inputs, [
      ...new Set([...fetches, ...feedback.map((/** @type {[string, string]} */ [from]) => from)]),
    ]);

    const answered = answer(
      fetches.map((/** @type {string} */ name) => [name, outputs[name]]),
      (name) => !feedback.some((/** @type {[string, string]} */ [from]) => from === name),
    );
    /** @type {ort.Tensor[]} */
    const former = [];
    for (const [from, to] of feedback) {
      const before = state.get(to);
      if (before !== undefined) former.push(before);
      state.set(to, /** @type {ort.Tensor} */ (outputs[from]));
    }
    const inUse = new Set(state.values());
    free(former.filter((tensor) => !inUse.has(tensor)));
    return answered;
  },

  async setState({ session: id, tensors }) {
    const { state } = entry(id);
    for (const [name, { type, data, shape }] of Object.entries(tensors))
      state.set(name, new ort.Tensor(type, data, shape));
    return { value: undefined };
  },

  async getState({ session: id, names }) {
    const { state } = entry(id);
    const wanted = names.map((/** @type {string} */ name) => {
      const tensor = state.get(name);
      if (tensor === undefined) throw new Error(`There is no state '${name}'`);
      return [name, tensor];
    });
    return answer(wanted, () => false);
  },

  async ports({ session: id }) {
    const { inputMetadata, outputMetadata } = entry(id).session;
    const ports = (/** @type {readonly ort.InferenceSession.ValueMetadata[]} */ all) =>
      all.map((port) => ({
        name: port.name,
        type: port.isTensor ? port.type : 'none',
        shape: port.isTensor ? [...port.shape] : [],
      }));
    return { value: { inputs: ports(inputMetadata), outputs: ports(outputMetadata) } };
  },

  async release({ session: id }) {
    const { session } = entry(id);
    entries.delete(id);
    await session.release();
    return { value: undefined };
  },
};

/** @param {number} id */
function entry(id) {
  const found = entries.get(id);
  if (found === undefined) throw new Error(`There is no session ${id}`);
  return found;
}

/** Nobody listens: the memory of what is moved there is given back at once. */
const nowhere = new MessageChannel().port1;
nowhere.close();

/**
 * Gives back the memory of tensors that nobody reads any more. Left to the garbage collector, parameters and moments of
 * one step would still be there in the next, or in several.
 * @param {ort.Tensor[]} tensors
 */
function free(tensors) {
  const buffers = tensors.map(({ data }) => /** @type {Float32Array<ArrayBuffer>} */ (data).buffer);
  nowhere.postMessage(undefined, [...new Set(buffers)]);
}

/**
 * Outputs are moved to the caller's thread, not copied, unless they stay in use here.
 * @param {[string, ort.Tensor][]} tensors
 * @param {(name: string) => boolean} mayMove
 */
function answer(tensors, mayMove) {
  /** @type {Set<ArrayBuffer>} */
  const transfer = new Set();
  const value = Object.fromEntries(
    tensors.map(([name, { type, data, dims }]) => {
      const array = /** @type {Float32Array} */ (data);
      const moved = mayMove(name) ? array : array.slice();
      transfer.add(/** @type {ArrayBuffer} */ (moved.buffer));
      return [name, { type, data: moved, shape: [...dims] }];
    }),
  );
  return { value, transfer: [...transfer] };
}

/** Shared with the caller (worker.ts): [busy, closing]. */
const { signals } = /** @type {{ signals: Int32Array<SharedArrayBuffer> }} */ (workerData);

/** @param {{ call: number, kind: string }} request */
async function handle({ call, kind, ...message }) {
  Atomics.store(signals, 0, 1);
  // What was asked before the end was wanted is not begun any more; nobody waits for it.
  if (Atomics.load(signals, 1) === 0) {
    try {
      const { value, transfer = [] } = (await handlers[kind]?.(message)) ?? {};
      parentPort?.postMessage({ call, value }, transfer);
    } catch (error) {
      parentPort?.postMessage({ call, error: error instanceof Error ? error.message : String(error) });
    }
  }
  if (kind === 'close') parentPort?.close();
  Atomics.store(signals, 0, 0);
  Atomics.notify(signals, 0);
}

/** One after the other: a run reads the state that the run before it has left. */
let last = Promise.resolve();
parentPort?.on('message', (request) => {
  last = last.then(() => handle(request));
});
