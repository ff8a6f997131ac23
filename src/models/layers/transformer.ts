/** The stack of residual attention blocks that image and text encoders share (Radford et al. 2019, pre-norm). */
import { normal } from '../../graph/initialise.ts';
import { add } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { InnerNorm, TransformerArchitecture } from '../architecture.ts';
import { type AttentionOptions, attention, type Tokens } from './attention.ts';
import { normLayer, rmsNormLayer, scaleLayer } from './linear.ts';
import { mlp } from './mlp.ts';

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

export interface BlocksOptions extends TowerHooks, Pick<AttentionOptions, 'mask' | 'rotate'> {}

/** Where the factors of branches begin (Touvron et al. 2021, section 3). */
const firstScale = { kind: 'constant', value: 1e-4 } as const;

/** All blocks, [n · tokens, width] → the same, with parameters under `${name}.blocks.${i}`. */
export function transformerBlocks(
  name: string,
  tokens: Tokens,
  architecture: TransformerArchitecture,
  { mask, rotate, watch = (_, value) => value, branch = (_, value) => value }: BlocksOptions = {},
): Tokens {
  const { layers, heads, width, normPlace = 'before', layerScale, innerNorms = [] } = architecture;
  const norm = normOf(architecture);
  const innerNorm = (kind: InnerNorm) => (innerNorms.includes(kind) ? norm : undefined);
  // CLIP's initialisation: what is added to the residual path shrinks with depth.
  const residual = normal(width ** -0.5 * (2 * layers) ** -0.5);

  /** x and what a branch makes of it, the norm where the architecture has it. */
  const added = (x: Value, block: string, of: Branch): Value => {
    const made = of.make(normPlace === 'before' ? norm(`${block}.norm_${of.index}`, x) : x);
    const normed = normPlace === 'branch' ? norm(`${block}.norm_${of.index}`, made) : made;
    const scaled = layerScale ? scaleLayer(`${block}.scale_${of.index}`, normed, firstScale) : normed;
    const sum = add(x, branch(`${block}.${of.name}`, scaled));
    return normPlace === 'sum' ? norm(`${block}.norm_${of.index}`, sum) : sum;
  };

  let x = tokens.value; // [n · tokens, width]
  for (let layer = 0; layer < layers; layer++) {
    const block = `${name}.blocks.${layer}`;
    const attend = (value: Value): Value => {
      const own = { ...tokens, value };
      const attended = attention(`${block}.attention`, own, own, {
        heads,
        width: architecture.attentionWidth,
        outputWidth: width,
        biases: architecture.attentionBiases,
        scores: architecture.scores,
        headScale: architecture.headScale,
        normQueriesKeys: innerNorm('queries_keys'),
        normHeads: innerNorm('heads'),
        mask,
        rotate,
        outputInitialiser: residual,
        watch: (weights) => watch(`${name}.attention.${layer}`, weights),
      });
      return innerNorm('attention')?.(`${block}.norm_attention`, attended.value) ?? attended.value;
    };
    x = added(x, block, { index: 1, name: 'attention', make: attend });
    const think = (value: Value): Value =>
      mlp(`${block}.mlp`, innerNorm('mlp')?.(`${block}.mlp.norm_input`, value) ?? value, {
        hidden: architecture.mlpWidth,
        activation: architecture.activation,
        gated: architecture.gated,
        bias: architecture.mlpBiases,
        normHidden: innerNorm('hidden'),
        outputInitialiser: residual,
      });
    x = added(x, block, { index: 2, name: 'mlp', make: think });
    x = watch(`${name}.block.${layer}`, x);
  }
  return { ...tokens, value: x };
}

interface Branch {
  index: 1 | 2;
  name: 'attention' | 'mlp';
  make: (x: Value) => Value;
}

/** The norm that an architecture's blocks use, under a name. */
export function normOf({
  normKind,
  normEpsilon,
}: Pick<TransformerArchitecture, 'normKind' | 'normEpsilon'>): (name: string, x: Value) => Value {
  const layer = normKind === 'rms' ? rmsNormLayer : normLayer;
  return (name, x) => layer(name, x, normEpsilon);
}
