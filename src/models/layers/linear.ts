/** The layers that towers share; each declares its parameters under the name it is given. */
import { gelu, geluTanh, linear } from '../../graph/derived.ts';
import { type Initialiser, normal, ones, zeros } from '../../graph/initialise.ts';
import {
  add,
  divide,
  layerNorm,
  multiply,
  parameter,
  reduceMean,
  relu,
  silu,
  sqrt,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { Activation } from '../architecture.ts';

/** A non-linearity as outputScale · curve(inputScale · x); the linear maps around it carry the factors for nothing. */
interface ActivationRow {
  curve: (x: Value) => Value;
  inputScale: number;
  outputScale: number;
}

/** The non-linearities, by the name that an architecture gives. */
export const activations: { readonly [A in Activation]: ActivationRow } = {
  // x·σ(1.702x) = silu(1.702x)/1.702, OpenAI's approximation of GELU (Hendrycks and Gimpel 2016, section 2)
  quick_gelu: { curve: silu, inputScale: 1.702, outputScale: 1 / 1.702 },
  gelu: { curve: gelu, inputScale: 1, outputScale: 1 },
  gelu_tanh: { curve: geluTanh, inputScale: 1, outputScale: 1 },
  relu: { curve: relu, inputScale: 1, outputScale: 1 },
  silu: { curve: silu, inputScale: 1, outputScale: 1 },
};

export interface LinearLayerOptions {
  bias?: boolean;
  initialiser?: Initialiser;
  /** Factors of the product and of the bias. */
  scale?: number;
  biasScale?: number;
}

/** x·Wᵀ + b, its width going from that of x to `width`. */
export function linearLayer(name: string, x: Value, width: number, options: LinearLayerOptions = {}): Value {
  const { bias = true, initialiser, scale = 1, biasScale = 1 } = options;
  const from = Number(x.shape[x.shape.length - 1]);
  const weight = parameter(`${name}.weight`, [width, from], initialiser ?? normal(from ** -0.5));
  const shift = bias ? parameter(`${name}.bias`, [width], zeros) : undefined;
  return linear(x, weight, shift, { scale, biasScale });
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

/** x / √(mean(x²) + epsilon) over the last axis with a learned gain (Zhang and Sennrich 2019). */
export function rmsNormLayer(name: string, x: Value, epsilon: number): Value {
  const width = Number(x.shape[x.shape.length - 1]);
  const root = sqrt(add(reduceMean(multiply(x, x), [-1], true), epsilon));
  return multiply(divide(x, root), parameter(`${name}.weight`, [width], ones));
}

/** A learned factor for each channel, which begins small, so that deep stacks begin as the identity (Touvron et al. 2021). */
export function scaleLayer(name: string, x: Value, initialiser: Initialiser): Value {
  return multiply(x, parameter(name, [Number(x.shape[x.shape.length - 1])], initialiser));
}
