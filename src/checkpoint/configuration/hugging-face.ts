/** Hugging Face's `config.json` of a CLIPModel or SiglipModel. */
import { z } from 'zod';
import { epsilon, optional, size, validated } from './values.ts';

const towerSchema = z.object({
  model_type: optional(z.string()),
  hidden_size: optional(size),
  intermediate_size: optional(size),
  num_attention_heads: optional(size),
  num_hidden_layers: optional(size),
  hidden_act: optional(z.string()),
  layer_norm_eps: optional(epsilon),
});

const visionSchema = towerSchema.extend({
  image_size: optional(size),
  patch_size: optional(size),
  vision_use_head: optional(z.boolean()),
});

const textSchema = towerSchema.extend({
  max_position_embeddings: optional(size),
  vocab_size: optional(size),
  eos_token_id: optional(z.int().nonnegative().max(1_000_000)),
  pad_token_id: optional(z.int().nonnegative().max(1_000_000)),
});

const configSchema = z.object({
  model_type: optional(z.string()),
  architectures: optional(z.array(z.string()).max(100)),
  projection_dim: optional(size),
  vision_config: optional(visionSchema),
  text_config: optional(textSchema),
  vision_config_dict: optional(visionSchema),
  text_config_dict: optional(textSchema),
});

export type HuggingFaceVision = z.output<typeof visionSchema>;
export type HuggingFaceText = z.output<typeof textSchema>;

/** `file` names where it came from, for messages. */
export interface HuggingFaceConfig {
  file: string;
  modelType: string | undefined;
  projectionSize: number | undefined;
  vision: Partial<HuggingFaceVision>;
  text: Partial<HuggingFaceText>;
}

/** Whether a JSON value looks like the `config.json` of a model with two towers. */
export function looksLikeHuggingFace(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'model_type' in value;
}

/**
 * Older files repeat the towers under `…_config_dict`; where they do, those count alone, with the usual values of what they
 * leave out, as in Hugging Face's own code.
 * @throws EidosError `invalid_checkpoint` naming the wrong field.
 */
export function parseHuggingFace(value: unknown, file: string): HuggingFaceConfig {
  const config = validated(configSchema, value, file);
  return {
    file,
    modelType: config.model_type,
    projectionSize: config.projection_dim,
    vision: config.vision_config_dict ?? config.vision_config ?? {},
    text: config.text_config_dict ?? config.text_config ?? {},
  };
}
