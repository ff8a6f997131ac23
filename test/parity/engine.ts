/** Runs graphs for the parity checks, on one thread, so that the order of sums is the same in every run. */
import { createEngine, type Engine, type RuntimeTensor } from '../../src/engine/engine.ts';
import { type LoweringOptions, lower } from '../../src/engine/onnx/lower.ts';
import type { Value } from '../../src/graph/value.ts';
import type { Numbers } from './check.ts';

let engine: Engine | undefined;

/** The engine that all checks share. */
export function parityEngine(): Engine {
  engine ??= createEngine({ threads: 1 });
  return engine;
}

export async function closeParityEngine(): Promise<void> {
  await engine?.close();
  engine = undefined;
}

/** The named results, computed from the feeds that their graph reads. */
export async function evaluate(
  results: Readonly<Record<string, Value>>,
  feeds: Readonly<Record<string, RuntimeTensor>>,
  options: LoweringOptions = {},
): Promise<Record<string, Numbers>> {
  const program = lower(results, options);
  const session = await parityEngine().compile(program);
  try {
    const fed = program.inputs.map(({ name }) => [name, feeds[name]!] as const);
    const outputs = await session.run(Object.fromEntries(fed), { fetches: Object.keys(results) });
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { data, shape }]) => [name, { data: data as Float32Array, shape }]),
    );
  } finally {
    await session.release();
  }
}

export function floats({ data, shape }: Numbers): RuntimeTensor {
  return { type: 'float32', data: Float32Array.from(data), shape };
}

export function integers({ data, shape }: Numbers): RuntimeTensor {
  return { type: 'int64', data: BigInt64Array.from(Array.from(data), BigInt), shape };
}
