/** The programs that an exported folder consists of, with the inputs and outputs that Hugging Face's tools expect. */
import { normalize } from '../../graph/derived.ts';
import { symbolic } from '../../graph/dimension.ts';
import { fitLength, input, transpose } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { imageEncoder, logitParameters, textEncoder } from '../../models/clip.ts';
import { similarityLogits } from '../../models/losses.ts';
import { pictureShape } from '../../models/sides.ts';
import { lastTokenRead } from '../../models/text/sentence-end.ts';

export interface ExportedProgram {
  /** The file's name without ending. */
  name: 'vision_model' | 'text_model' | 'model';
  results: Record<string, Value>;
  /** Inputs that are fed by custom but have no influence. */
  unreadInputs: Value[];
}

/** Which of Hugging Face's model classes the folder stands for; they name the towers' results differently. */
export type ExportFamily = 'clip' | 'siglip';

export function exportFamily({ probability }: ClipArchitecture): ExportFamily {
  return probability === 'sigmoid' ? 'siglip' : 'clip';
}

/** Names of what a tower gives by itself: CLIP's classes "with projection", SigLIP's plain ones. */
const towerResults: { readonly [F in ExportFamily]: { image: string; text: string } } = {
  clip: { image: 'image_embeds', text: 'text_embeds' },
  siglip: { image: 'pooler_output', text: 'pooler_output' },
};

/** The towers by themselves give embeddings as they are; the whole model gives unit vectors and logits. */
export function exportPrograms(architecture: ClipArchitecture): ExportedProgram[] {
  const family = exportFamily(architecture);
  const names = towerResults[family];
  const pixels = input('pixel_values', [symbolic('image_batch_size'), ...pictureShape(architecture.image)]);
  const ids = tokenInput(architecture);
  const images = imageEncoder(architecture, pixels);
  const texts = textEncoder(architecture, ids.fitted);
  return [
    { name: 'vision_model', results: { [names.image]: images }, unreadInputs: [] },
    { name: 'text_model', results: { [names.text]: texts }, unreadInputs: [] },
    {
      name: 'model',
      results: comparison(architecture, images, texts),
      unreadInputs: maskInputs(family, ids.fed),
    },
  ];
}

/** Whether sentences may have any number of tokens, or must be filled up to the context length. */
export function takesShortRows({ text }: ClipArchitecture): boolean {
  return lastTokenRead(text) !== undefined;
}

function comparison(architecture: ClipArchitecture, images: Value, texts: Value): Record<string, Value> {
  const imageEmbeds = normalize(images);
  const textEmbeds = normalize(texts);
  const { scale, bias } = logitParameters(architecture);
  const perImage = similarityLogits(imageEmbeds, textEmbeds, scale, bias); // [images, texts]
  return {
    logits_per_image: perImage,
    logits_per_text: transpose(perImage, [1, 0]),
    text_embeds: textEmbeds,
    image_embeds: imageEmbeds,
  };
}

/** Token ids as they are fed, and as the tower reads them, [n, contextLength]. */
function tokenInput(architecture: ClipArchitecture): { fed: Value; fitted: Value } {
  const { contextLength } = architecture.text;
  const batch = symbolic('text_batch_size');
  if (!takesShortRows(architecture)) {
    const fed = input('input_ids', [batch, contextLength], 'int64');
    return { fed, fitted: fed };
  }
  const fed = input('input_ids', [batch, symbolic('sequence_length')], 'int64');
  return { fed, fitted: fitLength(fed, 1, contextLength) };
}

/** Tools feed CLIP a mask of the padding, which no end token sees; SigLIP is never given one. */
function maskInputs(family: ExportFamily, ids: Value): Value[] {
  return family === 'clip' ? [input('attention_mask', ids.shape, 'int64')] : [];
}
