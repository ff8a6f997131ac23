/** The tokenizer of a model: beside its weights, where the caller says, in the hub's cache, or from the hub. */

import { type HubOptions, hubSettings } from '../checkpoint/hub/settings.ts';
import type { Checkpoint } from '../checkpoint/index.ts';
import { EidosError } from '../errors.ts';
import { loadTokenizer } from '../text/load-tokenizer.ts';
import { openAiRules, type TextRules } from '../text/rules.ts';
import type { Tokenizer } from '../text/tokenizer.ts';

export interface FindTokenizerOptions extends HubOptions {
  tokenizer?: string;
  textRules?: TextRules;
}

/** OpenAI's and open_clip's weights come without a vocabulary; this model of the hub has the one they were trained with. */
const openAiVocabulary = { model: 'openai/clip-vit-base-patch32', size: 49408 };

/**
 * Whether a layout's models were trained with OpenAI's own cleaning of sentences and padding of zeros, whatever
 * files their vocabulary is read from.
 */
const trainedWithOpenAiRules: { readonly [L in Checkpoint['layout']]: boolean } = {
  openai: true,
  open_clip_custom_text: true,
  open_clip_timm_siglip: false,
  open_clip: true,
  hugging_face_clip: false,
  hugging_face_siglip: false,
  hugging_face_pair: false,
  eidos: true,
};

/**
 * @throws EidosError `invalid_tokenizer` naming every place that was looked at; what the hub refuses where it is asked
 */
export async function findTokenizer(
  checkpoint: Checkpoint,
  options: FindTokenizerOptions,
): Promise<Tokenizer> {
  const { text } = checkpoint.architecture;
  const { tokenizer, textRules } = options;
  const isOpenAi = text.vocabularySize === openAiVocabulary.size && trainedWithOpenAiRules[checkpoint.layout];
  const rules = textRules ?? (isOpenAi ? openAiRules : undefined);
  return loadTokenizer(tokenizer ?? checkpoint.folder, {
    contextLength: text.contextLength,
    vocabularySize: text.vocabularySize,
    ...(rules === undefined ? {} : { rules }),
    ...(isOpenAi ? { padToken: 0, fetchVocabulary: () => fetchVocabulary(checkpoint, options) } : {}),
  });
}

async function fetchVocabulary({ folder }: Checkpoint, options: HubOptions): Promise<string> {
  const { resolveTokenizer } = await import('../checkpoint/hub/resolve.ts');
  // The revision is that of the weights, not of this model.
  const { revision: _, ...hubOptions } = options;
  try {
    return await resolveTokenizer(openAiVocabulary.model, hubOptions);
  } catch (error) {
    if (!(error instanceof EidosError)) throw error;
    const { hubCache } = hubSettings(hubOptions);
    throw new EidosError(
      error.code === 'offline' ? 'invalid_tokenizer' : error.code,
      `There is no tokenizer beside the weights in ${folder} and none of ${openAiVocabulary.model} in the hub's cache ${hubCache}. ${error.message} Or put bpe_simple_vocab_16e6.txt.gz or tokenizer.json beside the weights, or name it as the tokenizer.`,
      { cause: error },
    );
  }
}
