/** Compiles programs and runs them: one engine is one thread with its sessions on one device. */
import { availableParallelism } from 'node:os';
import { EidosError } from '../errors.ts';
import { defaultCacheFolder } from './cache-folder.ts';
import { processorName } from './cpu.ts';
import { chooseDevice, type Device, type DeviceChoice, parseDevice } from './devices.ts';
import type { Program } from './onnx/lower.ts';
import { type CacheEntry, cacheEntry } from './program-cache.ts';
import { cachedOptions, engineVersion, loadOptions, savingOptions } from './session-options.ts';
import { type EngineWorker, startWorker } from './worker.ts';

/** An array that goes into or comes out of a program. */
export interface RuntimeTensor {
  type: 'float32' | 'int64' | 'bool';
  data: Float32Array | BigInt64Array | Uint8Array;
  shape: readonly number[];
}

export interface EngineOptions {
  /**
   * Where programs run. 'auto' is the best that works here; any other name is that device or an error, never
   * another one in its place.
   * @default 'cpu', which is everywhere, gives the same numbers everywhere and is there at once: trying the
   * others takes seconds, and a small model is done on the CPU before an accelerator has started
   */
  device?: Device | 'auto';
  /** Threads of one run. @default the number of processors that this process may use */
  threads?: number;
  /** Where programs of load mode 'cached' are kept. @default $XDG_CACHE_HOME/eidos/programs, or in ~/.cache */
  programCache?: string;
}

/**
 * How weights come into memory; figures of ViT-B/32 (350 MB) on two cores of an AMD EPYC (Zen 5), files in the
 * system's cache:
 * - 'fast-start': mapped from the checkpoint and used as they lie. Opens in 0.1 s and takes 30 MB of memory of
 *   its own (the rest belongs to the system's file cache, shared by processes), runs 10 to 15 % slower.
 * - 'fast-run': copied into the processor's preferred layout. Opens in 0.5 s, takes 370 MB.
 * - 'cached': that layout kept on disk and mapped. Opens in 0.3 s (the first time 2 s), runs at full speed, takes
 *   40 MB, and twice the weights' size on disk. With int8 quantising is saved, too: 0.2 s in place of 0.9 s.
 * Other devices than the CPU have memory of their own: there all three are 'fast-run'.
 */
export type LoadMode = 'fast-start' | 'fast-run' | 'cached';

export interface OpenOptions {
  /** @default 'fast-run' */
  load?: LoadMode;
  /**
   * Whether onnxruntime, after the first run, takes the memory for all values of a run in one piece. A training step,
   * which has thousands of them, runs as fast without and takes a third less, as the pieces of the first run are used on.
   * @default true
   */
  planMemory?: boolean;
}

/** A program that need not be made where the cache has it. */
export interface ProgramRecipe {
  /** A program that differs from another one whenever the recipes differ. */
  identity: Program;
  /** What is done to it. */
  variant: string;
  /** Makes the program, whose bytes go to the engine for good. */
  build(): Promise<Program>;
}

/** An input or output of a program. */
export interface ProgramPort {
  name: string;
  /** onnxruntime's name of the element type, such as `float32`. */
  type: string;
  /** Numbers, and names for dimensions that a run decides. */
  shape: readonly (number | string)[];
}

export interface Session {
  /** Where it runs. */
  readonly device: Device;
  /** How it was opened: 'fast-run' in place of 'cached' where the cache could not be written. */
  readonly load: LoadMode;
  /**
   * Runs the program and returns the wanted outputs. Runs of an engine happen one after the other in the order
   * of the calls.
   * @throws EidosError `engine_failed` with onnxruntime's message; `closed` after release() or close()
   */
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    options: RunOptions,
  ): Promise<Record<string, RuntimeTensor>>;
  /**
   * Arrays that stay in the engine between runs, as the parameters of a training step do.
   * @param options.transfer those whose memory is moved to the engine, not copied; they are empty afterwards
   */
  setState(
    tensors: Readonly<Record<string, RuntimeTensor>>,
    options?: { transfer?: readonly string[] },
  ): Promise<void>;
  getState(names: readonly string[]): Promise<Record<string, RuntimeTensor>>;
  /** What the program reads and writes, as a program from elsewhere says it. */
  ports(): Promise<{ inputs: ProgramPort[]; outputs: ProgramPort[] }>;
  /** Gives the memory back. */
  release(): Promise<void>;
}

export interface RunOptions {
  fetches: readonly string[];
  /**
   * Outputs that become the state of the next run: [output, input]. The memory of the state before is given back when
   * the run is over; a run that fails leaves it as it was.
   */
  feedback?: readonly (readonly [string, string])[];
  /** Feeds whose memory is moved to the engine, not copied; their arrays are empty afterwards. */
  transfer?: readonly string[];
}

export interface Engine {
  /** Settles the device, where that has not happened yet, and says which were passed over and why. */
  chosenDevice(): Promise<DeviceChoice>;
  /**
   * Opens a program.
   * @throws EidosError `device_unavailable`; `engine_failed` where onnxruntime refuses the program
   */
  compile(program: Program | ProgramRecipe, options?: OpenOptions): Promise<Session>;
  /** Ends the thread. What still waits fails with `closed`; a run that has begun ends first, for nobody. */
  close(): Promise<void>;
}

/** onnxruntime starts as many as it is told: beyond the largest machines it would only ever be starting them. */
const mostThreads = 1024;

/** Throws `invalid_option` for an unknown device or an impossible number of threads. */
export function createEngine(options: EngineOptions = {}): Engine {
  const {
    device = 'cpu',
    threads = availableParallelism(),
    programCache = defaultCacheFolder('programs'),
  } = options;
  const wanted = parseDevice(device);
  if (!Number.isInteger(threads) || threads < 1 || threads > mostThreads) {
    throw new EidosError(
      'invalid_option',
      `threads is ${threads}; it must be a whole number from 1 to ${mostThreads}.`,
    );
  }
  const worker = startWorker();
  let choice: Promise<DeviceChoice> | undefined;
  const settle = (): Promise<DeviceChoice> => {
    choice ??= chooseDevice(wanted);
    return choice;
  };
  let sessions = 0;

  return {
    chosenDevice: settle,
    async compile(program, { load = 'fast-run', planMemory = true } = {}) {
      const chosen = (await settle()).device;
      const session = sessions++;
      const mode = chosen === 'cpu' ? load : 'fast-run';
      const context: Opening = { worker, session, device: chosen, threads, planMemory };
      const opened = mode === 'cached' ? await openCached(context, program, programCache) : mode;
      if (opened !== 'cached') await openBuilt(context, program, opened);
      return createSession(worker, session, chosen, opened);
    },
    close: () => worker.close(),
  };
}

interface Opening {
  worker: EngineWorker;
  session: number;
  device: Device;
  threads: number;
  planMemory: boolean;
}

/** Opens the program from where its weights lie. */
async function openBuilt(
  { worker, session, device, threads, planMemory }: Opening,
  program: Program | ProgramRecipe,
  load: 'fast-start' | 'fast-run',
): Promise<void> {
  const { built, transfer } = await build(program);
  const options = loadOptions(built, { device, threads, load, planMemory });
  await worker.call('create', { session, model: built.model, options }, transfer);
}

/** Opens the program from the cache, after putting it there if need be; 'fast-run' says that it must be opened otherwise. */
async function openCached(
  { worker, session, threads }: Opening,
  program: Program | ProgramRecipe,
  folder: string,
): Promise<'cached' | 'fast-run'> {
  const { model, weightFiles } = 'build' in program ? program.identity : program;
  const variant = 'build' in program ? program.variant : '';
  const circumstances = [engineVersion, processorName(), variant];
  const entry = await cacheEntry(folder, { model, weightFiles, circumstances });
  const open = async (path: string): Promise<void> => {
    await worker.call('create', { session, model: path, options: cachedOptions(threads) });
  };
  const found = await entry.find();
  if (found !== undefined) {
    try {
      await open(found);
      return 'cached';
    } catch (error) {
      if (!(error instanceof EidosError) || error.code !== 'engine_failed') throw error;
      await entry.discard();
    }
  }
  if (!(await keep(entry, worker, program, threads))) return 'fast-run';
  const kept = await entry.find();
  if (kept === undefined) return 'fast-run';
  await open(kept);
  return 'cached';
}

/** Whether the program lies in the cache now; a full or read-only disk is no reason to fail. */
async function keep(
  entry: CacheEntry,
  worker: EngineWorker,
  program: Program | ProgramRecipe,
  threads: number,
): Promise<boolean> {
  const { built, transfer } = await build(program);
  let refused: unknown;
  try {
    await entry.keep(async (target) => {
      const options = savingOptions(built, { threads, folder: target });
      await worker.call('save', { model: built.model, options }, transfer).catch((error: unknown) => {
        refused = error;
        throw error;
      });
    });
    return true;
  } catch {
    if (refused instanceof EidosError && refused.code === 'closed') throw refused;
    return false;
  }
}

async function build(program: Program | ProgramRecipe): Promise<{ built: Program; transfer: ArrayBuffer[] }> {
  if (!('build' in program)) return { built: program, transfer: [] };
  const built = await program.build();
  return { built, transfer: [built.model.buffer] };
}

function createSession(worker: EngineWorker, session: number, device: Device, load: LoadMode): Session {
  let released = false;
  const call = (kind: string, message: object, transfer?: readonly ArrayBuffer[]): Promise<unknown> => {
    if (released) return Promise.reject(new EidosError('closed', 'The session has been released.'));
    return worker.call(kind, { session, ...message }, transfer);
  };
  return {
    device,
    load,
    async run(feeds, { fetches, feedback = [], transfer = [] }) {
      const { copies, buffers } = pack(feeds, transfer);
      const outputs = await call('run', { feeds: copies, fetches, feedback }, buffers);
      return outputs as Record<string, RuntimeTensor>;
    },
    async setState(tensors, { transfer = [] } = {}) {
      const { copies, buffers } = pack(tensors, transfer);
      await call('setState', { tensors: copies }, buffers);
    },
    async getState(names) {
      return (await call('getState', { names })) as Record<string, RuntimeTensor>;
    },
    async ports() {
      return (await call('ports', {})) as { inputs: ProgramPort[]; outputs: ProgramPort[] };
    },
    async release() {
      if (released) return;
      const done = call('release', {});
      released = true;
      await done;
    },
  };
}

/**
 * Tensors to be sent: those named in `moved` as they are, the others copied once here, as a message would copy
 * them twice and, of a view, the whole memory behind it.
 */
function pack(
  tensors: Readonly<Record<string, RuntimeTensor>>,
  moved: readonly string[],
): { copies: Record<string, RuntimeTensor>; buffers: ArrayBuffer[] } {
  for (const name of moved) {
    if (!Object.hasOwn(tensors, name))
      throw new EidosError('invalid_option', `transfer names '${name}', which is not among the tensors.`);
  }
  const copies: Record<string, RuntimeTensor> = {};
  const buffers = new Set<ArrayBuffer>();
  for (const [name, { type, data, shape }] of Object.entries(tensors)) {
    // A part of some larger memory cannot be moved without the rest.
    const whole = data.buffer instanceof ArrayBuffer && data.byteLength === data.buffer.byteLength;
    const movable = moved.includes(name) && whole && !buffers.has(data.buffer);
    const sent = movable ? data : data.slice();
    copies[name] = { type, data: sent, shape };
    buffers.add(sent.buffer as ArrayBuffer);
  }
  return { copies, buffers: [...buffers] };
}
