/** From a graph and the weights of a checkpoint to a session that runs: the engine's one call for models. */
import type { BoundTensor } from '../graph/tensor.ts';
import type { Value } from '../graph/value.ts';
import {
  chooseDevice,
  type DeviceChoice,
  type NumberType,
  parseDevice,
  requireNumberType,
} from './devices.ts';
import { createEngine, type Engine, type EngineOptions, type OpenOptions, type Session } from './engine.ts';
import { lower, type Program } from './onnx/lower.ts';
import { type QuantizeOptions, quantizedRange, quantizeWeights } from './quantize.ts';

export interface CompileOptions extends OpenOptions, QuantizeOptions {
  /**
   * How it computes. 'fp16' is for accelerators; 'int8' for the CPU: matrix products in 8 bits. `npm run bench`
   * measures how much faster and how close that is.
   * @default 'fp32'
   */
  dtype?: NumberType;
}

/** An engine whose device is settled, and the devices that were preferred but do not work here, with reasons. */
export type DeviceEngine = Engine & DeviceChoice;

/**
 * An engine for programs of one number type: a device or type that is missing shows here, before weights are read.
 * @throws EidosError `device_unavailable`, `dtype_unavailable`, `invalid_option`
 */
export async function createDeviceEngine({
  device = 'cpu',
  dtype = 'fp32',
  ...options
}: EngineOptions & Pick<CompileOptions, 'dtype'> = {}): Promise<DeviceEngine> {
  const choice = await chooseDevice(parseDevice(device), dtype);
  return { ...createEngine({ ...options, device: choice.device }), ...choice };
}

/**
 * Compiles the graph that the named results reach. `weights` tells where each parameter lies; float32 weights
 * stay in their file, others are widened when the program is opened.
 * @throws EidosError `device_unavailable`, `dtype_unavailable`; `invalid_graph` where the graph is not sound;
 * `invalid_checkpoint` where a weight cannot be read; `engine_failed` where onnxruntime refuses the program
 */
export async function compileGraph(
  engine: Engine,
  results: Readonly<Record<string, Value>>,
  weights: ReadonlyMap<string, BoundTensor>,
  options: CompileOptions = {},
): Promise<Session> {
  const { dtype = 'fp32', load, int8Range } = options;
  const { device } = await engine.chosenDevice();
  requireNumberType(device, dtype);
  const compileOptions = load === undefined ? {} : { load };
  const quantizeOptions = int8Range === undefined ? {} : { int8Range };
  switch (dtype) {
    case 'fp32':
      return engine.compile(lower(results, { weights }), compileOptions);
    case 'fp16':
      return engine.compile(lower(results, { weights, floatType: 'float16' }), compileOptions);
    case 'int8': {
      const build = async (): Promise<Program> =>
        lower(results, await quantizeWeights(results, weights, quantizeOptions));
      const variant = `int8 ${quantizedRange(int8Range)}`;
      return engine.compile({ identity: lower(results, { weights }), variant, build }, compileOptions);
    }
  }
}
