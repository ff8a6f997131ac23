/** What a picture is called in training: its own captions, or its class in the words of a random template. */
import { fillTemplate, promptTemplates } from '../../../text/templates.ts';

/** What a picture shows, in the words that a caption may use. */
export interface Concept {
  /** Equal for concepts that are the same thing, in whichever set they stand. */
  key: string;
  en: readonly string[];
  de: readonly string[];
}

/** What is known of a picture in words. */
export type Description =
  | { kind: 'sentences'; key: string; en: readonly string[]; de: readonly string[] }
  | {
      kind: 'class';
      /** The class itself first, then what it is a kind of. */
      concepts: readonly [Concept, ...Concept[]];
      /** Visual features as phrases ("long ears"). */
      features: readonly string[];
      /** Whole English sentences that describe the class. */
      sentences: readonly string[];
    };

export interface Caption {
  text: string;
  /** The concept that the caption speaks of; pictures with this key among theirs match it. */
  key: string;
}

export interface CaptionShares {
  /** Captions in German, where there are any. @default 0.25 */
  german?: number;
  /** Captions of a class that name one of its kinds. @default 0.4 */
  kinds?: number;
  /** English captions of a class with a visual feature, or a describing sentence. @default 0.12 */
  descriptions?: number;
}

/** Sentences that a user is most likely to ask with come more often than the rest of the eighty. */
const usual = [
  'a photo of a {}.',
  'a photo of the {}.',
  'a photo of {}.',
  '{}',
  'a picture of a {}.',
  'a {}.',
];
const english = [...promptTemplates.imagenet, ...promptTemplates.cifar];

/** The keys of all concepts that a picture shows. */
export function keysOf(description: Description): string[] {
  return description.kind === 'sentences' ? [description.key] : description.concepts.map(({ key }) => key);
}

/** A caption, by chance; `random` gives numbers in [0, 1). */
export function captionOf(
  description: Description,
  random: () => number,
  { german = 0.25, kinds = 0.4, descriptions = 0.12 }: CaptionShares = {},
): Caption {
  if (description.kind === 'sentences') {
    const inGerman = description.de.length > 0 && (description.en.length === 0 || random() < german);
    return { text: pick(inGerman ? description.de : description.en, random), key: description.key };
  }
  const [own, ...wider] = description.concepts;
  const concept = wider.length > 0 && random() < kinds ? pick(wider, random) : own;
  if (concept.de.length > 0 && random() < german) {
    return {
      text: fillTemplate(pick(promptTemplates.german, random), nameOf(concept.de, random)),
      key: concept.key,
    };
  }
  const name = nameOf(concept.en, random);
  if (concept === own && random() < descriptions) {
    const { features, sentences } = description;
    if (features.length > 0 && (sentences.length === 0 || random() < 0.5)) {
      return { text: `a photo of a ${name}, ${pick(features, random)}.`, key: concept.key };
    }
    if (sentences.length > 0) return { text: pick(sentences, random).trim(), key: concept.key };
  }
  return { text: fillTemplate(pick(random() < 0.4 ? usual : english, random), name), key: concept.key };
}

/** The usual name half of the time. */
function nameOf(names: readonly string[], random: () => number): string {
  return random() < 0.5 ? names[0]! : pick(names, random);
}

function pick<T>(choices: readonly T[], random: () => number): T {
  return choices[Math.floor(random() * choices.length)]!;
}
