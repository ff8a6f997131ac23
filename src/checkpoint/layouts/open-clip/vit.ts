/** The Vision Transformer under OpenAI's names, with open_clip's variants: CLIPA's pooling, CoCa's attentional pooler. */
import { EidosError } from '../../../errors.ts';
import type { Activation, ImagePool, Sides, VitArchitecture } from '../../../models/architecture.ts';
import { heightAndWidth, sidesInWords } from '../../../models/sides.ts';
import type { OpenClipConfig, OpenClipVision } from '../../configuration/open-clip.ts';
import { imageHeadWidth } from '../conventions.ts';
import { addPair, addTorchAttention, type NameTable } from '../names.ts';
import { agree, headsDividing, imageSides, type ShapeTable } from '../shape-table.ts';
import { addOpenAiBlocks, headsOfNorm, openAiBlockVariant } from './block.ts';

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
  const [width = 0, , patchHeight = 0, patchWidth = 0] = table.shape('visual.conv1.weight', 4);
  const patchSize: Sides = patchHeight === patchWidth ? patchHeight : [patchHeight, patchWidth];
  const positions = 'visual.positional_embedding';
  const layers = table.blocks(blocks);
  const normBefore = table.has('visual.ln_pre.weight');

  const field = (name: string) => `vision_cfg.${name}`;
  const imageSize = imageSides(table, field('image_size'), vision.image_size as Sides | undefined, {
    places: table.axis(positions, 2, 0) - 1,
    patchSize,
    tensor: positions,
  });
  agree(table, field('width'), vision.width, width, 'visual.conv1.weight');
  if (vision.patch_size !== undefined) {
    const said = sidesInWords(vision.patch_size as Sides);
    agree(table, field('patch_size'), said, sidesInWords(patchSize), 'visual.conv1.weight');
  }
  agree(
    table,
    field('layers'),
    scalar(vision.layers, field('layers')),
    layers,
    `${blocks}${layers - 1}.ln_1.weight`,
  );
  agree(table, field('no_ln_pre'), vision.no_ln_pre, !normBefore, 'visual.ln_pre.weight');
  const { pool, normAfter } = imagePool(table, vision, config === undefined && !normBefore);
  const headWidth = () => vision.head_width ?? (config === undefined ? imageHeadWidth(width) : 64);
  // open_clip divides and drops the rest.
  const heads = headsOfNorm(table, `${blocks}0.`, width) ?? Math.floor(width / headWidth());
  return {
    kind: 'vit',
    width,
    layers,
    heads: headsDividing(width, heads, field('head_width')),
    mlpWidth: table.axis(`${blocks}0.mlp.c_fc.weight`, 2, 0),
    activation,
    normEpsilon: vision.norm_kwargs?.eps ?? 1e-5,
    ...openAiBlockVariant(table, `${blocks}0.`, 'vision_cfg', vision),
    imageSize,
    patchSize,
    ...(vision.pos_embed_type === 'sin_cos_2d' ? { positions: 'fixed' } : {}),
    patchBias: table.has('visual.conv1.bias'),
    classToken: true,
    normBefore,
    normAfter,
    pool,
    projection: table.has('visual.proj') ? 'linear' : 'none',
  };
}

export function openAiVitNames(vit: VitArchitecture): NameTable {
  const names: NameTable = new Map();
  const { width, patchSize } = vit;
  names.set('image.patch_embedding.weight', {
    from: 'visual.conv1.weight',
    stored: [width, 3, ...heightAndWidth(patchSize)],
  });
  if (vit.patchBias) names.set('image.patch_embedding.bias', { from: 'visual.conv1.bias' });
  names.set('image.class_embedding', { from: 'visual.class_embedding' });
  names.set('image.position_embedding', { from: 'visual.positional_embedding' });
  if (vit.normBefore) addPair(names, 'image.norm_before', 'visual.ln_pre');
  addOpenAiBlocks(names, 'image', blocks, vit);
  if (vit.pool.kind === 'queries') {
    const { second } = vit.pool;
    const fused = vit.pool.width === width;
    if (second !== 'parallel') addPooler(names, 'image.pool', 'visual.attn_pool', fused);
    if (second !== undefined) addPooler(names, 'image.pool.second', 'visual.attn_pool_contrastive', fused);
  }
  if (vit.normAfter !== 'none') addPair(names, 'image.norm_after', 'visual.ln_post');
  if (vit.projection !== 'none') {
    names.set('image.projection.weight', { from: 'visual.proj', transposed: true });
  }
  return names;
}

/** How the tokens become one vector, and where the last norm stands. */
function imagePool(
  table: ShapeTable,
  vision: Partial<OpenClipVision>,
  clipa: boolean,
): Pick<VitArchitecture, 'pool' | 'normAfter'> {
  const kind = vision.pool_type ?? (clipa ? 'avg' : 'tok');
  if (kind === 'none') {
    throw new EidosError(
      'unsupported_checkpoint',
      'The configuration has vision_cfg.pool_type = none: the model gives an embedding for each token and none for the picture.',
    );
  }
  if (kind !== 'avg' && kind !== 'tok') unsupported('vision_cfg.pool_type', kind);
  const pooler = queryPool(table, vision);
  if (pooler !== undefined) {
    // With a second pooler open_clip norms the tokens and looks at no pool_type.
    if (pooler.second !== undefined) return { pool: pooler, normAfter: 'tokens' };
    if (kind === 'tok') return { pool: pooler, normAfter: 'pooled' };
    return { pool: { ...pooler, take: 'others' }, normAfter: 'tokens' };
  }
  const afterPool = vision.final_ln_after_pool ?? clipa;
  // A norm of all tokens gives the class token the same values as a norm of it alone.
  return kind === 'avg'
    ? { pool: { kind: 'average' }, normAfter: afterPool ? 'pooled' : 'tokens' }
    : { pool: { kind: 'class' }, normAfter: 'pooled' };
}

function queryPool(
  table: ShapeTable,
  vision: Partial<OpenClipVision>,
): Extract<ImagePool, { kind: 'queries' }> | undefined {
  const first = 'visual.attn_pool.query';
  const asked = vision.attentional_pool;
  agree(
    table,
    'vision_cfg.attentional_pool',
    asked === undefined ? undefined : asked !== false,
    table.has(first),
    first,
  );
  if (!table.has(first)) return undefined;
  const [queries = 0, width = 0] = table.shape(first, 2);
  agree(table, 'vision_cfg.attn_pooler_queries', vision.attn_pooler_queries, queries, first);
  const heads = headsDividing(width, vision.attn_pooler_heads ?? 8, 'vision_cfg.attn_pooler_heads');
  const pool = { kind: 'queries' as const, heads, queries, width };
  const second = 'visual.attn_pool_contrastive.query';
  const kind = typeof asked === 'string' ? asked : undefined;
  agree(
    table,
    'vision_cfg.attentional_pool',
    asked === undefined ? undefined : (kind ?? 'true'),
    table.has(second) ? (kind ?? 'parallel or cascade') : 'true',
    second,
  );
  if (!table.has(second)) return pool;
  if (kind === 'parallel' || kind === 'cascade') return { ...pool, second: kind };
  return kind === undefined
    ? unsupported(
        'vision_cfg.attentional_pool',
        'nothing, where weights have two poolers (parallel or cascade: the weights do not tell)',
      )
    : unsupported('vision_cfg.attentional_pool', kind);
}

/** PyTorch keeps one matrix where keys are as wide as queries, and three where they are not. */
function addPooler(names: NameTable, to: string, from: string, fused: boolean): void {
  names.set(`${to}.queries`, { from: `${from}.query` });
  addPair(names, `${to}.norm_queries`, `${from}.ln_q`);
  addPair(names, `${to}.norm_keys`, `${from}.ln_k`);
  addTorchAttention(names, `${to}.attention`, `${from}.attn`);
  if (fused) return;
  names.set(`${to}.attention.query.weight`, { from: `${from}.attn.q_proj_weight` });
  names.set(`${to}.attention.key.weight`, { from: `${from}.attn.k_proj_weight` });
  names.set(`${to}.attention.value.weight`, { from: `${from}.attn.v_proj_weight` });
}

function scalar(value: number | number[] | undefined, field: string): number | undefined {
  if (!Array.isArray(value)) return value;
  return unsupported(field, `[${value}]`);
}

function unsupported(field: string, value: string): never {
  throw new EidosError(
    'unsupported_checkpoint',
    `The configuration has ${field} = ${value}, which eidos does not have for a Vision Transformer.`,
  );
}
