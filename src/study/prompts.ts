/** The prompt study: what the sentence around a name does to zero-shot accuracy, prompt beside prompt on the same pictures. */
import type { Clip } from '../clip/clip.ts';
import { type Embeddings, meanOfGroups, normalizeRows } from '../clip/embeddings.ts';
import { EidosError, requireKnownOptions } from '../errors.ts';
import type { Dataset } from '../evaluate/dataset.ts';
import { embedLabelled } from '../evaluate/labelled.ts';
import { wordsOfClasses } from '../evaluate/labels.ts';
import { rankOf } from '../evaluate/metrics.ts';
import type { UnreadablePicture } from '../evaluate/reading.ts';
import { wilsonInterval } from '../evaluate/wilson.ts';
import { fillTemplate, resolveTemplates } from '../text/templates.ts';
import { type StudyOptions, sharedOptions } from './options.ts';
import { bootstrap, holm, mcNemar } from './statistics.ts';

/** The plain name, with which all others are compared. */
export const plainName = '{}';

export interface PromptStudyOptions extends StudyOptions {
  /** Sentences with {} for the name, or the name of a published set. @default the set `paper` */
  templates?: string | readonly string[] | undefined;
  /**
   * - `rows`: each class gets a vector of length one.
   * - `classes`: each number is divided by its length over all classes, which is the slip of the paper's own code
   *   (`axis=0` in place of `axis=1`).
   * @default 'rows'
   */
  normalize?: 'rows' | 'classes' | undefined;
}

/** One prompt. */
export interface PromptResult {
  template: string;
  /** Share of pictures whose class is named rightly, with its 95 % interval. */
  accuracy: number;
  low: number;
  high: number;
  n: number;
  /** Accuracy less that of the plain name on the same pictures, with its interval by paired resampling. */
  difference: number;
  differenceInterval: [low: number, high: number];
  /** McNemar's exact test of that difference, alone and corrected for all prompts (Holm). */
  p: number;
  pHolm: number;
  /** The same beside the best prompt. */
  differenceToBest: number;
  pToBest: number;
  /** What the paper has for this prompt, where it is one of its eleven. */
  paper?: number;
  /** Accuracy of each class; undefined where it has no picture. */
  classes: (number | undefined)[];
}

export interface PromptStudy {
  dataset: string;
  split: string;
  normalize: 'rows' | 'classes';
  prompts: PromptResult[];
  /** Classes with the prompt that names them best (of several alike, the first). */
  winners: { class: string; template: string; accuracy: number }[];
  /** All prompts together: a class is the mean of its sentences. */
  ensemble: { accuracy: number; low: number; high: number };
  best: string;
  n: number;
  unreadable: UnreadablePicture[];
}

/** The paper's table 2.3.1, of openai/clip-vit-base-patch32 on CIFAR-10. */
const paperFigures: Readonly<Record<string, number>> = {
  'A {}': 0.672,
  'This is a {}': 0.696,
  '{}': 0.708,
  'This image contains {}': 0.715,
  'There is {}': 0.715,
  'a photo of a {}': 0.716,
  'you can see a {}': 0.716,
  'A {} is in the picture': 0.726,
  'In this image you can see a {}': 0.727,
  'You can see a {} in this image': 0.727,
  'An {} is waiting': 0.733,
};

const studyOptions = { templates: true, normalize: true, ...sharedOptions } as const;

/**
 * Pictures and texts are embedded once for all prompts.
 * @throws EidosError `invalid_option` for a set without two classes, `invalid_image`, `aborted`
 */
export async function studyPrompts(
  clip: Clip,
  dataset: Dataset,
  options: PromptStudyOptions = {},
): Promise<PromptStudy> {
  requireKnownOptions<PromptStudyOptions>('studyPrompts', options, studyOptions);
  const { normalize = 'rows', seed = 0, batchSize, signal, onProgress, onWarning } = options;
  if (normalize !== 'rows' && normalize !== 'classes') {
    throw new EidosError(
      'invalid_option',
      `normalize is '${String(normalize)}': it can be 'rows' or 'classes'.`,
    );
  }
  requireClasses(dataset);
  const given = [...new Set(resolveTemplates(options.templates ?? 'paper'))];
  const templates = given.includes(plainName) ? given : [plainName, ...given];
  const plainAt = templates.indexOf(plainName);
  const words = wordsOfClasses(dataset.classes, options.labels, onWarning);
  const { each, together } = await classMatrices(clip, words, templates, normalize);
  const { embeddings, labels, unreadable } = await embedLabelled(clip, dataset, {
    batchSize,
    signal,
    onProgress,
  });
  const n = labels.length;
  if (n === 0) {
    throw new EidosError('invalid_option', `No picture of ${dataset.name} (${dataset.split}) has a class.`);
  }
  const right = each.map((matrix) => rightAnswers(embeddings, matrix, labels));
  const plain = right[plainAt]!;
  const counts = right.map((answers) => answers.reduce((sum, one) => sum + one, 0));
  const bestAt = counts.indexOf(Math.max(...counts));
  const beside = (at: number, other: Uint8Array) => compared(right[at]!, other, seed);
  const comparisons = templates.map((_, at) => beside(at, plain));
  const corrected = holm(comparisons.filter((_, at) => at !== plainAt).map(({ p }) => p));
  corrected.splice(plainAt, 0, 1);
  const byClass = right.map((answers) => classAccuracies(answers, labels, dataset.classes.length));
  const prompts = templates.map((template, at): PromptResult => {
    const [low, high] = wilsonInterval(counts[at]!, n);
    const { difference, interval, p } = comparisons[at]!;
    const best = compared(right[at]!, right[bestAt]!, seed, false);
    const paper = paperFigures[template];
    return {
      template,
      accuracy: counts[at]! / n,
      low,
      high,
      n,
      difference,
      differenceInterval: interval,
      p,
      pHolm: corrected[at]!,
      differenceToBest: best.difference,
      pToBest: best.p,
      ...(paper === undefined ? {} : { paper }),
      classes: byClass[at]!,
    };
  });
  const all = rightAnswers(embeddings, together, labels).reduce((sum, one) => sum + one, 0);
  const [low, high] = wilsonInterval(all, n);
  return {
    dataset: dataset.name,
    split: dataset.split,
    normalize,
    prompts,
    winners: dataset.classes.flatMap(({ words: name }, label) => {
      const shares = byClass.map((classes) => classes[label]);
      if (shares[0] === undefined) return [];
      const most = Math.max(...shares.map((share) => share ?? 0));
      const at = shares.indexOf(most);
      return [{ class: name, template: templates[at]!, accuracy: most }];
    }),
    ensemble: { accuracy: all / n, low, high },
    best: templates[bestAt]!,
    n,
    unreadable,
  };
}

/** @throws EidosError `invalid_option` */
export function requireClasses(dataset: Dataset): void {
  if (dataset.classes.length >= 2) return;
  throw new EidosError(
    'invalid_option',
    `${dataset.name} has ${dataset.classes.length === 0 ? 'no classes' : 'one class, which nobody could miss'}: a study needs two at least.`,
  );
}

/** Vectors of all classes, [classes, embeddingSize], by each template and by all of them together. */
export async function classMatrices(
  clip: Clip,
  words: readonly (readonly string[])[],
  templates: readonly string[],
  normalize: 'rows' | 'classes' = 'rows',
): Promise<{ each: Embeddings[]; together: Embeddings }> {
  const classes = words.length;
  const size = clip.embeddingSize;
  const sentences = templates.flatMap((template) =>
    words.flatMap((synonyms) => synonyms.map((word) => fillTemplate(template, word))),
  );
  const owner = templates.flatMap((_, at) =>
    words.flatMap((synonyms, label) => synonyms.map(() => at * classes + label)),
  );
  const embedded = await clip.embedTexts(sentences, { normalize: normalize === 'rows' });
  const { data } = meanOfGroups(embedded, owner, templates.length * classes);
  const each = templates.map((_, at) => ({
    data: data.slice(at * classes * size, (at + 1) * classes * size),
    shape: [classes, size],
  }));
  const together = meanOfGroups(
    embedded,
    owner.map((group) => group % classes),
    classes,
  );
  for (const matrix of [...each, together]) {
    if (normalize === 'rows') normalizeRows(matrix);
    else normalizeColumns(matrix);
  }
  return { each, together };
}

/** Each number divided by the length of its column. */
function normalizeColumns({ data, shape: [rows = 0, columns = 0] }: Embeddings): void {
  for (let column = 0; column < columns; column++) {
    let square = 0;
    for (let row = 0; row < rows; row++) square += data[row * columns + column]! ** 2;
    const length = Math.sqrt(square) || 1;
    for (let row = 0; row < rows; row++) data[row * columns + column]! /= length;
  }
}

/** Products of all pictures with all classes, [n, classes]. */
export function products(pictures: Embeddings, matrix: Embeddings): Float32Array {
  const [n = 0, size = 0] = pictures.shape;
  const [classes = 0] = matrix.shape;
  const result = new Float32Array(n * classes);
  for (let row = 0; row < n; row++) {
    const picture = pictures.data.subarray(row * size, (row + 1) * size);
    for (let label = 0; label < classes; label++) {
      let sum = 0;
      const start = label * size;
      for (let i = 0; i < size; i++) sum += picture[i]! * matrix.data[start + i]!;
      result[row * classes + label] = sum;
    }
  }
  return result;
}

/** 1 for each picture whose class has the largest product. */
function rightAnswers(pictures: Embeddings, matrix: Embeddings, labels: readonly number[]): Uint8Array {
  const classes = matrix.shape[0]!;
  const all = products(pictures, matrix);
  return Uint8Array.from(labels, (label, row) =>
    rankOf(all.subarray(row * classes, (row + 1) * classes), label) === 0 ? 1 : 0,
  );
}

function compared(
  one: Uint8Array,
  other: Uint8Array,
  seed: number,
  withInterval = true,
): { difference: number; interval: [number, number]; p: number } {
  let [onlyOne, onlyOther] = [0, 0];
  const differences = Int8Array.from(one, (answer, at) => answer - other[at]!);
  for (const difference of differences) {
    if (difference > 0) onlyOne++;
    if (difference < 0) onlyOther++;
  }
  const n = one.length;
  const interval: [number, number] =
    !withInterval || onlyOne + onlyOther === 0
      ? [0, 0]
      : bootstrap(n, (drawn) => drawn.reduce((sum, at) => sum + differences[at]!, 0) / n, { seed });
  return { difference: (onlyOne - onlyOther) / n, interval, p: mcNemar(onlyOne, onlyOther) };
}

function classAccuracies(
  right: Uint8Array,
  labels: readonly number[],
  classes: number,
): (number | undefined)[] {
  const hits = new Array<number>(classes).fill(0);
  const all = new Array<number>(classes).fill(0);
  labels.forEach((label, row) => {
    all[label]!++;
    hits[label]! += right[row]!;
  });
  return all.map((count, label) => (count === 0 ? undefined : hits[label]! / count));
}
