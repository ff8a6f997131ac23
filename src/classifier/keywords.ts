/** The reverse way: a picture finds the words of a vocabulary that fit it (Radford et al. 2021, section 3.1.4). */
import type { Clip } from '../clip/clip.ts';
import { type Cosine, type Embeddings, meanOfGroups, normalizeRows } from '../clip/embeddings.ts';
import { EidosError } from '../errors.ts';
import { fillTemplate } from '../text/templates.ts';
import { typedText } from '../text/typed.ts';
import { bestRows } from './best.ts';
import { firstOfSameTokens } from './equal-names.ts';
import { vocabularies } from './vocabulary.ts';

export interface KeywordOptions {
  /** Words to choose from. @default some hundred everyday words in the language */
  vocabulary?: readonly string[] | undefined;
  /** Of the words that come with eidos. @default 'en' */
  language?: 'en' | 'de' | undefined;
  /** @default 10 */
  topK?: number | undefined;
}

export interface Keyword {
  keyword: string;
  similarity: Cosine;
  /** Among the words of the vocabulary, together one; not calibrated. */
  probability: number;
}

/** Sentences around a word: an average of them is steadier than each of them. */
const templates = {
  en: ['a photo of {}', 'a picture with {} in it'],
  de: ['ein Foto von {}', 'ein Bild mit {}'],
} as const;

/**
 * @param image the embedding of a picture, [1, embeddingSize]
 * @throws EidosError `invalid_option` for an empty vocabulary or a wrong number
 */
export async function findKeywords(
  clip: Clip,
  image: Embeddings,
  { vocabulary, language = 'en', topK = 10 }: KeywordOptions,
): Promise<Keyword[]> {
  if (!Number.isInteger(topK) || topK < 1) {
    throw new EidosError('invalid_option', `topK is ${topK}: it must be a whole number from 1 on.`);
  }
  const { words, matrix } = await vocabularyMatrix(clip, { vocabulary, language });
  const cosines = clip.similarity(image, matrix).data;
  const probabilities = judge(clip, cosines);
  return bestRows(cosines, topK).rows.map((row) => ({
    keyword: words[row]!,
    similarity: cosines[row]!,
    probability: probabilities[row]!,
  }));
}

/**
 * The words of a vocabulary that a model can tell apart, and a unit vector for each.
 * @throws EidosError `invalid_option` for an empty vocabulary
 */
export async function vocabularyMatrix(
  clip: Clip,
  { vocabulary, language = 'en' }: Pick<KeywordOptions, 'vocabulary' | 'language'>,
): Promise<WordMatrix> {
  if (!Object.hasOwn(vocabularies, language)) {
    throw new EidosError('invalid_option', `There are no keywords in "${language}": en and de are there.`);
  }
  const named = [...new Set((vocabulary ?? vocabularies[language]).map((word) => word.trim()))].filter(
    Boolean,
  );
  if (named.length === 0) {
    throw new EidosError('invalid_option', 'The vocabulary is empty: name the words to choose from.');
  }
  return wordMatrix(clip, named, templates[language]);
}

/** Matrices of vocabularies that were asked for, as long as their model lives. */
const known = new WeakMap<Clip, Map<string, Promise<WordMatrix>>>();

/** Words that the model can tell apart, and one unit vector for each, [words, embeddingSize]. */
export interface WordMatrix {
  words: readonly string[];
  matrix: Embeddings;
}

function wordMatrix(clip: Clip, words: readonly string[], sentences: readonly string[]): Promise<WordMatrix> {
  const own = known.get(clip) ?? new Map<string, Promise<WordMatrix>>();
  known.set(clip, own);
  const key = JSON.stringify([words, sentences]);
  const before = own.get(key);
  if (before !== undefined) return before;
  const made = embedWords(clip, words, sentences);
  made.catch(() => own.delete(key));
  own.set(key, made);
  return made;
}

async function embedWords(
  clip: Clip,
  named: readonly string[],
  sentences: readonly string[],
): Promise<WordMatrix> {
  // Words of the same tokens would share their probability: the first stands for them.
  const firsts = await firstOfSameTokens(
    clip,
    named.map((word) => [word]),
  );
  const words = named.filter((_, index) => firsts[index] === index);
  const each = await clip.embedTexts(
    words.flatMap((word) => sentences.map((sentence) => fillTemplate(sentence, typedText(word)))),
  );
  const owner = words.flatMap((_, i) => sentences.map(() => i));
  return { words, matrix: normalizeRows(meanOfGroups(each, owner, words.length)) };
}

/** Softmax over the words, or for models that were trained with one a sigmoid for each. */
function judge({ logitScale, logitBias, config }: Clip, cosines: Float32Array): number[] {
  const logits = Array.from(cosines, (cosine) => logitScale * cosine + logitBias);
  if (config.architecture.probability !== 'softmax') return logits.map((logit) => 1 / (1 + Math.exp(-logit)));
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
