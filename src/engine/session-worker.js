/**
 * The thread in which onnxruntime runs, so that a long run() does not stop the thread of the caller.
 * Plain JavaScript: a worker thread starts from this very file, in the sources as well as in the build.
 */
import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';

// Before its first session: onnxruntime's own log would go to the process's error output.
ort.env.logLevel = 'fatal';

/**
 * `spare` holds, per state, the buffer of the step before, into which the next step writes: no output is
 * written over an input, as onnxruntime may still read that one.
 * @typedef {{ session: ort.InferenceSession, state: Map<string, ort.Tensor>, spare: Map<string, ort.Tensor> }} Entry
 */
/** @type {Map<number, Entry>} */
const entries = new Map();

/** @type {{ [kind: string]: (message: any) => Promise<{ value: unknown, transfer?: ArrayBuffer[] }> }} */
const handlers = {
  /** `model` is the program or the path of one. */
  async create({ session: id, model, options }) {
    const session = await ort.InferenceSession.create(model, options);
    entries.set(id, { session, state: new Map(), spare: new Map() });
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
    const { session, state, spare } = entry(id);
    /** @type {Record<string, ort.Tensor>} */
    const inputs = Object.fromEntries(state);
    for (const [name, { type, data, shape }] of Object.entries(feeds))
      inputs[name] = new ort.Tensor(type, data, shape);

    /** @type {Record<string, ort.Tensor | null>} */
    const wanted = {};
    for (const name of fetches) wanted[name] = null;
    for (const [from, to] of feedback)
      wanted[from] = wanted[from] === undefined ? (spare.get(to) ?? null) : null;
    const outputs = await session.run(inputs, wanted);

    const answered = answer(
      fetches.map((/** @type {string} */ name) => [name, outputs[name]]),
      (name) => !feedback.some((/** @type {[string, string]} */ [from]) => from === name),
    );
    /** @type {[string, ort.Tensor][]} */
    const former = [];
    for (const [from, to] of feedback) {
      // A buffer that was handed over holds the result itself; the tensor returned for it is another object.
      const result = wanted[from] ?? /** @type {ort.Tensor} */ (outputs[from]);
      const before = state.get(to);
      if (before !== undefined && sameKind(before, result)) former.push([to, before]);
      state.set(to, result);
      spare.delete(to);
    }
    const inUse = new Set(state.values());
    for (const [to, tensor] of former) if (!inUse.has(tensor)) spare.set(to, tensor);
    return answered;
  },

  async setState({ session: id, tensors }) {
    const { state, spare } = entry(id);
    for (const [name, { type, data, shape }] of Object.entries(tensors)) {
      state.set(name, new ort.Tensor(type, data, shape));
      spare.delete(name);
    }
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

/**
 * @param {ort.Tensor} a
 * @param {ort.Tensor} b
 */
function sameKind(a, b) {
  return (
    a.type === b.type && a.dims.length === b.dims.length && a.dims.every((size, i) => size === b.dims[i])
  );
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
