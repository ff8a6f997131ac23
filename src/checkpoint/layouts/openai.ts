/** OpenAI's layout (`visual.…` and `transformer.…` side by side), and open_clip's with the text tower under `text.`. */
import { EidosError } from '../../errors.ts';
import type { Activation, ClipArchitecture, ImageArchitecture } from '../../models/architecture.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../models/preprocessing.ts';
import { bareActivation } from './conventions.ts';
import type { Configurations, Layout, LayoutOptions, Published } from './layout.ts';
import type { NameTable } from './names.ts';
import { isOpenAiResNet, openAiResNet, openAiResNetNames } from './openai-resnet.ts';
import { lastTokenText, openAiText, openAiTextNames, openAiTextTower } from './openai-text.ts';
import { isClipa, isOpenAiVit, openAiVit, openAiVitNames } from './openai-vit.ts';
import { agree, type ShapeTable } from './shape-table.ts';

export const openAi = openAiLayout('');
export const openClipCustomText = openAiLayout('text.');

/** Both differ in nothing but the prefix of the text tower and what surrounds it. */
function openAiLayout(prefix: '' | 'text.'): Layout {
  return {
    recognise: (shapes) =>
      shapes.has(`${prefix}token_embedding.weight`) &&
      shapes.has(`${prefix}positional_embedding`) &&
      (shapes.has('visual.class_embedding') || shapes.has('visual.attnpool.positional_embedding')),

    architecture: (table, configurations, options) => architecture(table, prefix, configurations, options),

    published(clip, table) {
      const names = new Map([...imageNames(clip.image), ...openAiTextNames(clip.text, prefix, table)]);
      names.set('logit_scale', logitScale(table));
      if (clip.logitBias) names.set('logit_bias', { from: 'logit_bias' });
      return names;
    },

    ignores: (name, { image }) =>
      // What makes captions alone.
      (image.kind === 'vit' &&
        image.pool.kind === 'queries' &&
        image.pool.second === 'parallel' &&
        name.startsWith('visual.attn_pool.')) ||
      name.endsWith('.num_batches_tracked') ||
      name === 'input_resolution' ||
      name === 'context_length' ||
      name === 'vocab_size' ||
      name.endsWith('attn_mask') ||
      name.startsWith('text_decoder.'),

    settings: 'open_clip',
    preprocessing,
  };
}

function architecture(
  table: ShapeTable,
  prefix: '' | 'text.',
  configurations: Configurations,
  options: LayoutOptions,
): ClipArchitecture {
  const config = configurations.openClip;
  const vit = isOpenAiVit(table);
  if (!vit && !isOpenAiResNet(table)) {
    throw new EidosError(
      'unsupported_checkpoint',
      "The image tower under 'visual.' is neither OpenAI's Vision Transformer nor its ResNet.",
    );
  }
  const clipa = isClipa(table);
  const activations = chooseActivations(table, prefix, configurations, options);
  const image = vit ? openAiVit(table, config, activations.image) : openAiResNet(table, config);
  const text = openAiTextTower(table, prefix, config, {
    ...(clipa ? lastTokenText : openAiText),
    activation: activations.text,
  });
  const embeddingSize = imageEmbeddingSize(table);
  agree(
    table,
    'embed_dim',
    config?.model.embed_dim,
    embeddingSize,
    vit ? 'visual.proj' : 'visual.attnpool.c_proj.weight',
  );
  const logitBias = table.has('logit_bias');
  return { embeddingSize, image, text, probability: logitBias ? 'sigmoid' : 'softmax', logitBias };
}

function chooseActivations(
  table: ShapeTable,
  prefix: '' | 'text.',
  { openClip }: Configurations,
  { activation }: LayoutOptions,
): { image: Activation; text: Activation } {
  if (activation !== undefined) return { image: activation, text: activation };
  if (openClip === undefined) {
    const vitWidth = isOpenAiVit(table) ? table.axis('visual.conv1.weight', 4, 0) : undefined;
    // The other layout is open_clip's alone, whose default is exact GELU.
    const chosen = prefix === 'text.' ? 'gelu' : bareActivation(vitWidth, isClipa(table));
    return { image: chosen, text: chosen };
  }
  const { quick_gelu: quick, vision_cfg: vision, text_cfg: text } = openClip.model;
  if (quick === true) return { image: 'quick_gelu', text: 'quick_gelu' };
  return {
    image: vision.act_kwargs?.approximate === 'tanh' ? 'gelu_tanh' : 'gelu',
    text: text.act_kwargs?.approximate === 'tanh' ? 'gelu_tanh' : 'gelu',
  };
}

/** open_clip's `nonscalar_logit_scale` keeps one number in a row. */
function logitScale(table: ShapeTable): Published {
  const stored = table.shapes.get('logit_scale');
  return { from: 'logit_scale', ...(stored?.length === 1 ? { stored: [1] } : {}) };
}

function imageNames(image: ImageArchitecture): NameTable {
  if (image.kind === 'vit') return openAiVitNames(image);
  if (image.kind === 'resnet') return openAiResNetNames(image);
  throw new EidosError('unsupported_checkpoint', `OpenAI's layout has no tower of kind '${image.kind}'.`);
}

function imageEmbeddingSize(table: ShapeTable): number {
  if (table.has('visual.attnpool.c_proj.weight')) return table.axis('visual.attnpool.c_proj.weight', 2, 0);
  if (table.has('visual.proj')) return table.axis('visual.proj', 2, 1);
  return table.axis('visual.ln_post.weight', 1, 0);
}

function preprocessing({ image }: ClipArchitecture): ImagePreprocessing {
  const clip = { ...clipPreprocessing, size: image.imageSize };
  if (image.kind !== 'vit' || image.normBefore || image.pool.kind !== 'average') return clip;
  // CLIPA was trained on squashed pictures, with ImageNet's statistics.
  return {
    ...clip,
    resize: 'squash',
    interpolation: 'bilinear',
    mean: [0.485, 0.456, 0.406],
    deviation: [0.229, 0.224, 0.225],
  };
}
