/** Measures the model of a training on its named sets, as `eidos evaluate` would. */
import { loadClip } from '../../clip/load.ts';
import { requireMeasurable } from '../../evaluate/evaluate.ts';
import {
  type Dataset,
  evaluate,
  type Measurement,
  openDataset,
  readLabelsFile,
} from '../../evaluate/index.ts';
import { wordsOfClasses } from '../../evaluate/labels.ts';
import type { PromptTemplateSet } from '../../text/templates.ts';
import type { EvaluatedSet, EvaluationConfig } from './evaluation-config.ts';

export interface OpenedSet {
  dataset: Dataset;
  config: EvaluatedSet;
}

/**
 * Opens the sets, so that one that cannot be measured is found before the training begins, not an hour later.
 * @throws EidosError `not_found`, `invalid_option`
 */
export async function openEvaluatedSets({ sets }: EvaluationConfig): Promise<OpenedSet[]> {
  const opened: OpenedSet[] = [];
  for (const config of sets) {
    const { dataset: folder, split, where, language, labelsFile, pictures } = config;
    const dataset = await openDataset(folder, { split, where });
    requireMeasurable(dataset, language);
    if (labelsFile !== undefined) wordsOfClasses(dataset.classes, await readLabelsFile(labelsFile));
    opened.push({ config, dataset: pictures === undefined ? dataset : evenly(dataset, pictures) });
  }
  return opened;
}

export interface EvaluationResult {
  measurements: Measurement[];
  /** By what checkpoints are compared: the mean of each set's first figure. */
  score: number;
}

/**
 * Opens the model in `folder`, measures it, and closes it again. Its weights stay in their file, mapped, so that no
 * second copy of the model lies in memory.
 * @throws EidosError what `evaluate` throws; `aborted`
 */
export async function evaluateModel(
  folder: string,
  sets: readonly OpenedSet[],
  options: { threads?: number | undefined; signal?: AbortSignal | undefined } = {},
): Promise<EvaluationResult> {
  const { threads, signal } = options;
  const clip = await loadClip(folder, {
    load: 'fast-start',
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    const measurements: Measurement[] = [];
    const firsts: number[] = [];
    for (const { dataset, config } of sets) {
      const { templates, language, labelsFile } = config;
      const result = await evaluate(clip, dataset, {
        language,
        ...(templates === undefined ? {} : { templates: templates as PromptTemplateSet | string[] }),
        ...(labelsFile === undefined ? {} : { labels: await readLabelsFile(labelsFile) }),
        ...(signal === undefined ? {} : { signal }),
      });
      measurements.push(...result.measurements);
      firsts.push(result.measurements[0]?.value ?? 0);
    }
    return { measurements, score: firsts.reduce((sum, value) => sum + value, 0) / firsts.length };
  } finally {
    await clip.close();
  }
}

/** The set with so many of its pictures, evenly spread: classes often lie one after the other. */
function evenly(dataset: Dataset, pictures: number): Dataset {
  const { size } = dataset;
  if (pictures >= size) return dataset;
  return {
    ...dataset,
    size: pictures,
    async *samples() {
      let at = 0;
      for await (const sample of dataset.samples()) {
        if (Math.floor(((at + 1) * pictures) / size) > Math.floor((at * pictures) / size)) yield sample;
        at++;
      }
    },
  };
}
