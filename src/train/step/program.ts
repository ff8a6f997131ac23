/** A program of a training step in the engine, and how its inputs are picked from what there is. */
import type { Engine, RuntimeTensor, Session } from '../../engine/engine.ts';
import { lower } from '../../engine/onnx/lower.ts';
import { EidosError } from '../../errors.ts';
import type { Value } from '../../graph/value.ts';

export type Tensors = Record<string, RuntimeTensor>;

/** What an input looks like. */
export interface TensorKind {
  type: RuntimeTensor['type'];
  shape: readonly number[];
}

/** A program that is open. */
export interface OpenProgram {
  session: Session;
  /** All that it reads, parameters included. */
  inputs: ReadonlyMap<string, TensorKind>;
  outputs: readonly string[];
}

export async function openProgram(engine: Engine, results: Record<string, Value>): Promise<OpenProgram> {
  const program = lower(results);
  const inputs = program.inputs.map(({ name, type, shape }): [string, TensorKind] => [
    name,
    { type: type as TensorKind['type'], shape: shape.map(Number) },
  ]);
  return {
    session: await engine.compile(program, { planMemory: false }),
    inputs: new Map(inputs),
    outputs: Object.keys(results),
  };
}

/** The tensors whose names fit. */
export function pick(tensors: Readonly<Tensors>, fits: (name: string) => boolean): Tensors {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => fits(name)));
}

/** The tensors of these names. Throws `invalid_option` where one is missing. */
export function chosen(tensors: Readonly<Tensors>, names: Iterable<string>): Tensors {
  const result: Tensors = {};
  for (const name of names) {
    const tensor = tensors[name];
    if (tensor === undefined) {
      throw new EidosError('invalid_option', `The training step needs '${name}', which it is not given.`);
    }
    result[name] = tensor;
  }
  return result;
}

/** Rows `from` to `to` of every tensor; those that end before are left out. */
export function rows(tensors: Readonly<Tensors>, from: number, to: number): Tensors {
  const cut = Object.entries(tensors).flatMap(([name, { type, data, shape }]): [string, RuntimeTensor][] => {
    const [count = 0, ...rest] = shape;
    if (count < to) return [];
    const width = data.length / count;
    return [[name, { type, data: data.subarray(from * width, to * width), shape: [to - from, ...rest] }]];
  });
  return Object.fromEntries(cut);
}
