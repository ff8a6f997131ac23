/** Zero-shot classifiers by their labels: embedded once, kept while people go on asking with them. */
import { EidosError } from '../errors.ts';
import { createZeroShotClassifier, type ZeroShotClassifier } from '../tasks/classify/classify.ts';
import { type PromptTemplateSet, resolveTemplates } from '../text/templates.ts';
import type { BatchingClip } from './batching/batching-clip.ts';

export type Templates = PromptTemplateSet | readonly string[];

/** In memory; each holds one vector a label. */
const mostKept = 64;
/** Sentences of one classifier, labels times templates: more take longer than a request may. */
const mostPrompts = 10_000;

/** @throws EidosError `invalid_option` for doubled labels, templates without a place for a label, too many of both */
export type Classifiers = (
  labels: readonly string[],
  templates: Templates | undefined,
  signal: AbortSignal,
) => Promise<ZeroShotClassifier>;

export function createClassifiers(clip: BatchingClip): Classifiers {
  const kept = new Map<string, ZeroShotClassifier>();
  return async (labels, templates, signal) => {
    const key = JSON.stringify([labels, templates]);
    const known = kept.get(key);
    kept.delete(key);
    const classifier = known ?? (await create(labels, templates, signal));
    kept.set(key, classifier);
    if (kept.size > mostKept) kept.delete(kept.keys().next().value!);
    return classifier;
  };

  function create(
    labels: readonly string[],
    templates: Templates | undefined,
    signal: AbortSignal,
  ): Promise<ZeroShotClassifier> {
    const sentences = templates === undefined ? 1 : resolveTemplates(templates).length;
    if (labels.length * sentences > mostPrompts) {
      throw new EidosError(
        'invalid_option',
        `${labels.length} labels in ${sentences} templates are ${labels.length * sentences} sentences, more than ${mostPrompts}: take fewer templates.`,
      );
    }
    // Labels come from strangers: they leave nothing on this machine's disk.
    return createZeroShotClassifier(clip.for(signal), labels, {
      classCache: false,
      ...(templates === undefined ? {} : { templates }),
    });
  }
}
