/** Compiles programs and runs them: one engine is one thread with its sessions. */
import { cpus } from 'node:os';
import type { Program } from './onnx/lower.ts';
import { startWorker } from './worker.ts';

/** An array that goes into or comes out of a program. */
export interface RuntimeTensor {
  type: 'float32' | 'int64' | 'bool';
  data: Float32Array | BigInt64Array | Uint8Array;
  shape: readonly number[];
}

export interface EngineOptions {
  /** Threads of one run. @default the number of processors */
  threads?: number;
}

export interface Session {
  /** Runs the program and returns the wanted outputs. Feeds named in `transfer` are moved, not copied. */
  run(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    options: RunOptions,
  ): Promise<Record<string, RuntimeTensor>>;
  /** Arrays that stay in the engine between runs, as the parameters of a training step do. */
  setState(tensors: Readonly<Record<string, RuntimeTensor>>): Promise<void>;
  getState(names: readonly string[]): Promise<Record<string, RuntimeTensor>>;
  release(): Promise<void>;
}

export interface RunOptions {
  fetches: readonly string[];
  /** Outputs that become the state of the next run: [output, input]. */
  feedback?: readonly (readonly [string, string])[];
  transfer?: readonly string[];
}

export interface Engine {
  compile(program: Program): Promise<Session>;
  close(): Promise<void>;
}

export function createEngine(options: EngineOptions = {}): Engine {
  const worker = startWorker();
  let sessions = 0;
  return {
    async compile(program) {
      const session = sessions++;
      await worker.call('create', {
        session,
        model: program.model,
        options: sessionOptions(program, options),
      });
      return {
        async run(feeds, { fetches, feedback = [], transfer = [] }) {
          const moved = transfer.map((name) => feeds[name]!.data.buffer as ArrayBuffer);
          const outputs = await worker.call('run', { session, feeds, fetches, feedback }, moved);
          return outputs as Record<string, RuntimeTensor>;
        },
        async setState(tensors) {
          await worker.call('setState', { session, tensors });
        },
        async getState(names) {
          return (await worker.call('getState', { session, names })) as Record<string, RuntimeTensor>;
        },
        async release() {
          await worker.call('release', { session });
        },
      };
    },
    close: () => worker.close(),
  };
}

function sessionOptions(program: Program, { threads = cpus().length }: EngineOptions): object {
  const session: Record<string, unknown> = {
    // Waiting threads sleep: spinning ones take the cores from the decoders and from everybody else.
    intra_op: { allow_spinning: '0' },
  };
  if (program.weightFolder !== undefined)
    session.model_external_initializers_file_folder_path = program.weightFolder;
  return { intraOpNumThreads: threads, executionProviders: ['cpu'], extra: { session }, logSeverityLevel: 3 };
}
