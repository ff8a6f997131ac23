/** OpenAI's layout (`visual.…` and `transformer.…` side by side), and open_clip's: an image tower and a text tower of any kind. */
import { EidosError } from '../../../errors.ts';
import type { ClipArchitecture } from '../../../models/architecture.ts';
import type { Layout, Published } from '../layout.ts';
import { agree, type ShapeTable } from '../shape-table.ts';
import {
  huggingFaceTextPart,
  type ImagePart,
  imagePartOf,
  imageParts,
  openAiTextPart,
  type TextPart,
} from './parts.ts';
import { isTimmSiglip } from './timm-vit.ts';

type Shapes = ReadonlyMap<string, readonly number[]>;

const bareText = openAiTextPart('');
const customText = openAiTextPart('text.');

const openAiImage = (shapes: Shapes): boolean =>
  shapes.has('visual.class_embedding') || shapes.has('visual.attnpool.positional_embedding');

/** OpenAI's own. */
export const openAi = openClipLayout([bareText], openAiImage);

/** OpenAI's image towers with the text tower under `text.`. */
export const openClipCustomText = openClipLayout([customText], openAiImage);

/** SigLIP, on timm's Vision Transformer. */
export const openClipTimmSiglip = openClipLayout([customText], isTimmSiglip);

/** Every other pair: towers of timm, texts of Hugging Face. */
export const openClip = openClipLayout([bareText, customText, huggingFaceTextPart], () => true);

function openClipLayout(texts: readonly TextPart[], images: (shapes: Shapes) => boolean): Layout {
  const imageOf = (shapes: Shapes): ImagePart | undefined =>
    images(shapes) ? imageParts.find((part) => part.recognise(shapes)) : undefined;
  const textOf = (shapes: Shapes): TextPart | undefined => texts.find((part) => part.recognise(shapes));

  return {
    recognise: (shapes) => imageOf(shapes) !== undefined && textOf(shapes) !== undefined,

    architecture(table, { openClip: config }, { activation }) {
      const image = imageOf(table.shapes)!;
      const text = textOf(table.shapes)!;
      const source = { table, config, activation };
      const towers = { image: image.read(source), text: text.read(source) };
      const embeddingSize = image.embeddingSize(table);
      agree(table, 'embed_dim', config?.model.embed_dim, embeddingSize, image.embeddingTensor);
      const logitBias = table.has('logit_bias');
      const sigmoid = logitBias || isTimmSiglip(table.shapes);
      return {
        embeddingSize,
        ...towers,
        probability: sigmoid ? 'sigmoid' : 'softmax',
        logitBias,
      };
    },

    published(clip, table) {
      if (table.shapes.size === 0 && texts.length > 1) {
        // Which tower lies under which names, a checkpoint alone shows.
        throw new EidosError(
          'invalid_option',
          "Models of open_clip's other towers are read, not written; the layout 'eidos' holds every model.",
        );
      }
      const image = imageOf(table.shapes) ?? partOfKind(clip);
      const text = textOf(table.shapes) ?? texts[0]!;
      const names = new Map([...image.names(clip.image, table), ...text.names(clip.text, table)]);
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
      name.startsWith('text_decoder.') ||
      texts.some((part) => part.ignores(name)),

    settings: 'open_clip',

    preprocessing: ({ image }) => partOfKind({ image }).preprocessing(image),
  };
}

/** Which part an image tower is, where no checkpoint shows it. */
function partOfKind({ image }: Pick<ClipArchitecture, 'image'>): ImagePart {
  const timm = image.kind === 'vit' && (image.pool.kind === 'probe' || image.stem !== undefined);
  const part = imagePartOf(image.kind, timm);
  if (part !== undefined) return part;
  throw new EidosError('unsupported_checkpoint', `open_clip's layout has no tower of kind '${image.kind}'.`);
}

/** open_clip's `nonscalar_logit_scale` keeps one number in a row. */
function logitScale(table: ShapeTable): Published {
  const stored = table.shapes.get('logit_scale');
  return { from: 'logit_scale', ...(stored?.length === 1 ? { stored: [1] } : {}) };
}
