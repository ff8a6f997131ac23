/** What a picture is called in training: its own captions, or its class in the words of a random template. */
import { fillTemplate, promptTemplates, resolveTemplates } from '../../text/templates.ts';
import { pick } from './chance.ts';
import type { CaptionsConfig } from './config.ts';

/** Words or sentences by language. */
export type Words = Readonly<Partial<Record<string, readonly string[]>>>;

/** Something that a caption may speak of. */
export interface Concept {
  /** Equal for concepts that are the same thing, in whichever source they stand. */
  key: string;
  /** Its names, the usual one first. */
  words: Words;
}

/** What is known of a picture in words. */
export interface Description {
  /** Sentences about this very picture. */
  captions: Words;
  /** Its class first, then what that is a kind of; none where it has no class. */
  concepts: readonly Concept[];
  /** Visual features of the class as English phrases ("long ears"). */
  features: readonly string[];
  /** Whole English sentences that describe the class. */
  sentences: readonly string[];
}

export interface Caption {
  text: string;
  /** What the caption speaks of; pictures with this key among theirs match it. */
  key: string;
}

/** Templates that a user is most likely to ask with come more often than the rest of the eighty. */
const usual = [
  'a photo of a {}.',
  'a photo of the {}.',
  'a photo of {}.',
  '{}',
  'a picture of a {}.',
  'a {}.',
];
const defaultTemplates: Partial<Record<string, readonly string[]>> = {
  en: [...promptTemplates.imagenet, ...promptTemplates.cifar],
  de: promptTemplates.german,
};

/** Two pictures with the same sentence match, whatever dots and capitals it is written with. */
export function sentenceKey(sentence: string): string {
  return sentence
    .toLowerCase()
    .replace(/[\s.!]+/g, ' ')
    .trim();
}

/** The keys of all that a picture may be called. @param own a key that no other picture has */
export function keysOf(own: string, { captions, concepts }: Description): string[] {
  const sentences = Object.values(captions).flatMap((all = []) => all.map(sentenceKey));
  return [own, ...sentences, ...concepts.map(({ key }) => key)];
}

/**
 * A function that says something about a picture, by chance.
 * @throws EidosError `invalid_option` for a template without a place for the name
 */
export function createCaptioner({ languages, templates, kinds, descriptions, joined }: CaptionsConfig) {
  const own = Object.fromEntries(
    Object.entries(templates).map(([language, given]) => [language, resolveTemplates(given!)]),
  );

  const languageOf = (words: Words, random: () => number): string => {
    const spoken = Object.keys(words).filter((language) => words[language]!.length > 0);
    const weights = spoken.map((language) => languages[language] ?? 0);
    let place = random() * weights.reduce((sum, weight) => sum + weight, 0);
    for (const [at, weight] of weights.entries()) {
      if (place < weight) return spoken[at]!;
      place -= weight;
    }
    return spoken[0]!;
  };

  const templateOf = (language: string, random: () => number): string => {
    const given = own[language];
    if (given !== undefined) return pick(given, random);
    if (language === 'en' && random() < 0.4) return pick(usual, random);
    return pick(defaultTemplates[language] ?? promptTemplates.none, random);
  };

  const ownSentence = ({ captions }: Description, key: string, random: () => number): Caption => {
    const first = pick(captions[languageOf(captions, random)]!, random);
    if (random() >= joined) return { text: first, key: sentenceKey(first) };
    const second = pick(captions[languageOf(captions, random)]!, random);
    if (second === first) return { text: first, key: sentenceKey(first) };
    // Of two sentences at once no other picture is known to show both.
    return { text: `${first.replace(/[\s.]+$/, '')}. ${second}`, key };
  };

  const ofClass = ({ concepts, features, sentences }: Description, random: () => number): Caption => {
    const [named, ...wider] = concepts as readonly [Concept, ...Concept[]];
    const concept = wider.length > 0 && random() < kinds ? pick(wider, random) : named;
    const { key } = concept;
    const language = languageOf(concept.words, random);
    const name = nameOf(concept.words[language]!, random);
    if (language === 'en' && concept === named && random() < descriptions) {
      if (features.length > 0 && (sentences.length === 0 || random() < 0.5)) {
        return { text: `a photo of a ${name}, ${pick(features, random)}.`, key };
      }
      if (sentences.length > 0) return { text: pick(sentences, random), key };
    }
    return { text: fillTemplate(templateOf(language, random), name), key };
  };

  /** @param key a key that no other picture has */
  return (description: Description, key: string, random: () => number): Caption => {
    const hasSentences = Object.values(description.captions).some((all) => all!.length > 0);
    if (description.concepts.length === 0) return ownSentence(description, key, random);
    if (!hasSentences || random() < 0.5) return ofClass(description, random);
    return ownSentence(description, key, random);
  };
}

/** The usual name half of the time. */
function nameOf(names: readonly string[], random: () => number): string {
  return random() < 0.5 ? names[0]! : pick(names, random);
}
