/** Which way of explaining a picture tells the truth about a model: all methods beside random orders of places, and their time. */
import type { Clip } from '../clip/clip.ts';
import { EidosError, requireKnownOptions } from '../errors.ts';
import type { Dataset, Language } from '../evaluate/dataset.ts';
import { createExplainer, type ExplanationMethod } from '../tasks/explain/index.ts';
import { bootstrap } from './statistics.ts';

export interface ExplanationStudyOptions {
  /** Methods that are compared. @default all that the model's tower has what it needs for */
  methods?: readonly ExplanationMethod[] | undefined;
  /** Pictures that are looked at, the first of the part. @default 40 */
  pictures?: number | undefined;
  /** Of the captions, the first of which a picture is compared with. @default 'en' */
  language?: Language | undefined;
  /** @default 0 */
  seed?: number | undefined;
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** Figures of one method, means over pictures with 95 % intervals by resampling. */
export interface ExplanationFigures {
  method: ExplanationMethod;
  /** Insertion area less that of random orders: above 0 the map is truer than chance. */
  insertion: Figure;
  /** Random orders' deletion area less the map's: above 0 the map is truer than chance. */
  deletion: Figure;
  /** Share of pictures whose map is better than random by both. */
  better: number;
  /** Of an explanation without its test, words and concepts included: the median. */
  milliseconds: number;
  n: number;
}

export interface Figure {
  value: number;
  low: number;
  high: number;
}

const studyOptions = { methods: true, pictures: true, language: true, seed: true, onProgress: true } as const;

/** @throws EidosError `invalid_option` for a set without captions or classes, and methods that the tower has nothing for */
export async function studyExplanations(
  clip: Clip,
  dataset: Dataset,
  options: ExplanationStudyOptions = {},
): Promise<ExplanationFigures[]> {
  requireKnownOptions<ExplanationStudyOptions>('studyExplanations', options, studyOptions);
  const { pictures = 40, language = 'en', seed = 0, onProgress } = options;
  if (!Number.isInteger(pictures) || pictures < 2) {
    throw new EidosError('invalid_option', `pictures is ${pictures}: two at least make an interval.`);
  }
  const explainer = createExplainer(clip);
  const methods = options.methods ?? explainer.methods;
  const rows = new Map(
    methods.map((method) => [
      method,
      { insertion: [] as number[], deletion: [] as number[], better: 0, times: [] as number[] },
    ]),
  );
  let done = 0;
  for await (const { image, captions, label } of dataset.samples()) {
    const text = captions[language]?.[0] ?? (label === undefined ? undefined : dataset.classes[label]?.words);
    if (text === undefined || image instanceof EidosError) continue;
    for (const [method, row] of rows) {
      const began = performance.now();
      await explainer.explain(image, { text, method, seed, faithfulness: false });
      row.times.push(performance.now() - began);
      const { faithfulness } = await explainer.explain(image, { text, method, seed });
      const { insertion, deletion, randomInsertion, randomDeletion, betterThanRandom } = faithfulness!;
      row.insertion.push(insertion - randomInsertion);
      row.deletion.push(randomDeletion - deletion);
      if (betterThanRandom) row.better++;
    }
    done++;
    onProgress?.({ done, total: Math.min(pictures, dataset.size) });
    if (done === pictures) break;
  }
  if (done < 2) {
    throw new EidosError(
      'invalid_option',
      `${dataset.name} (${dataset.split}) has ${done} pictures with a caption in "${language}" or a class: two at least make an interval.`,
    );
  }
  return [...rows].map(([method, { insertion, deletion, better, times }]) => ({
    method,
    insertion: meanOf(insertion, seed),
    deletion: meanOf(deletion, seed),
    better: better / done,
    milliseconds: [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)]!,
    n: done,
  }));
}

function meanOf(values: readonly number[], seed: number): Figure {
  const mean = (rows: readonly number[]): number =>
    rows.reduce((sum, row) => sum + values[row]!, 0) / rows.length;
  const [low, high] = bootstrap(values.length, mean, { draws: 1000, seed });
  return { value: mean(values.map((_, at) => at)), low, high };
}
