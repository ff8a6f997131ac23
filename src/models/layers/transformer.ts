/** The stack of residual attention blocks that image and text encoders share (Radford et al. 2019, pre-norm). */
import { normal } from '../../graph/initialise.ts';
import { add } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { Activation, TransformerArchitecture } from '../architecture.ts';
import { attention, type Tokens } from './attention.ts';
import { activations, linearLayer, normLayer } from './linear.ts';

/** Receives intermediate values by name; what it returns takes their place. */
export type Watch = (name: string, value: Value) => Value;

/** What may be done to values inside a tower. */
export interface TowerHooks {
  watch?: Watch | undefined;
  /** Receives every residual branch by name before it is added, as stochastic depth wants it; the picture's axis is the first. */
  branch?: Watch | undefined;
  /** Receives by name what dropout may set to zero here and there. */
  dropout?: Watch | undefined;
}

export interface BlocksOptions extends TowerHooks {
  /** Added to the scores of every block; fits [n, heads, tokens, tokens]. */
  mask?: Value | undefined;
}

/** All blocks, [n · tokens, width] → the same, with parameters under `${name}.blocks.${i}`. */
export function transformerBlocks(
  name: string,
  tokens: Tokens,
  architecture: TransformerArchitecture,
  { mask, watch = (_, value) => value, branch = (_, value) => value }: BlocksOptions = {},
): Tokens {
  const { layers, heads, width, mlpWidth, activation, normEpsilon } = architecture;
  // CLIP's initialisation: what is added to the residual path shrinks with depth.
  const residual = normal(width ** -0.5 * (2 * layers) ** -0.5);
  let x = tokens.value; // [n · tokens, width]
  for (let layer = 0; layer < layers; layer++) {
    const block = `${name}.blocks.${layer}`;
    const normed = { ...tokens, value: normLayer(`${block}.norm_1`, x, normEpsilon) };
    const attended = attention(`${block}.attention`, normed, normed, {
      heads,
      mask,
      outputInitialiser: residual,
      watch: (weights) => watch(`${name}.attention.${layer}`, weights),
    });
    x = add(x, branch(`${block}.attention`, attended.value));
    const second = normLayer(`${block}.norm_2`, x, normEpsilon);
    x = add(x, branch(`${block}.mlp`, mlp(`${block}.mlp`, second, mlpWidth, activation, residual)));
    x = watch(`${name}.block.${layer}`, x);
  }
  return { ...tokens, value: x };
}

/** Two linear maps with a non-linearity between them. */
export function mlp(
  name: string,
  x: Value,
  hidden: number,
  activation: Activation,
  outputInitialiser = normal(hidden ** -0.5),
): Value {
  const width = Number(x.shape[x.shape.length - 1]);
  const { curve, inputScale, outputScale } = activations[activation];
  const up = linearLayer(`${name}.up`, x, hidden, {
    initialiser: normal((2 * width) ** -0.5),
    scale: inputScale,
    biasScale: inputScale,
  });
  return linearLayer(`${name}.down`, curve(up), width, {
    initialiser: outputInitialiser,
    scale: outputScale,
  });
}
