/** An architecture as the configuration files of Hugging Face's `CLIPModel` say it. */
import { EidosError } from '../../errors.ts';
import type { Activation, ClipArchitecture, TransformerArchitecture } from '../../models/architecture.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../models/preprocessing.ts';
import { heightAndWidth, squareSide } from '../../models/sides.ts';
import { pillowFilters } from './preprocessing.ts';

interface HuggingFaceFiles {
  /** Content of `config.json`. */
  config: Record<string, unknown>;
  /** Content of `preprocessor_config.json`. */
  preprocessor: Record<string, unknown>;
}

/** Hugging Face's names of the activations. */
const activationNames: { readonly [A in Activation]: string } = {
  quick_gelu: 'quick_gelu',
  gelu: 'gelu',
  gelu_tanh: 'gelu_pytorch_tanh',
  relu: 'relu',
  silu: 'silu',
};

/**
 * The two configuration files of an architecture that Hugging Face's CLIP can express.
 * @param preprocessing how its pictures are prepared; CLIP's way by default.
 * @throws EidosError `invalid_option` naming the field of the architecture that it cannot.
 */
export function huggingFaceConfig(
  architecture: ClipArchitecture,
  preprocessing: ImagePreprocessing = { ...clipPreprocessing, size: architecture.image.imageSize },
): HuggingFaceFiles {
  const { image, text, embeddingSize } = architecture;
  if (image.kind !== 'vit') return inexpressible('image.kind', image.kind, 'vit');
  const imageSize = squareSide(image.imageSize, "Hugging Face's CLIP");
  const patchSize = squareSide(image.patchSize, "Hugging Face's CLIP");
  needs('image.imageSize', imageSize % patchSize, 0);
  needs('image.positions', image.positions, undefined);
  needsUsualBlocks('image', image);
  needs('image.patchBias', image.patchBias, false);
  needs('image.classToken', image.classToken, true);
  needs('image.normBefore', image.normBefore, true);
  needs('image.normAfter', image.normAfter, 'pooled');
  needs('image.pool', image.pool.kind, 'class');
  needs('image.projection', image.projection, 'linear');
  if (text.kind === 'averaging') return inexpressible('text.kind', text.kind, 'transformer');
  needsUsualBlocks('text', text);
  needs('text.causal', text.causal, true);
  needs('text.positions', text.positions, 'learned');
  needs('text.projection', text.projection, 'linear');
  needs('probability', architecture.probability, 'softmax');
  needs('logitBias', architecture.logitBias, false);
  if (text.pool.kind !== 'end') return inexpressible('text.pool', text.pool.kind, 'end');
  // The number 2 makes Hugging Face take the highest token of a sentence.
  const endToken = text.pool.endToken === 'highest' ? 2 : text.pool.endToken;
  if (text.pool.endToken === 2) return inexpressible('text.pool.endToken', 2, 'any other token');
  const config = {
    architectures: ['CLIPModel'],
    model_type: 'clip',
    projection_dim: embeddingSize,
    logit_scale_init_value: 2.6592,
    text_config: {
      model_type: 'clip_text_model',
      ...towerConfig(text, embeddingSize),
      max_position_embeddings: text.contextLength,
      vocab_size: text.vocabularySize,
      bos_token_id: text.vocabularySize - 2,
      eos_token_id: endToken,
    },
    vision_config: {
      model_type: 'clip_vision_model',
      ...towerConfig(image, embeddingSize),
      image_size: imageSize,
      patch_size: patchSize,
    },
  };
  return { config, preprocessor: preprocessorConfig(preprocessing) };
}

/** The fields in which blocks differ from CLIP's. */
const variants = [
  'attentionWidth',
  'normPlace',
  'normKind',
  'innerNorms',
  'layerScale',
  'headScale',
  'scores',
  'attentionBiases',
  'mlpBiases',
  'gated',
] as const satisfies readonly (keyof TransformerArchitecture)[];

function needsUsualBlocks(tower: 'image' | 'text', architecture: TransformerArchitecture): void {
  for (const field of variants) needs(`${tower}.${field}`, architecture[field], undefined);
}

function towerConfig(tower: TransformerArchitecture, embeddingSize: number): Record<string, unknown> {
  return {
    hidden_size: tower.width,
    intermediate_size: tower.mlpWidth,
    num_attention_heads: tower.heads,
    num_hidden_layers: tower.layers,
    hidden_act: activationNames[tower.activation],
    layer_norm_eps: tower.normEpsilon,
    projection_dim: embeddingSize,
  };
}

/** Content of `preprocessor_config.json`. */
export function preprocessorConfig(preprocessing: ImagePreprocessing): Record<string, unknown> {
  const { resize, mean, deviation, interpolation } = preprocessing;
  if (resize === 'longest') return inexpressible('preprocessing.resize', resize, 'shortest or squash');
  const [height, width] = heightAndWidth(preprocessing.size);
  if (resize === 'shortest' && height !== width)
    return inexpressible('preprocessing.size', [height, width], 'squares');
  const square = { height, width };
  return {
    image_processor_type: 'CLIPImageProcessor',
    do_convert_rgb: true,
    do_resize: true,
    size: resize === 'shortest' ? { shortest_edge: height } : square,
    resample: pillowFilters[interpolation],
    do_center_crop: resize === 'shortest',
    crop_size: square,
    do_rescale: true,
    rescale_factor: 1 / 255,
    do_normalize: true,
    image_mean: mean,
    image_std: deviation,
  };
}

function needs<T>(field: string, value: T, needed: T): void {
  if (value !== needed) inexpressible(field, value, needed);
}

function inexpressible(field: string, value: unknown, needed: unknown): never {
  throw new EidosError(
    'invalid_option',
    `Hugging Face's CLIP has no models with ${field} = ${String(value)} (only ${String(needed)}); write the model in eidos' own layout instead (writeModel).`,
  );
}
