/** Sentences to vectors: captions as they are, and classes as the mean of their prompts. */
import type { Clip } from '../clip/clip.ts';
import { type Embeddings, meanOfGroups, normalizeRows } from '../clip/embeddings.ts';
import { EidosError } from '../errors.ts';
import { fillTemplate } from '../text/templates.ts';

export interface SentenceOptions {
  signal?: AbortSignal | undefined;
  /** Told how many are done after each piece. */
  onProgress?: ((done: number, total: number) => void) | undefined;
  onWarning?: ((message: string) => void) | undefined;
}

/** Sentences between two looks at the signal. */
const pieceLength = 256;

/** Unit vectors of any number of sentences, [sentences, embeddingSize]. */
export async function embedSentences(
  clip: Clip,
  sentences: readonly string[],
  { signal, onProgress, onWarning }: SentenceOptions = {},
): Promise<Embeddings> {
  const width = clip.embeddingSize;
  const result = new Float32Array(sentences.length * width);
  // All at once, so that a warning counts all sentences.
  const tokens = (await clip.tokenizer()).tokenize(sentences, onWarning === undefined ? {} : { onWarning });
  const length = tokens.shape[1]!;
  for (let first = 0; first < sentences.length; first += pieceLength) {
    if (signal?.aborted) {
      throw new EidosError('aborted', 'Measuring was aborted.', { cause: signal.reason });
    }
    const last = Math.min(first + pieceLength, sentences.length);
    const data = tokens.data.subarray(first * length, last * length);
    const piece = await clip.embedTokens({ data, shape: [last - first, length] });
    result.set(piece.data, first * width);
    onProgress?.(last, sentences.length);
  }
  return { data: result, shape: [sentences.length, width] };
}

/** Vectors of all classes by one or several templates. */
export interface Classifier {
  /** The one template; undefined where all count together. */
  template?: string;
  /** One unit vector a class, [classes, embeddingSize]. */
  matrix: Embeddings;
}

/**
 * The class vectors by all templates together (Radford et al. 2021, section 3.1.4: the mean of the unit vectors of all
 * prompts, normalised again), and by each template alone where that is wanted. Synonyms of a class count alike.
 * @param words synonyms of each class
 */
export async function createClassifiers(
  clip: Clip,
  words: readonly (readonly string[])[],
  templates: readonly string[],
  { each = false, ...options }: SentenceOptions & { each?: boolean | undefined } = {},
): Promise<Classifier[]> {
  const prompts = words.flatMap((synonyms, label) =>
    templates.flatMap((template, at) =>
      synonyms.map((word) => ({ label, at, text: fillTemplate(template, word) })),
    ),
  );
  const texts = prompts.map(({ text }) => text);
  const all = await embedSentences(clip, texts, options);
  const owner = prompts.map(({ label }) => label);
  const together = { matrix: normalizeRows(meanOfGroups(all, owner, words.length)) };
  if (!each) return [together];
  // A group is a class by one template; groups of one template follow each other.
  const group = prompts.map(({ label, at }) => at * words.length + label);
  const { data } = normalizeRows(meanOfGroups(all, group, templates.length * words.length));
  const size = words.length * clip.embeddingSize;
  const alone = templates.map((template, at) => ({
    template,
    matrix: { data: data.subarray(at * size, (at + 1) * size), shape: [words.length, clip.embeddingSize] },
  }));
  return [together, ...alone];
}
