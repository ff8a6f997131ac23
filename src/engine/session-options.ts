/** What onnxruntime is told when it opens a program. */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Device } from './devices.ts';
import type { Program } from './onnx/lower.ts';
import { dataFile, modelFile } from './program-cache.ts';

/** onnxruntime's version. */
export const engineVersion: string = (
  createRequire(import.meta.url)('onnxruntime-node/package.json') as { version: string }
).version;

/** Options of onnxruntime's InferenceSession.create, as far as they are used here. */
export interface SessionOptions {
  executionProviders: string[];
  intraOpNumThreads: number;
  logSeverityLevel: number;
  graphOptimizationLevel?: 'disabled';
  enableMemPattern?: false;
  optimizedModelFilePath?: string;
  extra: { session: Record<string, unknown> };
}

interface LoadingOptions {
  device: Device;
  threads: number;
  load: 'fast-start' | 'fast-run';
  planMemory: boolean;
}

/** For a program whose weights lie in the checkpoint. */
export function loadOptions(
  { weightFolder }: Program,
  { device, threads, load, planMemory }: LoadingOptions,
): SessionOptions {
  return {
    ...options(device, threads, {
      ...whereWeightsLie(weightFolder),
      ...(load === 'fast-start' ? { disable_prepacking: '1' } : {}),
    }),
    ...(planMemory ? {} : { enableMemPattern: false }),
  };
}

/** For a program that shall be written into a folder with its weights packed. */
export function savingOptions(
  { weightFolder }: Program,
  { threads, folder }: { threads: number; folder: string },
): SessionOptions {
  return {
    ...options('cpu', threads, {
      ...whereWeightsLie(weightFolder),
      save_external_prepacked_constant_initializers: '1',
      optimized_model_external_initializers_file_name: dataFile,
      // Smaller ones stay inside the program.
      optimized_model_external_initializers_min_size_in_bytes: '1024',
    }),
    optimizedModelFilePath: join(folder, modelFile),
  };
}

/** For a program that was written like that: it is optimised already. */
export function cachedOptions(threads: number): SessionOptions {
  return { ...options('cpu', threads, {}), graphOptimizationLevel: 'disabled' };
}

function options(device: Device, threads: number, session: Record<string, unknown>): SessionOptions {
  return {
    // One provider alone: of several, onnxruntime drops those that it does not have without a word.
    executionProviders: [device],
    intraOpNumThreads: threads,
    // Errors come as exceptions; a library prints nothing.
    logSeverityLevel: 4,
    // Waiting threads sleep: spinning ones take the cores from the decoders that work ahead, and from everybody
    // else on the machine (up to twice the speed at batch 1 and a third less CPU time on a busy one).
    extra: { session: { intra_op: { allow_spinning: '0' }, ...session } },
  };
}

function whereWeightsLie(folder: string | undefined): Record<string, unknown> {
  return folder === undefined ? {} : { model_external_initializers_file_folder_path: folder };
}
