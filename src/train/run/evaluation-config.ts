/** `evaluation` of a training's configuration: the sets by which a model is judged while it learns. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { languages } from '../../evaluate/index.ts';

const evaluatedSetSchema = z.strictObject({
  /** Its folder, in a form that `eidos evaluate` reads. */
  dataset: z.string().min(1),
  /** @default its part for tests, else for validation, else all */
  split: z.string().optional(),
  /** Fields that pictures must have, such as `domain` → `photo`. */
  where: z.record(z.string(), z.string()).optional(),
  /** Sentences with {} for a class, or the name of a published set. @default a sentence */
  templates: z.union([z.string(), z.array(z.string()).min(1)]).optional(),
  language: z.enum(languages).default('en'),
  /** A file `name<TAB>words for it`. */
  labelsFile: z.string().optional(),
  /** Pictures that are looked at, evenly spread over the set. @default all */
  pictures: z.int().positive().optional(),
});

export const evaluationSchema = z.strictObject({
  /** Steps between two evaluations; there is one at the end, too. */
  everySteps: z.int().positive(),
  sets: z.array(evaluatedSetSchema).min(1),
});

export type EvaluatedSet = z.output<typeof evaluatedSetSchema>;
export type EvaluationConfig = z.output<typeof evaluationSchema>;

/** The same with every path made absolute. */
export function resolveEvaluationPaths(config: EvaluationConfig, folder: string): EvaluationConfig {
  return {
    ...config,
    sets: config.sets.map((set) => ({
      ...set,
      dataset: resolve(folder, set.dataset),
      ...(set.labelsFile === undefined ? {} : { labelsFile: resolve(folder, set.labelsFile) }),
    })),
  };
}
