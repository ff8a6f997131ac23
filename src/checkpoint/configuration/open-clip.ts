/** open_clip's `open_clip_config.json`, and the arguments of OpenAI's constructor seen as one. */
import { z } from 'zod';
import { epsilon, optional, size, validated } from './values.ts';

const act = optional(z.object({ approximate: optional(z.enum(['none', 'tanh'])) }));
const norm = optional(z.object({ eps: optional(epsilon) }));

/** What open_clip's own blocks may have besides CLIP's. */
const blockVariants = {
  qk_norm: optional(z.boolean()),
  scaled_cosine_attn: optional(z.boolean()),
  scale_heads: optional(z.boolean()),
  scale_attn_inner: optional(z.boolean()),
  scale_attn: optional(z.boolean()),
  scale_fc: optional(z.boolean()),
};

const visionSchema = z.object({
  image_size: optional(z.union([size, z.array(size).length(2)])),
  layers: optional(z.union([size, z.array(size).length(4)])),
  width: optional(size),
  head_width: optional(size),
  patch_size: optional(z.union([size, z.array(size).length(2)])),
  mlp_ratio: optional(z.number().positive().max(100)),
  no_ln_pre: optional(z.boolean()),
  pool_type: optional(z.string()),
  final_ln_after_pool: optional(z.boolean()),
  attentional_pool: optional(z.union([z.boolean(), z.string()])),
  attn_pooler_queries: optional(size),
  attn_pooler_heads: optional(size),
  pos_embed_type: optional(z.enum(['learnable', 'sin_cos_2d'])),
  ...blockVariants,
  act_kwargs: act,
  norm_kwargs: norm,
  timm_model_name: optional(z.string()),
  timm_pool: optional(z.string()),
  timm_proj: optional(z.string()),
  timm_model_kwargs: optional(
    z.object({
      img_size: optional(size),
      embed_dim: optional(size),
      depth: optional(size),
      num_heads: optional(size),
      patch_size: optional(size),
      act_layer: optional(z.string()),
    }),
  ),
});

const textSchema = z.object({
  context_length: optional(size),
  vocab_size: optional(size),
  width: optional(size),
  heads: optional(size),
  layers: optional(size),
  no_causal_mask: optional(z.boolean()),
  pool_type: optional(z.string()),
  eos_id: optional(z.int().nonnegative().max(1_000_000)),
  pad_id: optional(z.int().nonnegative().max(1_000_000)),
  embed_cls: optional(z.boolean()),
  hf_model_name: optional(z.string()),
  hf_pooler_type: optional(z.string()),
  hf_proj_type: z.string().nullable().optional(),
  hf_model_config: optional(
    z.object({ num_attention_heads: optional(size), encoder_attention_heads: optional(size) }),
  ),
  ...blockVariants,
  act_kwargs: act,
  norm_kwargs: norm,
});

const modelSchema = z.object({
  embed_dim: optional(size),
  quick_gelu: optional(z.boolean()),
  vision_cfg: visionSchema,
  text_cfg: textSchema,
});

const channels = z.array(z.number().min(-1000).max(1000)).length(3);

const preprocessSchema = z.object({
  size: optional(z.union([size, z.array(size).min(2).max(2)])),
  mean: optional(channels),
  std: optional(channels),
  interpolation: optional(z.string()),
  resize_mode: optional(z.string()),
  fill_color: optional(z.int().min(0).max(255)),
});

const fileSchema = z.object({ model_cfg: modelSchema, preprocess_cfg: optional(preprocessSchema) });

const argumentsSchema = z.object({
  embed_dim: size,
  image_resolution: size,
  vision_layers: z.union([size, z.array(size).length(4)]),
  vision_width: size,
  vision_patch_size: optional(size),
  context_length: size,
  vocab_size: size,
  transformer_width: size,
  transformer_heads: size,
  transformer_layers: size,
});

export type OpenClipModel = z.output<typeof modelSchema>;
export type OpenClipVision = z.output<typeof visionSchema>;
export type OpenClipText = z.output<typeof textSchema>;
export type OpenClipPreprocess = z.output<typeof preprocessSchema>;

/** `file` names where it came from, for messages. */
export interface OpenClipConfig {
  file: string;
  model: OpenClipModel;
  preprocess: OpenClipPreprocess | undefined;
}

/** Whether a JSON value looks like `open_clip_config.json`, whatever its file is called. */
export function looksLikeOpenClip(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'model_cfg' in value;
}

/** Whether a JSON value holds the arguments of OpenAI's `CLIP(...)`. */
export function looksLikeOpenAi(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'vision_layers' in value && 'embed_dim' in value;
}

/** @throws EidosError `invalid_checkpoint` naming the wrong field. */
export function parseOpenClip(value: unknown, file: string): OpenClipConfig {
  const { model_cfg: model, preprocess_cfg: preprocess } = validated(fileSchema, value, file);
  return { file, model, preprocess };
}

/** OpenAI's arguments: QuickGELU everywhere, heads of 64 in the image tower. */
export function parseOpenAiArguments(value: unknown, file: string): OpenClipConfig {
  const given = validated(argumentsSchema, value, file);
  const model = validated(
    modelSchema,
    {
      embed_dim: given.embed_dim,
      quick_gelu: true,
      vision_cfg: {
        image_size: given.image_resolution,
        layers: given.vision_layers,
        width: given.vision_width,
        patch_size: given.vision_patch_size,
        head_width: 64,
      },
      text_cfg: {
        context_length: given.context_length,
        vocab_size: given.vocab_size,
        width: given.transformer_width,
        heads: given.transformer_heads,
        layers: given.transformer_layers,
      },
    },
    file,
  );
  return { file, model, preprocess: undefined };
}
