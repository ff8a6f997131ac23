/** Zero-shot classification: pictures are named by sentences that nobody trained a classifier for. */
import type { Clip, EmbedImagesOptions } from '../../clip/clip.ts';
import type { Cosine, Embeddings } from '../../clip/embeddings.ts';
import { EidosError, requireKnownOptions } from '../../errors.ts';
import type { ImageSources } from '../../image/source.ts';
import { fillTemplate, type PromptTemplateSet, resolveTemplates } from '../../text/templates.ts';
import { typedText } from '../../text/typed.ts';
import { type ClassMatrixOptions, classMatrix } from './class-matrix.ts';

export interface ZeroShotOptions extends ClassMatrixOptions {
  /**
   * Sentences with {} in the place of the name, or the name of a published set; each label then stands for the
   * mean of its sentences. @default labels are sentences as they are
   */
  templates?: PromptTemplateSet | readonly string[];
}

const zeroShotOptions = { templates: true, classCache: true, onWarning: true } as const;

export interface ClassifyOptions extends EmbedImagesOptions {
  /** How many labels are returned, the likeliest first. @default all */
  topK?: number;
}

/** A label as an answer. */
export interface LabelScore {
  label: string;
  /**
   * Among these labels together they sum to one (softmax); for models trained with a sigmoid each label is judged
   * by itself. Not calibrated: how sure the model is, not how often it is right.
   */
  probability: number;
  similarity: Cosine;
}

/** What became of one picture. */
export type Classification = { image: string; results: LabelScore[] } | { image: string; error: EidosError };

export interface ZeroShotClassifier {
  readonly labels: readonly string[];
  /** One unit vector a label, [labels, embeddingSize]. */
  readonly classMatrix: Embeddings;
  /** One answer a picture, in order. A picture that cannot be read has an error instead of results. */
  classify(images: ImageSources, options?: ClassifyOptions): Promise<Classification[]>;
  /** The same as they come, for many pictures. */
  classifyStream(images: ImageSources, options?: ClassifyOptions): AsyncIterable<Classification>;
}

/**
 * @param labels names or sentences, each once
 * @throws EidosError `invalid_option` for no or doubled labels, for labels that the model cannot tell
 * apart, and for templates without a place for the name
 */
export async function createZeroShotClassifier(
  clip: Clip,
  labels: readonly string[],
  options: ZeroShotOptions = {},
): Promise<ZeroShotClassifier> {
  requireKnownOptions<ZeroShotOptions>('createZeroShotClassifier', options, zeroShotOptions);
  const { templates = ['{}'], ...matrixOptions } = options;
  checkLabels(labels);
  if (labels.length === 1 && clip.config.architecture.probability === 'softmax') {
    matrixOptions.onWarning?.(oneLabelWarning(labels[0]!));
  }
  const sentences = resolveTemplates(templates);
  const prompts = labels.map((label) =>
    sentences.map((template) => fillTemplate(template, typedText(label))),
  );
  const matrix = await classMatrix(clip, prompts, { ...matrixOptions, labels });

  async function* classifyStream(
    images: ImageSources,
    options: ClassifyOptions = {},
  ): AsyncGenerator<Classification> {
    const { topK: wanted, ...reading } = options;
    const topK = checkTopK(wanted, labels.length);
    for await (const { embeddings, items } of clip.embedImageStream(images, reading)) {
      const cosines = clip.similarity(embeddings, matrix);
      for (const item of items) {
        if ('error' in item) yield { image: item.label, error: item.error };
        else {
          const row = cosines.data.subarray(item.row * labels.length, (item.row + 1) * labels.length);
          yield { image: item.label, results: rank(clip, labels, row).slice(0, topK) };
        }
      }
    }
  }

  return {
    labels,
    classMatrix: matrix,
    classifyStream,
    async classify(images, options) {
      const answers: Classification[] = [];
      for await (const answer of classifyStream(images, options)) answers.push(answer);
      return answers;
    },
  };
}

/** Labels with their probabilities, the likeliest first. */
function rank(
  { logitScale, logitBias, config }: Clip,
  labels: readonly string[],
  cosines: Float32Array,
): LabelScore[] {
  const logits = Array.from(cosines, (cosine) => logitScale * cosine + logitBias);
  const probabilities = config.architecture.probability === 'softmax' ? softmax(logits) : logits.map(sigmoid);
  return labels
    .map((label, i) => ({ label, probability: probabilities[i]!, similarity: cosines[i]! }))
    .sort((a, b) => b.similarity - a.similarity);
}

/** e^z / Σ e^z, with the largest taken off first so that nothing overflows. */
function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

function oneLabelWarning(label: string): string {
  return `"${label}" alone says nothing: among one label its probability is always 1. Give others that a picture could show instead.`;
}

function checkLabels(labels: readonly string[]): void {
  if (labels.length === 0) throw new EidosError('invalid_option', 'There are no labels: name at least one.');
  const seen = new Set<string>();
  for (const label of labels) {
    if (typeof label !== 'string' || label.trim() === '') {
      throw new EidosError('invalid_option', 'A label is empty: each one is a name or a sentence.');
    }
    if (seen.has(label)) throw new EidosError('invalid_option', `The label "${label}" is given twice.`);
    seen.add(label);
  }
}

function checkTopK(topK: number | undefined, labels: number): number {
  if (topK === undefined) return labels;
  if (!Number.isInteger(topK) || topK < 1) {
    throw new EidosError('invalid_option', `topK is ${topK}, but counts labels: 1 or more.`);
  }
  return topK;
}
