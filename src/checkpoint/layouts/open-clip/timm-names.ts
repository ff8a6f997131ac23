/**
 * What of timm's image towers only their name tells: neither weights nor configuration say it (timm 1.0.31,
 * vision_transformer.py, eva.py, vitamin.py, convnext.py).
 */
import { EidosError } from '../../../errors.ts';
import type { Activation } from '../../../models/architecture.ts';
import type { PictureRotation } from '../../../models/layers/rotary.ts';

export interface TimmFacts {
  activation: Activation;
  normEpsilon: number;
  rotary?: PictureRotation;
  /** Heads of the pooling probe; those of the blocks where nothing is said. */
  poolHeads?: number;
  /** Where the norms of the blocks' branches stand. */
  normPlace?: 'branch';
}

/** The first row whose pattern fits counts. */
const rows: readonly (readonly [name: RegExp, facts: TimmFacts])[] = [
  [
    /^(vit_(base_patch32|so400m_patch16|giantopt_patch16)_siglip|vit_large_patch16_siglip_512|naflexvit_\w*siglip)/,
    { activation: 'gelu_tanh', normEpsilon: 1e-6 },
  ],
  [/^vit_\w*siglip/, { activation: 'gelu', normEpsilon: 1e-6 }],
  [/^vit_\w*_clip_/, { activation: 'gelu', normEpsilon: 1e-5 }],
  [/^vit_base_mci/, { activation: 'gelu', normEpsilon: 1e-6 }],
  [/^eva_giant_/, { activation: 'gelu', normEpsilon: 1e-6 }],
  [/^eva02_enormous_/, { activation: 'gelu', normEpsilon: 1e-6, normPlace: 'branch' }],
  [/^eva02_/, { activation: 'silu', normEpsilon: 1e-6, rotary: { reference: 16, offset: 0, first: 'rows' } }],
  [
    /^vit_pe_core_gigantic/,
    {
      activation: 'gelu',
      normEpsilon: 1e-5,
      rotary: { reference: 32, offset: 0, first: 'columns' },
      poolHeads: 8,
    },
  ],
  [
    /^vit_pe_core_base/,
    {
      activation: 'gelu',
      normEpsilon: 1e-5,
      rotary: { reference: 14, offset: 1, first: 'columns' },
      poolHeads: 8,
    },
  ],
  [
    /^vit_pe_core_/,
    {
      activation: 'gelu',
      normEpsilon: 1e-5,
      rotary: { reference: 24, offset: 1, first: 'columns' },
      poolHeads: 8,
    },
  ],
  [/^vitamin_/, { activation: 'gelu', normEpsilon: 1e-6 }],
  [/^convnext_xxlarge/, { activation: 'gelu', normEpsilon: 1e-5 }],
  [/^convnext_/, { activation: 'gelu', normEpsilon: 1e-6 }],
  [/^fastvit_mci/, { activation: 'gelu', normEpsilon: 1e-5 }],
];

/**
 * A name whose facts are those of the weights, where no configuration gives one and shapes decide among all towers that
 * were published; undefined where they do not.
 */
export function timmNameByWeights(shapes: ReadonlyMap<string, readonly number[]>): string | undefined {
  const has = (name: string): boolean => shapes.has(`visual.trunk.${name}`);
  if (has('stem.0.conv_kxk.0.conv.weight') || has('stem.0.reparam_conv.weight')) return 'fastvit_mci';
  if (has('patch_embed.backbone.0.conv.weight')) return 'vit_base_mci';
  if (has('patch_embed.backbone.stem.conv1.weight')) return 'vitamin_';
  if (has('blocks.0.mlp.fc1_g.weight')) return 'eva02_';
  const width = shapes.get('visual.trunk.blocks.0.norm1.weight')?.[0];
  if (has('blocks.0.attn.q_bias')) {
    return width === 1408 ? 'eva_giant_' : width === 1792 ? 'eva02_enormous_' : undefined;
  }
  if (has('norm_pre.weight')) {
    if (!has('attn_pool.latent')) return 'vit_base_clip_';
    if (!has('cls_token')) return 'vit_pe_core_gigantic';
    return width === 768 ? 'vit_pe_core_base' : 'vit_pe_core_large';
  }
  // The vocabulary of the first SigLIPs, which are alike in what only a name tells; those of later ones leave it open.
  const words = shapes.get('text.token_embedding.weight')?.[0];
  return has('attn_pool.latent') && words === 32_000 ? 'vit_base_patch16_siglip_224' : undefined;
}

/**
 * @param name `vision_cfg.timm_model_name`; what stands after a dot names weights
 * @throws EidosError `unsupported_checkpoint` for a name that is not known, or none: any guess may give wrong embeddings
 */
export function timmFacts(name: string | undefined): TimmFacts {
  if (name === undefined) {
    throw new EidosError(
      'unsupported_checkpoint',
      'The image tower is one of timm’s, whose heads, activation and epsilon its name alone tells: the open_clip_config.json that names it is missing beside the weights.',
    );
  }
  const found = rows.find(([pattern]) => pattern.test(name));
  if (found !== undefined) return found[1];
  throw new EidosError(
    'unsupported_checkpoint',
    `The configuration has vision_cfg.timm_model_name = ${name}, which eidos does not know.`,
  );
}
