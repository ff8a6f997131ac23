/** The perceptron that works on each token for itself: two linear maps with a non-linearity between them. */
import { type Initialiser, normal } from '../../graph/initialise.ts';
import { multiply } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { Activation } from '../architecture.ts';
import { activations, linearLayer } from './linear.ts';

export interface MlpOptions {
  /** Width between the two maps. */
  hidden: number;
  activation: Activation;
  /** Width of the result. @default that of x */
  width?: number;
  /** act(G·x) · U·x in place of act(U·x) (Shazeer 2020). @default false */
  gated?: boolean | undefined;
  /** @default true */
  bias?: boolean | undefined;
  /** Applied, under its name, to what is between the maps. */
  normHidden?: ((name: string, x: Value) => Value) | undefined;
  outputInitialiser?: Initialiser;
}

/** W·act(U·x + b) + c over the last axis, with parameters under `${name}.up`, `.gate`, `.norm` and `.down`. */
export function mlp(name: string, x: Value, options: MlpOptions): Value {
  const { hidden, activation, gated = false, bias = true, normHidden = (_, value) => value } = options;
  const { outputInitialiser = normal(hidden ** -0.5) } = options;
  const from = Number(x.shape[x.shape.length - 1]);
  const { curve, inputScale, outputScale } = activations[activation];
  const initialiser = normal((2 * from) ** -0.5);
  const bent = linearLayer(`${name}.${gated ? 'gate' : 'up'}`, x, hidden, {
    bias,
    initialiser,
    scale: inputScale,
    biasScale: inputScale,
  });
  const curved = curve(bent);
  const inside = gated
    ? multiply(curved, linearLayer(`${name}.up`, x, hidden, { bias, initialiser }))
    : curved;
  // A norm takes the factor out again but for its epsilon: before one it has to be exact.
  const exact = options.normHidden !== undefined && outputScale !== 1;
  const normed = normHidden(`${name}.norm`, exact ? multiply(inside, outputScale) : inside);
  return linearLayer(`${name}.down`, normed, options.width ?? from, {
    bias,
    initialiser: outputInitialiser,
    scale: exact ? 1 : outputScale,
  });
}
