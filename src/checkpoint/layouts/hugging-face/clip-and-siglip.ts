/** Hugging Face's CLIPModel and SiglipModel: `vision_model.…` and `text_model.…`. */
import { EidosError } from '../../../errors.ts';
import type {
  Activation,
  ClipArchitecture,
  Sides,
  TextArchitecture,
  TransformerArchitecture,
  VitArchitecture,
} from '../../../models/architecture.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../../models/preprocessing.ts';
import { heightAndWidth } from '../../../models/sides.ts';
import type {
  HuggingFaceConfig,
  HuggingFaceText,
  HuggingFaceVision,
} from '../../configuration/hugging-face.ts';
import { textPositions } from '../../parameters.ts';
import { imageHeadWidth, siglipRest, textHeadWidth } from '../conventions.ts';
import type { Layout } from '../layout.ts';
import { addBlocks, addPair, addTorchAttention, huggingFaceBlock, type NameTable } from '../names.ts';
import { agree, gridSide, headsDividing, imageSide, type ShapeTable } from '../shape-table.ts';

const imageBlocks = 'vision_model.encoder.layers.';
const textBlocks = 'text_model.encoder.layers.';
const patches = 'vision_model.embeddings.patch_embedding.weight';
const imagePositions = 'vision_model.embeddings.position_embedding.weight';
const textTokens = 'text_model.embeddings.token_embedding.weight';
const textPlaces = 'text_model.embeddings.position_embedding.weight';

/** What a field means where a `config.json` leaves it out, as files written by Hugging Face do for usual values. */
interface Defaults {
  imageHeads: number;
  textHeads: number;
  activation: string;
  epsilon: number;
}

export const clipDefaults: Defaults = {
  imageHeads: 12,
  textHeads: 8,
  activation: 'quick_gelu',
  epsilon: 1e-5,
};
const siglipDefaults: Defaults = {
  imageHeads: 12,
  textHeads: 12,
  activation: 'gelu_pytorch_tanh',
  epsilon: 1e-6,
};

export const huggingFaceClip: Layout = {
  recognise: (shapes) =>
    shapes.has(patches) && shapes.has(textTokens) && shapes.has('vision_model.embeddings.class_embedding'),

  architecture(table, { huggingFace: config }, options) {
    const embeddingSize = table.axis('visual_projection.weight', 2, 0);
    agree(table, 'projection_dim', config?.projectionSize, embeddingSize, 'visual_projection.weight');
    const { vit, text } = towers(table, config, clipDefaults, options.activation);
    // Configurations of 2022 name the end token 2 by mistake; Hugging Face then takes the highest token of a sentence.
    // MetaCLIP 2 means it.
    const end = config?.text.eos_token_id ?? 2;
    return {
      embeddingSize,
      image: { ...vit, normAfter: 'pooled', pool: { kind: 'class' }, projection: 'linear' },
      text: {
        ...text,
        causal: true,
        pool: { kind: 'end', endToken: end === 2 && config?.modelType !== 'metaclip_2' ? 'highest' : end },
        projection: 'linear',
      },
      probability: 'softmax',
      logitBias: false,
    };
  },

  published(clip) {
    const names = towerNames(clip);
    names.set('image.class_embedding', { from: 'vision_model.embeddings.class_embedding' });
    // The name is misspelt in every published checkpoint.
    addPair(names, 'image.norm_before', 'vision_model.pre_layrnorm');
    names.set('image.projection.weight', { from: 'visual_projection.weight' });
    names.set('text.projection.weight', { from: 'text_projection.weight' });
    return names;
  },

  ignores: (name) => name.endsWith('.position_ids'),
  settings: 'hugging_face',
  preprocessing: ({ image }) => huggingFacePreprocessing(image.imageSize),
};

export const huggingFaceSiglip: Layout = {
  recognise: (shapes) =>
    // SigLIP 2 of variable resolution has a matrix for patches, not a kernel.
    shapes.get(patches)?.length === 4 && shapes.has(textTokens) && shapes.has('vision_model.head.probe'),

  architecture(table, { huggingFace: config }, options) {
    const { vit, text } = towers(table, config, siglipDefaults, options.activation);
    return {
      embeddingSize: vit.width,
      image: {
        ...vit,
        normAfter: 'tokens',
        pool: {
          kind: 'probe',
          heads: vit.heads,
          mlpWidth: table.axis('vision_model.head.mlp.fc1.weight', 2, 0),
          activation: vit.activation,
        },
        projection: 'none',
      },
      text: { ...text, causal: false, pool: { kind: 'last' }, projection: 'linear_bias' },
      probability: 'sigmoid',
      logitBias: true,
    };
  },

  published(clip) {
    const names = towerNames(clip);
    // There is no projection: the tower is as wide as the embedding.
    const width = clip.embeddingSize;
    const head = 'vision_model.head';
    names.set('image.patch_embedding.bias', { from: 'vision_model.embeddings.patch_embedding.bias' });
    names.set('image.pool.probe', { from: `${head}.probe`, stored: [1, 1, width] });
    addTorchAttention(names, 'image.pool.attention', `${head}.attention`);
    addPair(names, 'image.pool.norm', `${head}.layernorm`);
    addPair(names, 'image.pool.mlp.up', `${head}.mlp.fc1`);
    addPair(names, 'image.pool.mlp.down', `${head}.mlp.fc2`);
    addPair(names, 'text.projection', 'text_model.head');
    names.set('logit_bias', { from: 'logit_bias' });
    return names;
  },

  ignores: (name) => name.endsWith('.position_ids'),
  settings: 'hugging_face',
  preprocessing: ({ image }) => ({
    ...huggingFacePreprocessing(image.imageSize),
    resize: 'squash',
    mean: [0.5, 0.5, 0.5],
    deviation: [0.5, 0.5, 0.5],
  }),
};

function towers(
  table: ShapeTable,
  config: HuggingFaceConfig | undefined,
  defaults: Defaults,
  activation: Activation | undefined,
) {
  const vit = clipVision(table, 'vision_model.', config, defaults, activation);
  const words = config?.text ?? {};
  const [vocabularySize = 0, textWidth = 0] = table.shape(textTokens, 2);
  const contextLength = table.axis(textPlaces, 2, 0);
  agree(table, 'text_config.vocab_size', words.vocab_size, vocabularySize, textTokens);
  agree(
    table,
    'text_config.max_position_embeddings',
    words.max_position_embeddings,
    contextLength,
    textPlaces,
  );
  const text = {
    ...transformer(table, textBlocks, textWidth, 'text_config', words, {
      heads: config === undefined ? Math.floor(textWidth / textHeadWidth(textWidth)) : defaults.textHeads,
      activation: activation ?? namedActivation(words.hidden_act ?? defaults.activation, 'text_config'),
      epsilon: defaults.epsilon,
    }),
    contextLength,
    vocabularySize,
    positions: 'learned' as const,
  } satisfies Partial<TextArchitecture>;
  return { vit, text };
}

/**
 * CLIP's and SigLIP's image tower but for its end.
 * @param prefix what stands in place of `vision_model.`
 */
export function clipVision(
  table: ShapeTable,
  prefix: string,
  config: HuggingFaceConfig | undefined,
  defaults: Defaults,
  activation: Activation | undefined,
) {
  const at = (name: string): string => prefix + name.slice('vision_model.'.length);
  const vision = config?.vision ?? {};
  const [width = 0, , patchSize = 0] = table.shape(at(patches), 4);
  const classToken = table.has(at('vision_model.embeddings.class_embedding'));
  const positions = table.axis(at(imagePositions), 2, 0);
  const grid = gridSide(positions - (classToken ? 1 : 0), at(imagePositions));
  const imageSize = imageSide(table, 'vision_config.image_size', vision.image_size, {
    side: grid,
    patchSize,
    tensor: at(imagePositions),
    ...(classToken ? {} : siglipRest(grid, patchSize)),
  });
  agree(table, 'vision_config.patch_size', vision.patch_size, patchSize, at(patches));
  return {
    kind: 'vit' as const,
    ...transformer(table, at(imageBlocks), width, 'vision_config', vision, {
      heads: config === undefined ? Math.floor(width / imageHeadWidth(width)) : defaults.imageHeads,
      activation: activation ?? namedActivation(vision.hidden_act ?? defaults.activation, 'vision_config'),
      epsilon: defaults.epsilon,
    }),
    imageSize,
    patchSize,
    patchBias: table.has(at('vision_model.embeddings.patch_embedding.bias')),
    classToken,
    normBefore: table.has(at('vision_model.pre_layrnorm.weight')),
  } satisfies Partial<VitArchitecture>;
}

function transformer(
  table: ShapeTable,
  blocks: string,
  width: number,
  section: string,
  config: Partial<HuggingFaceVision | HuggingFaceText>,
  defaults: { heads: number; activation: Activation; epsilon: number },
): TransformerArchitecture {
  const layers = table.blocks(blocks);
  const up = `${blocks}0.mlp.fc1.weight`;
  const mlpWidth = table.axis(up, 2, 0);
  agree(table, `${section}.hidden_size`, config.hidden_size, width, `${blocks}0.layer_norm1.weight`);
  agree(
    table,
    `${section}.num_hidden_layers`,
    config.num_hidden_layers,
    layers,
    `${blocks}${layers - 1}.layer_norm1.weight`,
  );
  agree(table, `${section}.intermediate_size`, config.intermediate_size, mlpWidth, up);
  return {
    width,
    layers,
    heads: headsDividing(
      width,
      config.num_attention_heads ?? defaults.heads,
      `${section}.num_attention_heads`,
    ),
    mlpWidth,
    activation: defaults.activation,
    normEpsilon: config.layer_norm_eps ?? defaults.epsilon,
  };
}

/** What both models share. */
function towerNames({ image, text }: ClipArchitecture): NameTable {
  if (image.kind !== 'vit' || text.kind === 'averaging' || textPositions(text) !== text.contextLength) {
    throw new EidosError(
      'invalid_option',
      "Hugging Face's CLIP and SigLIP have a Vision Transformer, and a text Transformer without class token.",
    );
  }
  const names: NameTable = new Map();
  addClipVision(names, image, 'vision_model.');
  names.set('text.token_embedding', { from: textTokens });
  names.set('text.position_embedding', { from: textPlaces });
  addBlocks(names, 'text', textBlocks, text.layers, huggingFaceBlock);
  addPair(names, 'text.norm_after', 'text_model.final_layer_norm');
  names.set('logit_scale', { from: 'logit_scale' });
  return names;
}

/** CLIP's and SigLIP's image tower but for its end, the class token and the norm before the blocks. */
export function addClipVision(names: NameTable, image: VitArchitecture, prefix: string): void {
  const at = (name: string): string => prefix + name.slice('vision_model.'.length);
  names.set('image.patch_embedding.weight', {
    from: at(patches),
    stored: [image.width, 3, ...heightAndWidth(image.patchSize)],
  });
  names.set('image.position_embedding', { from: at(imagePositions) });
  addBlocks(names, 'image', at(imageBlocks), image.layers, huggingFaceBlock);
  addPair(names, 'image.norm_after', at('vision_model.post_layernorm'));
}

export function namedActivation(name: string, section: string): Activation {
  if (name === 'quick_gelu' || name === 'gelu') return name;
  if (name === 'gelu_pytorch_tanh' || name === 'gelu_new') return 'gelu_tanh';
  throw new EidosError(
    'unsupported_checkpoint',
    `The configuration has ${section}.hidden_act = ${name}; eidos has quick_gelu, gelu and gelu_pytorch_tanh.`,
  );
}

export function huggingFacePreprocessing(size: Sides): ImagePreprocessing {
  return { ...clipPreprocessing, size, cropRounding: 'down', toRgb: 'first' };
}
