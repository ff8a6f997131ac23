/** SigLIP as open_clip publishes it: timm's Vision Transformer under `visual.trunk.`, the text tower under `text.`. */
import { EidosError } from '../../errors.ts';
import type { Activation, VitArchitecture } from '../../models/architecture.ts';
import { clipPreprocessing } from '../../models/preprocessing.ts';
import { heightAndWidth } from '../../models/sides.ts';
import type { OpenClipConfig, OpenClipVision } from '../configuration/open-clip.ts';
import { imageTokens } from '../parameters.ts';
import { imageHeadWidth, siglipRest } from './conventions.ts';
import type { Layout } from './layout.ts';
import { addBlocks, addPair, type NameTable, timmBlock } from './names.ts';
import { lastTokenText, openAiTextNames, openAiTextTower } from './openai-text.ts';
import { agree, gridSide, headsDividing, imageSide, type ShapeTable } from './shape-table.ts';

const trunk = 'visual.trunk';
const blocks = `${trunk}.blocks.`;

export const openClipTimmSiglip: Layout = {
  recognise: (shapes) =>
    shapes.has(`${trunk}.patch_embed.proj.weight`) &&
    shapes.has(`${trunk}.attn_pool.latent`) &&
    shapes.has('text.token_embedding.weight'),

  architecture(table, { openClip: config }, options) {
    const { vision_cfg: vision, text_cfg: text } = config?.model ?? {};
    const kwargs = vision?.timm_model_kwargs;
    const image = timmVit(table, config, {
      blocks: options.activation ?? timmActivation(kwargs?.act_layer, vision?.act_kwargs?.approximate),
      // timm's pooling head keeps exact GELU whatever its blocks use.
      pool: options.activation ?? 'gelu',
    });
    const textTower = openAiTextTower(table, 'text.', config, {
      ...lastTokenText,
      normEpsilon: config === undefined ? 1e-6 : 1e-5,
      activation: options.activation ?? (text?.act_kwargs?.approximate === 'tanh' ? 'gelu_tanh' : 'gelu'),
    });
    agree(table, 'embed_dim', config?.model.embed_dim, image.width, `${trunk}.patch_embed.proj.weight`);
    return {
      embeddingSize: image.width,
      image,
      text: textTower,
      probability: 'sigmoid',
      logitBias: table.has('logit_bias'),
    };
  },

  published(clip, table) {
    if (clip.image.kind !== 'vit') throw new EidosError('invalid_option', 'SigLIP has a Vision Transformer.');
    const names = new Map([...timmNames(clip.image), ...openAiTextNames(clip.text, 'text.', table)]);
    names.set('logit_scale', { from: 'logit_scale' });
    if (clip.logitBias) names.set('logit_bias', { from: 'logit_bias' });
    return names;
  },

  ignores: () => false,
  settings: 'open_clip',

  preprocessing: ({ image }) => ({
    ...clipPreprocessing,
    size: image.imageSize,
    resize: 'squash',
    mean: [0.5, 0.5, 0.5],
    deviation: [0.5, 0.5, 0.5],
  }),
};

function timmVit(
  table: ShapeTable,
  config: OpenClipConfig | undefined,
  activations: { blocks: Activation; pool: Activation },
): VitArchitecture {
  const vision: Partial<OpenClipVision> = config?.model.vision_cfg ?? {};
  const kwargs = vision.timm_model_kwargs;
  const convolution = `${trunk}.patch_embed.proj.weight`;
  const [width = 0, , patchSize = 0] = table.shape(convolution, 4);
  const positions = `${trunk}.pos_embed`;
  const grid = gridSide(table.axis(positions, 3, 1), positions);
  const layers = table.blocks(blocks);
  const field = 'vision_cfg.timm_model_kwargs';
  agree(table, `${field}.embed_dim`, kwargs?.embed_dim, width, convolution);
  agree(table, `${field}.patch_size`, kwargs?.patch_size, patchSize, convolution);
  agree(table, `${field}.depth`, kwargs?.depth, layers, `${blocks}${layers - 1}.norm1.weight`);
  const size = Array.isArray(vision.image_size) ? vision.image_size[0] : vision.image_size;
  const imageSize = imageSide(table, 'vision_cfg.image_size', kwargs?.img_size ?? size, {
    side: grid,
    patchSize,
    tensor: positions,
    ...siglipRest(grid, patchSize),
  });
  const heads = headsDividing(
    width,
    kwargs?.num_heads ?? Math.floor(width / imageHeadWidth(width)),
    `${field}.num_heads`,
  );
  return {
    kind: 'vit',
    width,
    layers,
    heads,
    mlpWidth: table.axis(`${blocks}0.mlp.fc1.weight`, 2, 0),
    activation: activations.blocks,
    normEpsilon: 1e-6,
    imageSize,
    patchSize,
    patchBias: table.has(`${trunk}.patch_embed.proj.bias`),
    classToken: false,
    normBefore: false,
    normAfter: 'tokens',
    pool: {
      kind: 'probe',
      heads,
      mlpWidth: table.axis(`${trunk}.attn_pool.mlp.fc1.weight`, 2, 0),
      activation: activations.pool,
    },
    projection: 'none',
  };
}

function timmNames(vit: VitArchitecture): NameTable {
  const names: NameTable = new Map();
  const { width, patchSize } = vit;
  const tokens = imageTokens(vit);
  names.set('image.patch_embedding.weight', {
    from: `${trunk}.patch_embed.proj.weight`,
    stored: [width, 3, ...heightAndWidth(patchSize)],
  });
  if (vit.patchBias) names.set('image.patch_embedding.bias', { from: `${trunk}.patch_embed.proj.bias` });
  names.set('image.position_embedding', { from: `${trunk}.pos_embed`, stored: [1, tokens, width] });
  addBlocks(names, 'image', blocks, vit.layers, timmBlock);
  addPair(names, 'image.norm_after', `${trunk}.norm`);
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
  return names;
}

function timmActivation(layer: string | undefined, approximate: string | undefined): Activation {
  if (layer === undefined || layer === 'gelu') return approximate === 'tanh' ? 'gelu_tanh' : 'gelu';
  if (layer === 'gelu_tanh' || layer === 'quick_gelu') return layer;
  throw new EidosError(
    'unsupported_checkpoint',
    `The configuration has vision_cfg.timm_model_kwargs.act_layer = ${layer}; eidos has gelu, gelu_tanh and quick_gelu.`,
  );
}
