/**
 * The thread in which onnxruntime runs, so that a long run() does not stop the thread of the caller.
 * Plain JavaScript: a worker thread starts from this very file, in the sources as well as in the build.
 */
import { parentPort } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';

/** @typedef {{ session: ort.InferenceSession, state: Map<string, ort.Tensor> }} Entry */
/** @type {Map<number, Entry>} */
const entries = new Map();

/** @type {{ [kind: string]: (message: any) => Promise<{ value: unknown, transfer?: ArrayBuffer[] }> }} */
const handlers = {
  async devices() {
    return { value: ort.listSupportedBackends().map((/** @type {{ name: string }} */ { name }) => name) };
  },

  async create({ session: id, model, options }) {
    const session = await ort.InferenceSession.create(model, options);
    entries.set(id, { session, state: new Map() });
    return { value: undefined };
  },

  /** Feeds and state in, wanted outputs back; `feedback` keeps outputs here as the state of the next run. */
  async run({ session: id, feeds, fetches, feedback }) {
    const { session, state } = entry(id);
    /** @type {Record<string, ort.Tensor>} */
    const inputs = Object.fromEntries(state);
    for (const [name, { type, data, shape }] of Object.entries(feeds))
      inputs[name] = new ort.Tensor(type, data, shape);
    const outputs = await session.run(inputs, [
      ...fetches,
      ...feedback.map((/** @type {[string, string]} */ [from]) => from),
    ]);
    for (const [from, to] of feedback) state.set(to, /** @type {ort.Tensor} */ (outputs[from]));
    return answer(fetches.map((/** @type {string} */ name) => [name, outputs[name]]));
  },

  async setState({ session: id, tensors }) {
    const { state } = entry(id);
    for (const [name, { type, data, shape }] of Object.entries(tensors))
      state.set(name, new ort.Tensor(type, data, shape));
    return { value: undefined };
  },

  async getState({ session: id, names }) {
    const { state } = entry(id);
    const wanted = names.map((/** @type {string} */ name) => [name, state.get(name)]);
    return answer(wanted, false);
  },

  async release({ session: id }) {
    await entry(id).session.release();
    entries.delete(id);
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
 * Outputs are moved to the caller's thread, not copied, unless they stay in use here.
 * @param {[string, ort.Tensor][]} tensors
 */
function answer(tensors, move = true) {
  /** @type {ArrayBuffer[]} */
  const transfer = [];
  const value = Object.fromEntries(
    tensors.map(([name, { type, data, dims }]) => {
      if (move && ArrayBuffer.isView(data)) transfer.push(/** @type {ArrayBuffer} */ (data.buffer));
      return [name, { type, data, shape: [...dims] }];
    }),
  );
  return { value, transfer };
}

parentPort?.on('message', async ({ call, kind, ...message }) => {
  try {
    const { value, transfer = [] } = (await handlers[kind]?.(message)) ?? {};
    parentPort?.postMessage({ call, value }, transfer);
  } catch (error) {
    parentPort?.postMessage({ call, error: error instanceof Error ? error.message : String(error) });
  }
});
