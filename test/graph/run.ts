/** Runs graphs on the engine and compares numbers. */
import { expect } from 'vitest';
import type { Engine, RuntimeTensor } from '../../src/engine/engine.ts';
import { type LoweringOptions, lower } from '../../src/engine/onnx/lower.ts';
import type { Value } from '../../src/graph/value.ts';
import { type Operand, typed } from './cases.ts';
import type { Doubles } from './reference.ts';

/** The results that a program computes from these numbers, in their order. */
export async function run(
  engine: Engine,
  results: readonly Value[],
  feeds: Readonly<Record<string, Operand>>,
  options: LoweringOptions = {},
): Promise<RuntimeTensor[]> {
  const named = Object.fromEntries(results.map((value, i) => [`result${i}`, value]));
  const program = lower(named, options);
  const session = await engine.compile(program);
  try {
    const fed = program.inputs.map(({ name }) => [name, runtime(feeds[name]!)] as const);
    const outputs = await session.run(Object.fromEntries(fed), { fetches: Object.keys(named) });
    return Object.keys(named).map((name) => outputs[name]!);
  } finally {
    await session.release();
  }
}

export function runtime({ type, shape, data }: Operand): RuntimeTensor {
  return { type, shape, data: typed(type, data) };
}

/** The same shape, and numbers that differ by at most `tolerance` of the largest (or of 1). */
export function expectClose(actual: RuntimeTensor | Doubles, expected: Doubles, tolerance: number): void {
  expect([...actual.shape]).toEqual([...expected.shape]);
  const numbers = Float64Array.from(actual.data as ArrayLike<number | bigint>, Number);
  const scale = expected.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1);
  const worst = expected.data.reduce((largest, value, i) => {
    const difference = Math.abs(numbers[i]! - value);
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(largest, difference);
  }, 0);
  if (worst <= tolerance * scale) return;
  expect.fail(
    `differs by ${worst}: ${[...numbers].slice(0, 12)} where ${[...expected.data].slice(0, 12)} is right`,
  );
}
