/** Sentences around a label's name, as zero-shot classifiers average over them, and how a name is put in. */

import { EidosError } from '../errors.ts';

/**
 * Published sets of prompt templates, by name; `{}` stands for the name.
 * More templates make a class matrix steadier and cost time only when it is built.
 */
export const promptTemplates = {
  /** OpenAI's eighty for ImageNet (Radford et al. 2021, arXiv:2103.00020). */
  imagenet: [
    'a bad photo of a {}.',
    'a photo of many {}.',
    'a sculpture of a {}.',
    'a photo of the hard to see {}.',
    'a low resolution photo of the {}.',
    'a rendering of a {}.',
    'graffiti of a {}.',
    'a bad photo of the {}.',
    'a cropped photo of the {}.',
    'a tattoo of a {}.',
    'the embroidered {}.',
    'a photo of a hard to see {}.',
    'a bright photo of a {}.',
    'a photo of a clean {}.',
    'a photo of a dirty {}.',
    'a dark photo of the {}.',
    'a drawing of a {}.',
    'a photo of my {}.',
    'the plastic {}.',
    'a photo of the cool {}.',
    'a close-up photo of a {}.',
    'a black and white photo of the {}.',
    'a painting of the {}.',
    'a painting of a {}.',
    'a pixelated photo of the {}.',
    'a sculpture of the {}.',
    'a bright photo of the {}.',
    'a cropped photo of a {}.',
    'a plastic {}.',
    'a photo of the dirty {}.',
    'a jpeg corrupted photo of a {}.',
    'a blurry photo of the {}.',
    'a photo of the {}.',
    'a good photo of the {}.',
    'a rendering of the {}.',
    'a {} in a video game.',
    'a photo of one {}.',
    'a doodle of a {}.',
    'a close-up photo of the {}.',
    'a photo of a {}.',
    'the origami {}.',
    'the {} in a video game.',
    'a sketch of a {}.',
    'a doodle of the {}.',
    'a origami {}.',
    'a low resolution photo of a {}.',
    'the toy {}.',
    'a rendition of the {}.',
    'a photo of the clean {}.',
    'a photo of a large {}.',
    'a rendition of a {}.',
    'a photo of a nice {}.',
    'a photo of a weird {}.',
    'a blurry photo of a {}.',
    'a cartoon {}.',
    'art of a {}.',
    'a sketch of the {}.',
    'a embroidered {}.',
    'a pixelated photo of a {}.',
    'itap of the {}.',
    'a jpeg corrupted photo of the {}.',
    'a good photo of a {}.',
    'a plushie {}.',
    'a photo of the nice {}.',
    'a photo of the small {}.',
    'a photo of the weird {}.',
    'the cartoon {}.',
    'art of the {}.',
    'a drawing of the {}.',
    'a photo of the large {}.',
    'a black and white photo of a {}.',
    'the plushie {}.',
    'a dark photo of a {}.',
    'itap of a {}.',
    'graffiti of the {}.',
    'a toy {}.',
    'itap of my {}.',
    'a photo of a cool {}.',
    'a photo of a small {}.',
    'a tattoo of the {}.',
  ],
  /** OpenAI's eighteen for CIFAR-10 and CIFAR-100. */
  cifar: [
    'a photo of a {}.',
    'a blurry photo of a {}.',
    'a black and white photo of a {}.',
    'a low contrast photo of a {}.',
    'a high contrast photo of a {}.',
    'a bad photo of a {}.',
    'a good photo of a {}.',
    'a photo of a small {}.',
    'a photo of a big {}.',
    'a photo of the {}.',
    'a blurry photo of the {}.',
    'a black and white photo of the {}.',
    'a low contrast photo of the {}.',
    'a high contrast photo of the {}.',
    'a bad photo of the {}.',
    'a good photo of the {}.',
    'a photo of the small {}.',
    'a photo of the big {}.',
  ],
  /** OpenAI's one for Oxford Flowers: the kind of thing is named. */
  flowers: ['a photo of a {}, a type of flower.'],
  /** German, with the name after a colon, so that no article or case has to fit it. */
  german: [
    'ein Foto von: {}.',
    'ein Bild von: {}.',
    'ein unscharfes Foto: {}.',
    'eine Nahaufnahme: {}.',
    '{}',
    'ein Foto, auf dem man sieht: {}.',
    'das ist: {}.',
    'eine Zeichnung: {}.',
    'eine Skizze: {}.',
    'ein Gemälde: {}.',
  ],
  /** Eleven plain sentences, as a study of wordings compares them. */
  paper: [
    'A {}',
    'This is a {}',
    '{}',
    'This image contains {}',
    'There is {}',
    'a photo of a {}',
    'you can see a {}',
    'A {} is in the picture',
    'In this image you can see a {}',
    'You can see a {} in this image',
    'An {} is waiting',
  ],
  /** One sentence: the usual default. */
  simple: ['a photo of a {}.'],
  /** The name alone. */
  none: ['{}'],
} as const satisfies Record<string, readonly string[]>;

/** The name of a published set. */
export type PromptTemplateSet = keyof typeof promptTemplates;

const placeholder = /\{\}|\{label\}/g;

/**
 * Puts a name in for every `{}` and `{label}`.
 * @throws EidosError `invalid_option` for a template without a placeholder, which would make all labels alike.
 */
export function fillTemplate(template: string, name: string): string {
  requirePlaceholder(template);
  // A function, because `$&` in a name is no reference.
  return template.replace(placeholder, () => name);
}

/**
 * The templates of a set's name, of one template, or of several.
 * @throws EidosError `invalid_option` for an unknown set, an empty list or a template without a placeholder.
 */
export function resolveTemplates(templates: string | readonly string[]): readonly string[] {
  if (typeof templates === 'string') {
    if (Object.hasOwn(promptTemplates, templates)) return promptTemplates[templates as PromptTemplateSet];
    if (!hasPlaceholder(templates)) {
      const names = Object.keys(promptTemplates).join(', ');
      throw new EidosError(
        'invalid_option',
        `${JSON.stringify(templates)} is neither a set of templates (${names}) nor a template: it has no {} or {label} where the name belongs.`,
      );
    }
    return [templates];
  }
  if (templates.length === 0) {
    throw new EidosError('invalid_option', "templates is empty; ['{}'] takes the names as they are.");
  }
  for (const template of templates) requirePlaceholder(template);
  return templates;
}

function hasPlaceholder(template: string): boolean {
  return template.includes('{}') || template.includes('{label}');
}

function requirePlaceholder(template: unknown): void {
  if (typeof template === 'string' && hasPlaceholder(template)) return;
  throw new EidosError(
    'invalid_option',
    `The template ${JSON.stringify(template)} has no {} or {label} where the name belongs.`,
  );
}
