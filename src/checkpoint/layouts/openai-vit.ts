/** The Vision Transformer under OpenAI's names, with open_clip's variants: CLIPA's pooling, CoCa's attentional pooler. */
import { EidosError } from '../../errors.ts';
import type { Activation, ImagePool, VitArchitecture } from '../../models/architecture.ts';
import type { OpenClipConfig, OpenClipVision } from '../configuration/open-clip.ts';
import { imageHeadWidth } from './conventions.ts';
import { addBlocks, addPair, addTorchAttention, type NameTable, openAiBlock } from './names.ts';
import { agree, gridSide, headsDividing, imageSide, type ShapeTable } from './shape-table.ts';

const blocks = 'visual.transformer.resblocks.';

export function isOpenAiVit(table: ShapeTable): boolean {
  return table.has('visual.class_embedding');
}

/** CLIPA left out the norm before the blocks, which is how its checkpoints are known. */
export function isClipa(table: ShapeTable): boolean {
  return isOpenAiVit(table) && !table.has('visual.ln_pre.weight');
}

export function openAiVit(
  table: ShapeTable,
  config: OpenClipConfig | undefined,
  activation: Activation,
): VitArchitecture {
  const vision: Partial<OpenClipVision> = config?.model.vision_cfg ?? {};
  const [width = 0, , patchSize = 0] = table.shape('visual.conv1.weight', 4);
  const positions = table.axis('visual.positional_embedding', 2, 0);
  const grid = gridSide(positions - 1, 'visual.positional_embedding');
  const layers = table.blocks(blocks);
  const normBefore = table.has('visual.ln_pre.weight');

  const field = (name: string) => `vision_cfg.${name}`;
  const imageSize = imageSide(table, field('image_size'), scalar(vision.image_size, field('image_size')), {
    side: grid,
    patchSize,
    tensor: 'visual.positional_embedding',
  });
  agree(table, field('width'), vision.width, width, 'visual.conv1.weight');
  agree(table, field('patch_size'), vision.patch_size, patchSize, 'visual.conv1.weight');
  agree(
    table,
    field('layers'),
    scalar(vision.layers, field('layers')),
    layers,
    `${blocks}${layers - 1}.ln_1.weight`,
  );
  agree(table, field('no_ln_pre'), vision.no_ln_pre, !normBefore, 'visual.ln_pre.weight');
  const { pool, afterPool } = imagePool(table, vision, config === undefined && !normBefore);
  // open_clip divides and drops the rest.
  const headWidth = vision.head_width ?? (config === undefined ? imageHeadWidth(width) : 64);
  return {
    kind: 'vit',
    width,
    layers,
    heads: headsDividing(width, Math.floor(width / headWidth), field('head_width')),
    mlpWidth: table.axis(`${blocks}0.mlp.c_fc.weight`, 2, 0),
    activation,
    normEpsilon: vision.norm_kwargs?.eps ?? 1e-5,
    imageSize,
    patchSize,
    patchBias: table.has('visual.conv1.bias'),
    classToken: true,
    normBefore,
    // A norm of all tokens gives the class token the same values as a norm of it alone.
    normAfter: pool.kind === 'average' && !afterPool ? 'tokens' : 'pooled',
    pool,
    projection: table.has('visual.proj') ? 'linear' : 'none',
  };
}

export function openAiVitNames(vit: VitArchitecture): NameTable {
  const names: NameTable = new Map();
  const { width, patchSize } = vit;
  names.set('image.patch_embedding.weight', {
    from: 'visual.conv1.weight',
    stored: [width, 3, patchSize, patchSize],
  });
  if (vit.patchBias) names.set('image.patch_embedding.bias', { from: 'visual.conv1.bias' });
  names.set('image.class_embedding', { from: 'visual.class_embedding' });
  names.set('image.position_embedding', { from: 'visual.positional_embedding' });
  if (vit.normBefore) addPair(names, 'image.norm_before', 'visual.ln_pre');
  addBlocks(names, 'image', blocks, vit.layers, openAiBlock);
  if (vit.pool.kind === 'queries') addPooler(names, vit.pool.width === width);
  if (vit.normAfter !== 'none') addPair(names, 'image.norm_after', 'visual.ln_post');
  if (vit.projection !== 'none') {
    names.set('image.projection.weight', { from: 'visual.proj', transposed: true });
  }
  return names;
}

function imagePool(
  table: ShapeTable,
  vision: Partial<OpenClipVision>,
  clipa: boolean,
): { pool: ImagePool; afterPool: boolean } {
  const kind = vision.pool_type ?? (clipa ? 'avg' : 'tok');
  if (kind !== 'avg' && kind !== 'tok') unsupported('vision_cfg.pool_type', kind);
  const attentional = table.has('visual.attn_pool.query');
  agree(
    table,
    'vision_cfg.attentional_pool',
    vision.attentional_pool === true || undefined,
    attentional,
    'visual.attn_pool.query',
  );
  if (attentional) {
    if (typeof vision.attentional_pool === 'string')
      unsupported('vision_cfg.attentional_pool', vision.attentional_pool);
    if (kind === 'avg') unsupported('vision_cfg.pool_type', 'avg with attentional_pool');
    const [queries = 0, width = 0] = table.shape('visual.attn_pool.query', 2);
    agree(
      table,
      'vision_cfg.attn_pooler_queries',
      vision.attn_pooler_queries,
      queries,
      'visual.attn_pool.query',
    );
    const heads = headsDividing(width, vision.attn_pooler_heads ?? 8, 'vision_cfg.attn_pooler_heads');
    return { pool: { kind: 'queries', heads, queries, width }, afterPool: true };
  }
  return {
    pool: { kind: kind === 'avg' ? 'average' : 'class' },
    afterPool: vision.final_ln_after_pool ?? clipa,
  };
}

/** PyTorch keeps one matrix where keys are as wide as queries, and three where they are not. */
function addPooler(names: NameTable, fused: boolean): void {
  const from = 'visual.attn_pool';
  names.set('image.pool.queries', { from: `${from}.query` });
  addPair(names, 'image.pool.norm_queries', `${from}.ln_q`);
  addPair(names, 'image.pool.norm_keys', `${from}.ln_k`);
  addTorchAttention(names, 'image.pool.attention', `${from}.attn`);
  if (fused) return;
  names.set('image.pool.attention.query.weight', { from: `${from}.attn.q_proj_weight` });
  names.set('image.pool.attention.key.weight', { from: `${from}.attn.k_proj_weight` });
  names.set('image.pool.attention.value.weight', { from: `${from}.attn.v_proj_weight` });
}

function scalar(value: number | number[] | undefined, field: string): number | undefined {
  if (!Array.isArray(value)) return value;
  if (value.every((one) => one === value[0]) && value.length === 2) return value[0];
  return unsupported(field, `[${value}]`);
}

function unsupported(field: string, value: string): never {
  throw new EidosError(
    'unsupported_checkpoint',
    `The configuration has ${field} = ${value}, which eidos does not have for a Vision Transformer.`,
  );
}
