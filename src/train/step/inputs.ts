/** The inputs of one program, declared where they are read and each only once. */
import type { Shape } from '../../graph/dimension.ts';
import { input } from '../../graph/operations.ts';
import type { Value, ValueType } from '../../graph/value.ts';

/** Declares an input; asked for again under the same name it is the same one. */
export type Inputs = (name: string, shape: Shape, type?: ValueType) => Value;

export function declareInputs(): Inputs {
  const declared = new Map<string, Value>();
  return (name, shape, type) => {
    const value = declared.get(name) ?? input(name, shape, type);
    declared.set(name, value);
    return value;
  };
}
