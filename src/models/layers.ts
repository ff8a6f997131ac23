/** The layers that towers share; each declares its parameters under the name it is given. */
import { gelu, geluTanh, linear, quickGelu } from '../graph/derived.ts';
import { type Initialiser, normal, ones, zeros } from '../graph/initialise.ts';
import { layerNorm, parameter } from '../graph/operations.ts';
import type { Value } from '../graph/value.ts';
import type { Activation } from './architecture.ts';

/** The non-linearities, by the name that an architecture gives. */
export const activations: { readonly [A in Activation]: (x: Value) => Value } = {
  quick_gelu: quickGelu,
  gelu,
  gelu_tanh: geluTanh,
};

/** x·Wᵀ + b, its width going from that of x to `width`. */
export function linearLayer(
  name: string,
  x: Value,
  width: number,
  { bias = true, initialiser }: { bias?: boolean; initialiser?: Initialiser } = {},
): Value {
  const from = Number(x.shape[x.shape.length - 1]);
  const weight = parameter(`${name}.weight`, [width, from], initialiser ?? normal(from ** -0.5));
  return linear(x, weight, bias ? parameter(`${name}.bias`, [width], zeros) : undefined);
}

/** Layer norm over the last axis with a learned gain and bias. */
export function normLayer(name: string, x: Value, epsilon: number): Value {
  const width = Number(x.shape[x.shape.length - 1]);
  return layerNorm(
    x,
    parameter(`${name}.weight`, [width], ones),
    parameter(`${name}.bias`, [width], zeros),
    epsilon,
  );
}
