/**
 * How good a model is on a data set it was not trained for: accuracy where pictures have a class, recall where they have
 * captions, both where they have both, each with a 95 % interval.
 */
import { firstOfSameTokens } from '../classifier/equal-names.ts';
import type { Clip } from '../clip/clip.ts';
import { EidosError, requireKnownOptions } from '../errors.ts';
import { type PromptTemplateSet, promptTemplates, resolveTemplates } from '../text/templates.ts';
import type { Dataset, Language } from './dataset.ts';
import { type Labels, wordsOfClasses } from './labels.ts';
import { retrievalRanks, type Share, shareWithin } from './metrics.ts';
import { type MeasuredPictures, measurePictures } from './pictures.ts';
import type { UnreadablePicture } from './reading.ts';
import { type Classifier, createClassifiers, embedSentences } from './sentences.ts';

/** Accuracy: the right class is among the first k. Recall: a right picture or text is among the first k. */
export type MetricName =
  | `accuracy@${(typeof accuracyPlaces)[number]}`
  | `linear_probe_accuracy@${(typeof accuracyPlaces)[number]}`
  | `${'text_to_image' | 'image_to_text'}_recall@${(typeof recallPlaces)[number]}`;

/** A figure with everything needed to read it. */
export interface Measurement extends Share {
  dataset: string;
  split: string;
  /** The fields that pictures were chosen by; absent where they were not. */
  where?: Readonly<Record<string, string>>;
  metric: MetricName;
  /** Of the captions, or of the words and templates for classes. */
  language: Language;
  /** The one template that this figure is by; absent where all count together. */
  template?: string;
}

export interface Evaluation {
  measurements: Measurement[];
  /** Pictures that were measured. */
  pictures: number;
  /** Pictures that could not be read; no figure counts them. */
  unreadable: UnreadablePicture[];
}

/** How far an evaluation is: prompts of classes, then pictures, then captions. */
export interface EvaluationProgress {
  stage: 'prompts' | 'pictures' | 'captions';
  done: number;
  total: number;
}

export interface EvaluateOptions {
  /** Captions that are looked at, and the language of the default template. @default 'en' */
  language?: Language;
  /**
   * Sentences with {} for the words of a class, or the name of a published set; a class is the mean of its sentences.
   * @default 'a photo of a {}.', in German 'ein Foto von: {}.'
   */
  templates?: PromptTemplateSet | readonly string[];
  /** Words for classes instead of the set's own names. */
  labels?: Labels;
  /** Whether accuracy is also given for each template alone. @default false */
  eachTemplate?: boolean;
  /** More unreadable pictures than this share (and more than one) are an error. @default 0.05 */
  maxUnreadableShare?: number;
  /** Pictures that the network sees at once. @default 32 */
  batchSize?: number;
  signal?: AbortSignal;
  onProgress?: (progress: EvaluationProgress) => void;
  onWarning?: (message: string) => void;
  /** Told about each picture that cannot be read, when it is met. */
  onUnreadable?: (picture: UnreadablePicture) => void;
}

const evaluateOptions = {
  language: true,
  templates: true,
  labels: true,
  eachTemplate: true,
  maxUnreadableShare: true,
  batchSize: true,
  signal: true,
  onProgress: true,
  onWarning: true,
  onUnreadable: true,
} as const;

const accuracyPlaces = [1, 5] as const;
const recallPlaces = [1, 5, 10] as const;

/** A sentence each, so that the languages compare. */
const defaultTemplates: { readonly [L in Language]: readonly string[] } = {
  en: promptTemplates.simple,
  de: [promptTemplates.german[0]],
};

/**
 * Measures a model on a part of a data set. A figure that no model could fail, with k or fewer answers to choose from,
 * is left out.
 * @throws EidosError `invalid_option` where nothing can be measured, `invalid_image` for too many unreadable pictures,
 * `aborted`
 */
export async function evaluate(
  clip: Clip,
  dataset: Dataset,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  requireKnownOptions<EvaluateOptions>('evaluate', options, evaluateOptions);
  const { language = 'en' } = options;
  requireMeasurable(dataset, language);

  const classifiers = await classifiersOf(clip, dataset, options);
  const pictures = await measurePictures(clip, dataset, {
    ...options,
    language,
    matrices: classifiers.map(({ matrix }) => matrix),
  });
  const shares = [
    ...classifiers.flatMap((classifier, at) => accuracies(classifier, pictures.ranks[at] ?? [])),
    ...(await recalls(clip, pictures, options)),
  ];
  if (shares.length === 0) throw nothingToMeasure(dataset, language);
  const { name, split, where } = dataset;
  return {
    measurements: shares.map(({ metric, template, value, interval, n }) => ({
      dataset: name,
      split,
      ...(where === undefined ? {} : { where }),
      metric,
      language,
      ...(template === undefined ? {} : { template }),
      value,
      interval,
      n,
    })),
    pictures: pictures.count,
    unreadable: pictures.unreadable,
  };
}

/** @throws EidosError `invalid_option` where the set has neither classes nor captions in the language */
export function requireMeasurable(dataset: Dataset, language: Language): void {
  if (hasClasses(dataset) || dataset.captionLanguages.includes(language)) return;
  throw nothingToMeasure(dataset, language);
}

type NamedShare = Share & Pick<Measurement, 'metric' | 'template'>;

async function classifiersOf(clip: Clip, dataset: Dataset, options: EvaluateOptions): Promise<Classifier[]> {
  const { language = 'en', templates = defaultTemplates[language], labels, onWarning } = options;
  const sentences = resolveTemplates(templates);
  if (!hasClasses(dataset)) {
    if (labels !== undefined) onWarning?.(`${dataset.name} has no classes: the labels change nothing.`);
    return [];
  }
  if (language !== 'en' && labels === undefined) {
    onWarning?.(
      'The classes go by the names that the set gives them: labels in the language asked for fit better.',
    );
  }
  const words = wordsOfClasses(dataset.classes, labels, onWarning);
  const classifiers = await createClassifiers(clip, words, sentences, {
    each: options.eachTemplate,
    ...sentenceOptions('prompts', options),
  });
  await tellSameTokens(clip, dataset, words, onWarning);
  return classifiers;
}

/** Classes of equal words are told with the words; of others the tokenizer may still make the same tokens. */
async function tellSameTokens(
  clip: Clip,
  { classes }: Dataset,
  words: readonly (readonly string[])[],
  onWarning: EvaluateOptions['onWarning'],
): Promise<void> {
  if (onWarning === undefined) return;
  const texts = words.map((own) => own.join(' | '));
  for (const [index, first] of (await firstOfSameTokens(clip, words)).entries()) {
    if (texts[first] === texts[index]) continue;
    onWarning(
      `The classes ${classes[first]!.key} ("${texts[first]}") and ${classes[index]!.key} ("${texts[index]}") are the same to the model's tokenizer: the second is never the answer.`,
    );
  }
}

/** One class alone is always right. */
function hasClasses({ classes }: Dataset): boolean {
  return classes.length > 1;
}

function accuracies({ template, matrix }: Classifier, ranks: readonly number[]): NamedShare[] {
  if (ranks.length === 0) return [];
  return accuracyPlaces
    .filter((k) => k < matrix.shape[0]!)
    .map((k) => ({
      metric: `accuracy@${k}` as const,
      ...(template === undefined ? {} : { template }),
      ...shareWithin(ranks, k),
    }));
}

async function recalls(
  clip: Clip,
  { captioned, captions, owner }: MeasuredPictures,
  options: EvaluateOptions,
): Promise<NamedShare[]> {
  if (captions.length === 0) return [];
  const texts = await embedSentences(clip, captions, sentenceOptions('captions', options));
  const { textToImage, imageToText } = retrievalRanks(captioned, texts, owner);
  return [
    ...recallPlaces
      .filter((k) => k < captioned.shape[0]!)
      .map((k) => ({ metric: `text_to_image_recall@${k}` as const, ...shareWithin(textToImage, k) })),
    ...recallPlaces
      .filter((k) => k < captions.length)
      .map((k) => ({ metric: `image_to_text_recall@${k}` as const, ...shareWithin(imageToText, k) })),
  ];
}

function sentenceOptions(
  stage: EvaluationProgress['stage'],
  { signal, onWarning, onProgress }: EvaluateOptions,
) {
  return {
    signal,
    onWarning,
    onProgress: (done: number, total: number) => onProgress?.({ stage, done, total }),
  };
}

function nothingToMeasure({ name, split, captionLanguages }: Dataset, language: Language): EidosError {
  const captions =
    captionLanguages.length === 0
      ? `no captions in "${split}"`
      : `captions in ${captionLanguages.join(' and ')} in "${split}", not in ${language}`;
  return new EidosError(
    'invalid_option',
    `There is nothing to measure in ${name}: it has ${captions}, and not two classes to tell apart.`,
  );
}
