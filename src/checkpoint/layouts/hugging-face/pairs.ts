/**
 * Hugging Face's models of a Vision Transformer and a text tower of BERT's kind: Chinese-CLIP, AltCLIP and dual encoders of a
 * ViT or CLIP's image tower with BERT or RoBERTa.
 */
import { EidosError } from '../../../errors.ts';
import type { TransformerTextArchitecture, VitArchitecture } from '../../../models/architecture.ts';
import type { HuggingFaceConfig } from '../../configuration/hugging-face.ts';
import type { Layout } from '../layout.ts';
import { addBertTower, addPair, type NameTable } from '../names.ts';
import { agree, gridSide, headsDividing, imageSide, type ShapeTable } from '../shape-table.ts';
import {
  addClipVision,
  clipDefaults,
  clipVision,
  huggingFacePreprocessing,
  namedActivation,
} from './clip-and-siglip.ts';

type Shapes = ReadonlyMap<string, readonly number[]>;

export const huggingFacePair: Layout = {
  recognise: (shapes) =>
    imageOf(shapes) !== undefined &&
    textPrefix(shapes) !== undefined &&
    shapes.has('visual_projection.weight'),

  architecture(table, { huggingFace: config }, { activation }) {
    const text = bertText(table, config);
    const embeddingSize = table.axis('visual_projection.weight', 2, 0);
    agree(table, 'projection_dim', config?.projectionSize, embeddingSize, 'visual_projection.weight');
    const { read } = imageOf(table.shapes)!;
    return {
      embeddingSize,
      image: activation === undefined ? read(table, config) : { ...read(table, config), activation },
      text: activation === undefined ? text : { ...text, activation },
      probability: 'softmax',
      logitBias: false,
    };
  },

  published(clip, table) {
    const image = imageOf(table.shapes);
    const prefix = textPrefix(table.shapes);
    if (image === undefined || prefix === undefined || clip.image.kind !== 'vit') {
      throw new EidosError(
        'invalid_option',
        "Pairs of Hugging Face's towers are read, not written; the layout 'eidos' holds every model.",
      );
    }
    const names: NameTable = new Map();
    image.addNames(names, clip.image);
    addBertNames(names, clip.text as TransformerTextArchitecture, prefix);
    names.set('image.projection.weight', { from: 'visual_projection.weight' });
    names.set('text.projection.weight', { from: 'text_projection.weight' });
    names.set('logit_scale', { from: 'logit_scale' });
    return names;
  },

  ignores: (name) =>
    name.endsWith('.position_ids') ||
    name.endsWith('.token_type_ids') ||
    // AltCLIP's and Chinese-CLIP's files hold a pooling layer that their towers do not ask.
    /^text_model\.(roberta\.)?pooler\./.test(name),
  settings: 'hugging_face',
  preprocessing: ({ image }) => huggingFacePreprocessing(image.imageSize),
};

interface ImageTower {
  sign: string;
  read(table: ShapeTable, config: HuggingFaceConfig | undefined): VitArchitecture;
  addNames(names: NameTable, image: VitArchitecture): void;
}

const clipTower = (prefix: string): ImageTower => ({
  sign: `${prefix}embeddings.class_embedding`,
  read: (table, config) => ({
    ...clipVision(table, prefix, config, clipDefaults, undefined),
    normAfter: 'pooled',
    pool: { kind: 'class' },
    projection: 'linear',
  }),
  addNames(names, image) {
    addClipVision(names, image, prefix);
    names.set('image.class_embedding', { from: `${prefix}embeddings.class_embedding` });
    addPair(names, 'image.norm_before', `${prefix}pre_layrnorm`);
  },
});

/** A ViT as it was before CLIP (Dosovitskiy et al. 2021), whose class token goes through a pooling layer. */
const bareVit: ImageTower = {
  sign: 'vision_model.embeddings.cls_token',
  read(table, config) {
    const vision = config?.vision ?? {};
    const convolution = 'vision_model.embeddings.patch_embeddings.projection.weight';
    const positions = 'vision_model.embeddings.position_embeddings';
    const blocks = 'vision_model.encoder.layer.';
    const [width = 0, , patchSize = 0] = table.shape(convolution, 4);
    const side = gridSide(table.axis(positions, 3, 1) - 1, positions);
    return {
      kind: 'vit',
      width,
      layers: table.blocks(blocks),
      heads: headsDividing(width, vision.num_attention_heads ?? 12, 'vision_config.num_attention_heads'),
      mlpWidth: table.axis(`${blocks}0.intermediate.dense.weight`, 2, 0),
      activation: namedActivation(vision.hidden_act ?? 'gelu', 'vision_config'),
      normEpsilon: vision.layer_norm_eps ?? 1e-12,
      imageSize: imageSide(table, 'vision_config.image_size', vision.image_size, {
        side,
        patchSize,
        tensor: positions,
      }),
      patchSize,
      patchBias: true,
      classToken: true,
      normBefore: false,
      normAfter: 'pooled',
      pool: { kind: 'class', dense: true },
      projection: 'linear',
    };
  },
  addNames(names, { width, layers, patchSize, imageSize }) {
    const embeddings = 'vision_model.embeddings';
    const patch = Number(patchSize);
    names.set('image.patch_embedding.weight', {
      from: `${embeddings}.patch_embeddings.projection.weight`,
      stored: [width, 3, patch, patch],
    });
    names.set('image.patch_embedding.bias', { from: `${embeddings}.patch_embeddings.projection.bias` });
    names.set('image.class_embedding', { from: `${embeddings}.cls_token`, stored: [1, 1, width] });
    const tokens = Math.floor(Number(imageSize) / patch) ** 2 + 1;
    names.set('image.position_embedding', {
      from: `${embeddings}.position_embeddings`,
      stored: [1, tokens, width],
    });
    for (let layer = 0; layer < layers; layer++) {
      const to = `image.blocks.${layer}`;
      const from = `vision_model.encoder.layer.${layer}`;
      addPair(names, `${to}.norm_1`, `${from}.layernorm_before`);
      addPair(names, `${to}.attention.query`, `${from}.attention.attention.query`);
      addPair(names, `${to}.attention.key`, `${from}.attention.attention.key`);
      addPair(names, `${to}.attention.value`, `${from}.attention.attention.value`);
      addPair(names, `${to}.attention.output`, `${from}.attention.output.dense`);
      addPair(names, `${to}.norm_2`, `${from}.layernorm_after`);
      addPair(names, `${to}.mlp.up`, `${from}.intermediate.dense`);
      addPair(names, `${to}.mlp.down`, `${from}.output.dense`);
    }
    addPair(names, 'image.norm_after', 'vision_model.layernorm');
    addPair(names, 'image.pool.dense', 'vision_model.pooler.dense');
  },
};

const imageTowers: readonly ImageTower[] = [
  clipTower('vision_model.'),
  clipTower('vision_model.vision_model.'),
  bareVit,
];

const imageOf = (shapes: Shapes): ImageTower | undefined => imageTowers.find(({ sign }) => shapes.has(sign));

const textPrefix = (shapes: Shapes): string | undefined =>
  ['text_model.', 'text_model.roberta.'].find((prefix) =>
    shapes.has(`${prefix}embeddings.word_embeddings.weight`),
  );

/** What the kinds of BERT differ in, by `model_type`; none of it stands in the weights. */
interface Kind {
  counted: boolean;
  padToken: number;
  epsilon: number;
  /** Whether the first token goes through the pooling layer. */
  pooled: boolean;
  /** How many tokens the family's own texts have, where that is less than there are positions. */
  context?: number;
}

const bert: Kind = { counted: false, padToken: 0, epsilon: 1e-12, pooled: true };
const robertaKind: Kind = { counted: true, padToken: 1, epsilon: 1e-5, pooled: true };
const kinds: Readonly<Record<string, Kind>> = {
  chinese_clip: { ...bert, pooled: false, context: 52 },
  altclip: { ...robertaKind, pooled: false, context: 77 },
  bert,
  roberta: robertaKind,
  'xlm-roberta': robertaKind,
};

function bertText(table: ShapeTable, config: HuggingFaceConfig | undefined): TransformerTextArchitecture {
  const name = [config?.modelType, config?.text.model_type].find(
    (type) => type !== undefined && Object.hasOwn(kinds, type),
  );
  if (config === undefined || name === undefined) {
    throw new EidosError(
      'unsupported_checkpoint',
      `The text tower is of BERT's kind; of which, only a config.json with model_type or text_config.model_type tells (${Object.keys(kinds).join(', ')})${config === undefined ? ', and none is beside the weights' : ''}.`,
    );
  }
  const kind = kinds[name]!;
  const words = config.text;
  const prefix = textPrefix(table.shapes)!;
  const embeddings = `${prefix}embeddings`;
  const blocks = `${prefix}encoder.layer.`;
  const [vocabularySize = 0, width = 0] = table.shape(`${embeddings}.word_embeddings.weight`, 2);
  const rows = table.axis(`${embeddings}.position_embeddings.weight`, 2, 0);
  const padToken = words.pad_token_id ?? kind.padToken;
  agree(
    table,
    'text_config.vocab_size',
    words.vocab_size,
    vocabularySize,
    `${embeddings}.word_embeddings.weight`,
  );
  const layers = table.blocks(blocks);
  const last = `${blocks}${layers - 1}.output.LayerNorm.weight`;
  agree(table, 'text_config.num_hidden_layers', words.num_hidden_layers, layers, last);
  const dense = kind.pooled
    ? { width: table.axis(`${prefix}pooler.dense.weight`, 2, 0), curve: 'tanh' as const }
    : table.has('text_model.transformation.weight')
      ? { width: table.axis('text_model.transformation.weight', 2, 0), curve: 'none' as const }
      : undefined;
  return {
    width,
    layers,
    heads: headsDividing(width, words.num_attention_heads ?? 12, 'text_config.num_attention_heads'),
    mlpWidth: table.axis(`${blocks}0.intermediate.dense.weight`, 2, 0),
    activation: namedActivation(words.hidden_act ?? 'gelu', 'text_config'),
    normEpsilon: words.layer_norm_eps ?? kind.epsilon,
    normPlace: 'sum',
    contextLength: Math.min(kind.context ?? rows, kind.counted ? rows - padToken - 1 : rows),
    vocabularySize,
    causal: false,
    positions: kind.counted ? 'counted' : 'learned',
    positionRows: rows,
    padToken,
    sentenceKinds: table.axis(`${embeddings}.token_type_embeddings.weight`, 2, 0),
    normBefore: true,
    ...(table.has('text_model.pre_LN.weight') ? {} : { normAfter: false }),
    pool: { kind: 'first', ...(dense === undefined ? {} : { dense }) },
    projection: 'linear',
  };
}

function addBertNames(names: NameTable, text: TransformerTextArchitecture, prefix: string): void {
  addBertTower(names, prefix, text.layers);
  addPair(names, 'text.norm_after', 'text_model.pre_LN');
  const tanh = text.pool.kind === 'first' && text.pool.dense?.curve === 'tanh';
  addPair(names, 'text.pool.dense', tanh ? `${prefix}pooler.dense` : 'text_model.transformation');
}
