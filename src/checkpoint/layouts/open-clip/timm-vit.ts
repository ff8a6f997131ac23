/** timm's Vision Transformers under `visual.trunk.`: CLIP's, SigLIP's, EVA's, ViTamin's, the Perception Encoder's, MobileCLIP B's. */
import { EidosError } from '../../../errors.ts';
import type {
  Activation,
  ImagePool,
  InnerNorm,
  TransformerArchitecture,
  VitArchitecture,
  VitStem,
} from '../../../models/architecture.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../../models/preprocessing.ts';
import { heightAndWidth } from '../../../models/sides.ts';
import type { OpenClipConfig, OpenClipVision } from '../../configuration/open-clip.ts';
import { imageTokens } from '../../parameters.ts';
import { imageHeadWidth, siglipRest } from '../conventions.ts';
import { addBatchNorm, addFusedAttention, addPair, type NameTable } from '../names.ts';
import { agree, gridSide, headsDividing, imageSide, type ShapeTable } from '../shape-table.ts';
import { type TimmFacts, timmFacts, timmNameByWeights } from './timm-names.ts';

const trunk = 'visual.trunk';
const blocks = `${trunk}.blocks.`;
const stemName = `${trunk}.patch_embed.backbone`;

export function isTimmVit(shapes: ReadonlyMap<string, readonly number[]>): boolean {
  const patches =
    shapes.has(`${trunk}.patch_embed.proj.weight`) ||
    shapes.has(`${stemName}.0.conv.weight`) ||
    shapes.has(`${stemName}.stem.conv1.weight`);
  return patches && shapes.has(`${blocks}0.norm1.weight`);
}

/** SigLIP's have no class token, and a probe that pools. */
export function isTimmSiglip(shapes: ReadonlyMap<string, readonly number[]>): boolean {
  return (
    isTimmVit(shapes) &&
    shapes.has(`${trunk}.attn_pool.latent`) &&
    !shapes.has(`${trunk}.cls_token`) &&
    !shapes.has(`${trunk}.norm_pre.weight`)
  );
}

/** @throws EidosError `unsupported_checkpoint` where no known name says what the weights do not */
export function timmVit(
  table: ShapeTable,
  config: OpenClipConfig | undefined,
  activation: Activation | undefined,
): VitArchitecture {
  const vision: Partial<OpenClipVision> = config?.model.vision_cfg ?? {};
  // Among the SigLIPs only the activation is open, which the caller may say.
  const siglip =
    activation !== undefined && isTimmSiglip(table.shapes) ? 'vit_base_patch16_siglip' : undefined;
  const facts = timmFacts(vision.timm_model_name ?? timmNameByWeights(table.shapes) ?? siglip);
  const kwargs = vision.timm_model_kwargs;
  const layers = table.blocks(blocks);
  const width = table.axis(`${blocks}0.norm1.weight`, 1, 0);
  const field = 'vision_cfg.timm_model_kwargs';
  agree(table, `${field}.embed_dim`, kwargs?.embed_dim, width, `${blocks}0.norm1.weight`);
  agree(table, `${field}.depth`, kwargs?.depth, layers, `${blocks}${layers - 1}.norm1.weight`);
  const heads = headsDividing(
    width,
    kwargs?.num_heads ?? Math.floor(width / imageHeadWidth(width)),
    `${field}.num_heads`,
  );
  const normBefore = table.has(`${trunk}.norm_pre.weight`);
  const blockActivation = activation ?? layerActivation(kwargs?.act_layer) ?? facts.activation;
  const pool = poolOf(table, heads, facts, activation ?? (kwargs?.act_layer ? 'gelu' : facts.activation));
  return {
    kind: 'vit',
    width,
    layers,
    heads,
    mlpWidth: mlpWidth(table),
    activation: blockActivation,
    normEpsilon: facts.normEpsilon,
    ...blockVariant(table, facts),
    ...patches(table, vision),
    ...(facts.rotary === undefined ? {} : { rotary: facts.rotary }),
    classToken: table.has(`${trunk}.cls_token`),
    normBefore,
    normAfter: pool.kind === 'probe' ? 'tokens' : 'pooled',
    pool,
    projection: projectionOf(table),
  };
}

export function timmVitEmbeddingSize(table: ShapeTable): number {
  for (const head of [`${trunk}.head.weight`, 'visual.head.proj.weight'])
    if (table.has(head)) return table.axis(head, 2, 0);
  return table.axis(`${blocks}0.norm1.weight`, 1, 0);
}

export function timmVitNames(vit: VitArchitecture, table: ShapeTable): NameTable {
  const names: NameTable = new Map();
  const { width, patchSize, classToken, positions, pool } = vit;
  if (vit.stem !== undefined) addStem(names, vit.stem);
  else {
    names.set('image.patch_embedding.weight', {
      from: `${trunk}.patch_embed.proj.weight`,
      stored: [width, 3, ...heightAndWidth(patchSize)],
    });
    if (vit.patchBias) names.set('image.patch_embedding.bias', { from: `${trunk}.patch_embed.proj.bias` });
  }
  if (classToken) names.set('image.class_embedding', { from: `${trunk}.cls_token`, stored: [1, 1, width] });
  if (positions !== 'none') {
    const stored = table.shapes.get(`${trunk}.pos_embed`);
    names.set('image.position_embedding', {
      from: `${trunk}.pos_embed`,
      stored: [...(stored ?? [1, imageTokens(vit), width])],
    });
  }
  if (vit.normBefore) addPair(names, 'image.norm_before', `${trunk}.norm_pre`);
  for (let layer = 0; layer < vit.layers; layer++) {
    addBlock(names, `image.blocks.${layer}`, `${blocks}${layer}`, vit, table);
  }
  addPair(
    names,
    'image.norm_after',
    table.has(`${trunk}.fc_norm.weight`) ? `${trunk}.fc_norm` : `${trunk}.norm`,
  );
  if (pool.kind === 'probe') addProbe(names, width);
  if (vit.projection === 'none') return names;
  if (table.has('visual.head.proj.weight')) {
    names.set('image.projection.weight', { from: 'visual.head.proj.weight' });
  } else if (vit.projection === 'linear_bias') addPair(names, 'image.projection', `${trunk}.head`);
  else names.set('image.projection.weight', { from: `${trunk}.head.weight` });
  return names;
}

export function timmVitPreprocessing({ imageSize, pool }: VitArchitecture): ImagePreprocessing {
  if (pool.kind !== 'probe') return { ...clipPreprocessing, size: imageSize };
  return {
    ...clipPreprocessing,
    size: imageSize,
    resize: 'squash',
    mean: [0.5, 0.5, 0.5],
    deviation: [0.5, 0.5, 0.5],
  };
}

/** How many pixels a picture has, and what makes patches and their places of it. */
function patches(
  table: ShapeTable,
  vision: Partial<OpenClipVision>,
): Pick<VitArchitecture, 'imageSize' | 'patchSize' | 'patchBias' | 'positions' | 'stem'> {
  const kwargs = vision.timm_model_kwargs;
  const stem = stemOf(table);
  const convolution = `${trunk}.patch_embed.proj.weight`;
  const patchSize = stem === undefined ? table.axis(convolution, 4, 2) : stemStride(stem);
  if (stem === undefined) {
    agree(table, 'vision_cfg.timm_model_kwargs.patch_size', kwargs?.patch_size, patchSize, convolution);
  }
  const patchBias = stem === undefined && table.has(`${trunk}.patch_embed.proj.bias`);
  const shared = { patchSize, patchBias, ...(stem === undefined ? {} : { stem }) };
  const said = kwargs?.img_size ?? sideOf(vision.image_size);
  const positions = `${trunk}.pos_embed`;
  if (!table.has(positions)) {
    if (said !== undefined) return { ...shared, imageSize: said, positions: 'none' };
    throw new EidosError(
      'config_mismatch',
      'The image tower has no positions: how large its pictures are, only vision_cfg.image_size tells.',
    );
  }
  const places = table.axis(positions, 3, 1);
  const classToken = table.has(`${trunk}.cls_token`);
  // timm's `no_embed_class`: a table without a row for the class token has a square number of rows.
  const ofPatchesAlone = classToken && Number.isInteger(Math.sqrt(places));
  const side = gridSide(places - (classToken && !ofPatchesAlone ? 1 : 0), positions);
  return {
    ...shared,
    imageSize: imageSide(table, 'vision_cfg.image_size', said, {
      side,
      patchSize,
      tensor: positions,
      ...siglipRest(side, patchSize),
    }),
    ...(ofPatchesAlone ? { positions: 'patches' } : {}),
  };
}

const sideOf = (size: OpenClipVision['image_size']): number | undefined =>
  Array.isArray(size) ? size[0] : size;

function poolOf(table: ShapeTable, heads: number, facts: TimmFacts, activation: Activation): ImagePool {
  if (table.has(`${trunk}.attn_pool.latent`)) {
    return {
      kind: 'probe',
      heads: facts.poolHeads ?? heads,
      mlpWidth: table.axis(`${trunk}.attn_pool.mlp.fc1.weight`, 2, 0),
      activation,
    };
  }
  return table.has(`${trunk}.fc_norm.weight`) ? { kind: 'average' } : { kind: 'class' };
}

function projectionOf(table: ShapeTable): VitArchitecture['projection'] {
  if (table.has('visual.head.proj.weight')) return 'linear';
  if (!table.has(`${trunk}.head.weight`)) return 'none';
  return table.has(`${trunk}.head.bias`) ? 'linear_bias' : 'linear';
}

/** The MLP's maps by the names that each family gives them. */
function mlpMaps(table: ShapeTable, block: string): { up: string; gate?: string; down: string } {
  const mlp = `${block}.mlp`;
  if (table.has(`${mlp}.fc1_g.weight`))
    return { up: `${mlp}.fc1_x`, gate: `${mlp}.fc1_g`, down: `${mlp}.fc2` };
  if (table.has(`${mlp}.w0.weight`)) return { up: `${mlp}.w1`, gate: `${mlp}.w0`, down: `${mlp}.w2` };
  return { up: `${mlp}.fc1`, down: `${mlp}.fc2` };
}

const mlpWidth = (table: ShapeTable): number => table.axis(`${mlpMaps(table, `${blocks}0`).up}.weight`, 2, 0);

/** In what the blocks differ from CLIP's, by the tensors of the first one and by what the name tells. */
function blockVariant(table: ShapeTable, { normPlace }: TimmFacts): Partial<TransformerArchitecture> {
  const first = `${blocks}0`;
  const { gate } = mlpMaps(table, first);
  const innerNorms: InnerNorm[] = [];
  if (table.has(`${first}.attn.norm.weight`)) innerNorms.push('heads');
  // ViTamin norms what comes into the MLP once more, EVA-02 what is inside.
  if (table.has(`${first}.mlp.norm.weight`)) {
    innerNorms.push(table.has(`${first}.mlp.w0.weight`) ? 'mlp' : 'hidden');
  }
  const keysHaveNone = table.has(`${first}.attn.q_bias`) || separateWithoutKeyBias(table, first);
  return {
    ...(innerNorms.length === 0 ? {} : { innerNorms }),
    ...(keysHaveNone ? { attentionBiases: 'no_keys' } : {}),
    ...(gate === undefined ? {} : { gated: true }),
    ...(normPlace === undefined ? {} : { normPlace }),
    ...(table.has(`${first}.ls1.gamma`) ? { layerScale: true } : {}),
  };
}

const separateWithoutKeyBias = (table: ShapeTable, block: string): boolean =>
  table.has(`${block}.attn.q_proj.bias`) && !table.has(`${block}.attn.k_proj.bias`);

function addBlock(names: NameTable, to: string, from: string, vit: VitArchitecture, table: ShapeTable): void {
  const { innerNorms = [], attentionBiases } = vit;
  addPair(names, `${to}.norm_1`, `${from}.norm1`);
  const attention = `${to}.attention`;
  const fused = { weight: `${from}.attn.qkv.weight`, bias: `${from}.attn.qkv.bias` };
  if (table.has(`${from}.attn.q_proj.weight`)) {
    for (const [canonical, published] of [
      ['query', 'q_proj'],
      ['key', 'k_proj'],
      ['value', 'v_proj'],
    ] as const) {
      addPair(names, `${attention}.${canonical}`, `${from}.attn.${published}`);
    }
    addPair(names, `${attention}.output`, `${from}.attn.proj`);
  } else {
    addFusedAttention(names, attention, fused, `${from}.attn.proj`);
    if (attentionBiases === 'no_keys') {
      names.set(`${attention}.query.bias`, { from: `${from}.attn.q_bias` });
      names.set(`${attention}.value.bias`, { from: `${from}.attn.v_bias` });
    }
  }
  if (innerNorms.includes('heads')) addPair(names, `${attention}.norm`, `${from}.attn.norm`);
  addPair(names, `${to}.norm_2`, `${from}.norm2`);
  const { up, gate, down } = mlpMaps(table, from);
  addPair(names, `${to}.mlp.up`, up);
  if (gate !== undefined) addPair(names, `${to}.mlp.gate`, gate);
  addPair(names, `${to}.mlp.down`, down);
  if (innerNorms.includes('mlp')) addPair(names, `${to}.mlp.norm_input`, `${from}.mlp.norm`);
  if (innerNorms.includes('hidden')) addPair(names, `${to}.mlp.norm`, `${from}.mlp.norm`);
  if (!vit.layerScale) return;
  names.set(`${to}.scale_1`, { from: `${from}.ls1.gamma` });
  names.set(`${to}.scale_2`, { from: `${from}.ls2.gamma` });
}

function addProbe(names: NameTable, width: number): void {
  const pool = `${trunk}.attn_pool`;
  names.set('image.pool.probe', { from: `${pool}.latent`, stored: [1, 1, width] });
  addPair(names, 'image.pool.attention.query', `${pool}.q`);
  for (const [index, part] of (['key', 'value'] as const).entries()) {
    names.set(`image.pool.attention.${part}.weight`, { from: `${pool}.kv.weight`, part: [index, 2] });
    names.set(`image.pool.attention.${part}.bias`, { from: `${pool}.kv.bias`, part: [index, 2] });
  }
  addPair(names, 'image.pool.attention.output', `${pool}.proj`);
  addPair(names, 'image.pool.norm', `${pool}.norm`);
  addPair(names, 'image.pool.mlp.up', `${pool}.mlp.fc1`);
  addPair(names, 'image.pool.mlp.down', `${pool}.mlp.fc2`);
}

function stemOf(table: ShapeTable): VitStem | undefined {
  if (table.has(`${stemName}.0.conv.weight`)) {
    const shapes = Array.from({ length: table.blocks(`${stemName}.`) }, (_, index) =>
      table.shape(`${stemName}.${index}.conv.weight`, 4),
    );
    return {
      kind: 'convolutions',
      kernels: shapes.map(([, , side = 0]) => side),
      widths: shapes.slice(0, -1).map(([channels = 0]) => channels),
    };
  }
  if (!table.has(`${stemName}.stem.conv1.weight`)) return undefined;
  const stages = Array.from({ length: table.blocks(`${stemName}.stages.`) }, (_, index) => {
    const stage = `${stemName}.stages.${index}.`;
    const [inside = 0] = table.shape(`${stage}0.conv1_1x1.weight`, 4);
    const [width = 0] = table.shape(`${stage}0.conv3_1x1.weight`, 4);
    return { width, blocks: table.blocks(stage), expansion: inside / width };
  });
  return {
    kind: 'inverted_residuals',
    stemWidth: table.axis(`${stemName}.stem.conv1.weight`, 4, 0),
    stages,
  };
}

/** By how much a stem divides the sides of a picture. */
function stemStride(stem: VitStem): number {
  return stem.kind === 'convolutions'
    ? stem.kernels.reduce((product, kernel) => product * kernel, 1)
    : 2 ** (stem.stages.length + 2);
}

function addStem(names: NameTable, stem: VitStem): void {
  const to = 'image.stem';
  if (stem.kind === 'convolutions') {
    stem.kernels.forEach((_, index) => {
      const last = index === stem.kernels.length - 1;
      const from = `${stemName}.${index}`;
      if (last) addPair(names, `${to}.${index}.conv`, `${from}.conv`);
      else {
        names.set(`${to}.${index}.conv.weight`, { from: `${from}.conv.weight` });
        addBatchNorm(names, `${to}.${index}.norm`, `${from}.bn`);
      }
    });
    return;
  }
  addPair(names, `${to}.conv_1`, `${stemName}.stem.conv1`);
  addPair(names, `${to}.norm`, `${stemName}.stem.norm1`);
  addPair(names, `${to}.conv_2`, `${stemName}.stem.conv2`);
  stem.stages.forEach((stage, index) => {
    for (let block = 0; block < stage.blocks; block++) {
      const own = `${to}.stages.${index}.${block}`;
      const from = `${stemName}.stages.${index}.${block}`;
      addPair(names, `${own}.norm`, `${from}.pre_norm`);
      addPair(names, `${own}.widen`, `${from}.conv1_1x1`);
      addPair(names, `${own}.depthwise`, `${from}.conv2_kxk`);
      addPair(names, `${own}.narrow`, `${from}.conv3_1x1`);
      addPair(names, `${own}.shortcut`, `${from}.shortcut.expand`);
    }
  });
  addPair(names, `${to}.pool.norm`, `${stemName}.pool.norm`);
  addPair(names, `${to}.pool.conv`, `${stemName}.pool.proj`);
}

function layerActivation(layer: string | undefined): Activation | undefined {
  if (layer === undefined || layer === 'gelu' || layer === 'gelu_tanh' || layer === 'quick_gelu')
    return layer;
  throw new EidosError(
    'unsupported_checkpoint',
    `The configuration has vision_cfg.timm_model_kwargs.act_layer = ${layer}; eidos has gelu, gelu_tanh and quick_gelu.`,
  );
}
