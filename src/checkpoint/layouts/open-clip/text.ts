/** The text Transformer under OpenAI's names, at the top of a checkpoint or under `text.` as in open_clip's newer ones. */
import { EidosError } from '../../../errors.ts';
import type { Activation, Projection, TextArchitecture, TextPool } from '../../../models/architecture.ts';
import type { OpenClipConfig, OpenClipText } from '../../configuration/open-clip.ts';
import { textHeadWidth } from '../conventions.ts';
import type { Published } from '../layout.ts';
import { addPair, type NameTable } from '../names.ts';
import { agree, headsDividing, type ShapeTable } from '../shape-table.ts';
import { addOpenAiBlocks, headsOfNorm, openAiBlockVariant } from './block.ts';

/** What a family of models does where no configuration says so. */
export interface TextConventions {
  activation: Activation;
  causal: boolean;
  pool: TextPool;
  normEpsilon: number;
}

/** OpenAI's conventions. */
export const openAiText: Omit<TextConventions, 'activation'> = {
  causal: true,
  pool: { kind: 'end', endToken: 'highest' },
  normEpsilon: 1e-5,
};

/** CLIPA's and SigLIP's: every token sees all others, the last position is the sentence. */
export const lastTokenText: Omit<TextConventions, 'activation'> = {
  causal: false,
  pool: { kind: 'last' },
  normEpsilon: 1e-5,
};

export function openAiTextTower(
  table: ShapeTable,
  prefix: '' | 'text.',
  config: OpenClipConfig | undefined,
  conventions: TextConventions,
): TextArchitecture {
  const text: Partial<OpenClipText> = config?.model.text_cfg ?? {};
  const blocks = `${prefix}transformer.resblocks.`;
  const [vocabularySize = 0, width = 0] = table.shape(`${prefix}token_embedding.weight`, 2);
  const layers = table.blocks(blocks);
  const classToken = table.has(`${prefix}cls_emb`);
  const positions = table.axis(`${prefix}positional_embedding`, 2, 0);
  const contextLength = positions - (classToken ? 1 : 0);
  const check = (field: keyof OpenClipText, found: number | boolean, tensor: string) =>
    agree(
      table,
      `text_cfg.${field}`,
      text[field] as number | boolean | undefined,
      found,
      `${prefix}${tensor}`,
    );
  check('vocab_size', vocabularySize, 'token_embedding.weight');
  check('width', width, 'token_embedding.weight');
  check('layers', layers, `transformer.resblocks.${layers - 1}.ln_1.weight`);
  check('embed_cls', classToken, 'cls_emb');
  check('context_length', contextLength, 'positional_embedding');
  // open_clip's configurations mean eight heads where they name none.
  const heads =
    headsOfNorm(table, `${blocks}0.`, width) ??
    text.heads ??
    (config === undefined ? Math.floor(width / textHeadWidth(width)) : 8);

  return {
    width,
    layers,
    heads: headsDividing(width, heads, 'text_cfg.heads'),
    mlpWidth: table.axis(`${blocks}0.mlp.c_fc.weight`, 2, 0),
    activation: conventions.activation,
    normEpsilon: text.norm_kwargs?.eps ?? conventions.normEpsilon,
    ...openAiBlockVariant(table, `${blocks}0.`, 'text_cfg', text),
    contextLength,
    vocabularySize,
    causal: config === undefined ? conventions.causal : text.no_causal_mask !== true,
    positions: 'learned',
    pool: classToken ? { kind: 'class', padToken: text.pad_id ?? 0 } : textPool(config, conventions),
    projection: textProjection(table, prefix),
  };
}

export function openAiTextNames(text: TextArchitecture, prefix: '' | 'text.', table: ShapeTable): NameTable {
  if (text.kind === 'averaging') {
    throw new EidosError(
      'unsupported_checkpoint',
      `OpenAI's layout has no text tower of kind '${text.kind}'.`,
    );
  }
  const names: NameTable = new Map();
  names.set('text.token_embedding', { from: `${prefix}token_embedding.weight` });
  names.set('text.position_embedding', { from: `${prefix}positional_embedding` });
  if (text.pool.kind === 'class') {
    names.set('text.class_embedding', { from: `${prefix}cls_emb`, stored: [text.width] });
  }
  addOpenAiBlocks(names, 'text', `${prefix}transformer.resblocks.`, text);
  addPair(names, 'text.norm_after', `${prefix}ln_final`);
  // OpenAI keeps a bare matrix [width, embedding], SigLIP a linear layer.
  const layer = `${prefix}text_projection`;
  if (text.projection === 'linear_bias') addPair(names, 'text.projection', layer);
  else if (text.projection === 'linear') {
    const place: Published = table.has(`${layer}.weight`)
      ? { from: `${layer}.weight` }
      : { from: layer, transposed: true };
    names.set('text.projection.weight', place);
  }
  return names;
}

function textPool(config: OpenClipConfig | undefined, conventions: TextConventions): TextPool {
  if (config === undefined) return conventions.pool;
  const { pool_type: kind = 'argmax', eos_id: endToken = 2 } = config.model.text_cfg;
  if (kind === 'argmax') return { kind: 'end', endToken: 'highest' };
  if (kind === 'eos') return { kind: 'end', endToken };
  if (kind === 'first' || kind === 'last') return { kind };
  throw new EidosError(
    'unsupported_checkpoint',
    `The configuration has text_cfg.pool_type = ${kind}; eidos has argmax, eos, first and last.`,
  );
}

function textProjection(table: ShapeTable, prefix: string): Projection {
  if (table.has(`${prefix}text_projection`)) return 'linear';
  if (!table.has(`${prefix}text_projection.weight`)) return 'none';
  return table.has(`${prefix}text_projection.bias`) ? 'linear_bias' : 'linear';
}
