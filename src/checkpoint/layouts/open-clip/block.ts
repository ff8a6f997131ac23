/** A Transformer's block under OpenAI's names, and what open_clip's own blocks have besides: which, and where it lies. */
import type { InnerNorm, TransformerArchitecture } from '../../../models/architecture.ts';
import type { OpenClipText, OpenClipVision } from '../../configuration/open-clip.ts';
import { addPair, addTorchAttention, type NameTable } from '../names.ts';
import { agree, type ShapeTable } from '../shape-table.ts';

/** The norms within a block: the field that asks for one, and the name under which it lies. */
const innerNormPlaces = [
  ['queries_keys', 'qk_norm', 'attn.ln_q'],
  ['heads', 'scale_attn_inner', 'attn.ln_inner'],
  ['attention', 'scale_attn', 'ln_attn'],
  ['hidden', 'scale_fc', 'mlp.ln'],
] as const satisfies readonly [InnerNorm, keyof OpenClipVision & keyof OpenClipText, string][];

/**
 * In what the blocks differ from CLIP's, by the tensors of the first one.
 * @param first name of the first block with its dot
 * @param section of the configuration, for messages
 */
export function openAiBlockVariant(
  table: ShapeTable,
  first: string,
  section: 'vision_cfg' | 'text_cfg',
  config: Partial<OpenClipVision | OpenClipText>,
): Partial<TransformerArchitecture> {
  const innerNorms: InnerNorm[] = [];
  for (const [kind, field, name] of innerNormPlaces) {
    const there = table.has(`${first}${name}.weight`);
    agree(table, `${section}.${field}`, config[field], there, `${first}${name}.weight`);
    if (there) innerNorms.push(kind);
  }
  const cosine = table.has(`${first}attn.logit_scale`);
  agree(
    table,
    `${section}.scaled_cosine_attn`,
    config.scaled_cosine_attn,
    cosine,
    `${first}attn.logit_scale`,
  );
  const headScale = table.has(`${first}attn.head_scale`);
  agree(table, `${section}.scale_heads`, config.scale_heads, headScale, `${first}attn.head_scale`);
  return {
    ...(innerNorms.length === 0 ? {} : { innerNorms }),
    ...(table.has(`${first}ls_1.gamma`) ? { layerScale: true } : {}),
    ...(headScale ? { headScale } : {}),
    ...(cosine ? { scores: 'cosine' } : {}),
  };
}

/** Heads of which the blocks' tensors tell the number: a norm of each head's queries is as wide as a head. */
export function headsOfNorm(table: ShapeTable, first: string, width: number): number | undefined {
  const norm = `${first}attn.ln_q.weight`;
  return table.has(norm) ? width / table.axis(norm, 1, 0) : undefined;
}

/** All blocks of a tower under OpenAI's `resblocks.N`; `from` ends with the dot before the number. */
export function addOpenAiBlocks(
  names: NameTable,
  tower: 'image' | 'text',
  from: string,
  architecture: TransformerArchitecture,
): void {
  const { layers, heads, innerNorms = [] } = architecture;
  for (let layer = 0; layer < layers; layer++) {
    const to = `${tower}.blocks.${layer}`;
    const block = `${from}${layer}`;
    addPair(names, `${to}.norm_1`, `${block}.ln_1`);
    addTorchAttention(names, `${to}.attention`, `${block}.attn`);
    addPair(names, `${to}.norm_2`, `${block}.ln_2`);
    addPair(names, `${to}.mlp.up`, `${block}.mlp.c_fc`);
    addPair(names, `${to}.mlp.down`, `${block}.mlp.c_proj`);
    if (innerNorms.includes('queries_keys')) {
      addPair(names, `${to}.attention.norm_query`, `${block}.attn.ln_q`);
      addPair(names, `${to}.attention.norm_key`, `${block}.attn.ln_k`);
    }
    if (innerNorms.includes('heads')) addPair(names, `${to}.attention.norm`, `${block}.attn.ln_inner`);
    if (innerNorms.includes('attention')) addPair(names, `${to}.norm_attention`, `${block}.ln_attn`);
    if (innerNorms.includes('hidden')) addPair(names, `${to}.mlp.norm`, `${block}.mlp.ln`);
    const stored = [heads, 1, 1];
    if (architecture.headScale) {
      names.set(`${to}.attention.head_scale`, { from: `${block}.attn.head_scale`, stored });
    }
    if (architecture.scores === 'cosine') {
      names.set(`${to}.attention.logit_scale`, { from: `${block}.attn.logit_scale`, stored });
    }
    if (!architecture.layerScale) continue;
    names.set(`${to}.scale_1`, { from: `${block}.ls_1.gamma` });
    names.set(`${to}.scale_2`, { from: `${block}.ls_2.gamma` });
  }
}
