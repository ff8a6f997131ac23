/** The vocabulary of a training: learned from everything that may be said of its pictures. */
import { exists } from '../../disk/exists.ts';
import { EidosError } from '../../errors.ts';
import { fillTemplate, promptTemplates, resolveTemplates } from '../../text/templates.ts';
import { createWordCounts, type TrainedVocabulary, vocabularyOfWords } from '../../text/train-vocabulary.ts';
import type { Concept, Description } from './captions.ts';
import type { CaptionsConfig } from './config.ts';
import { textsIn } from './sentences/text-list.ts';
import { hasJsonLines, textLines } from './text-lines.ts';
import type { TrainingData } from './training-data.ts';

/** A name counts a few times, or the captions' everyday words would leave no token to the rare ones. */
const timesOfName = 3;
/** Templates stand around every name, so their words are as frequent as any. */
const timesOfTemplate = 20;

/**
 * Learns byte pairs from the data's captions, names and descriptions, from its sentences without pictures, and from more
 * texts where they are named.
 * @throws EidosError `not_found`, `invalid_option`
 */
export async function learnTokenizer(
  data: TrainingData,
  { size, contextLength, texts }: { size: number; contextLength: number; texts: readonly string[] },
): Promise<TrainedVocabulary> {
  const words = createWordCounts();
  for (const sentence of wordsOf(data)) words.add(sentence);
  for (const file of data.sentences) for (const sentence of textsIn(file.texts)) words.add(sentence);
  for await (const sentence of readTexts(texts)) words.add(sentence);
  return vocabularyOfWords(words.counts, { size, contextLength });
}

/** Every sentence that may be said of a picture of the data, captions once, names and templates as often as they weigh. */
export function wordsOf({ sources, config }: TrainingData): string[] {
  const sentences: string[] = [];
  const classes = new Set<Description>();
  const concepts = new Set<Concept>();
  for (const { description } of sources.flatMap(({ pictures }) => pictures)) {
    for (const own of Object.values(description.captions)) sentences.push(...(own ?? []));
    if (description.concepts.length > 0) classes.add(description);
    for (const concept of description.concepts) concepts.add(concept);
  }
  for (const { features, sentences: about } of classes) sentences.push(...features, ...about);
  for (const { words } of concepts) {
    const names = Object.values(words).flatMap((all) => all ?? []);
    for (let time = 0; time < timesOfName; time++) sentences.push(...names);
  }
  if (concepts.size > 0) {
    const around = templatesOf(config.captions).map((template) => fillTemplate(template, ''));
    for (let time = 0; time < timesOfTemplate; time++) sentences.push(...around);
  }
  return sentences;
}

/** The configured templates, and those that users ask with. */
function templatesOf({ templates }: CaptionsConfig): string[] {
  const configured = Object.values(templates).flatMap((given) => resolveTemplates(given!));
  return [...configured, ...Object.values(promptTemplates).flat()];
}

/** A sentence a line, or a column where the file is a table or JSON lines; lines in broken encodings are passed over. */
async function* readTexts(paths: readonly string[]): AsyncGenerator<string> {
  for (const path of paths) {
    if (!(await exists(path))) {
      throw new EidosError('not_found', `tokenizer.train.texts names ${path}, and there is no such file.`);
    }
    const isJson = hasJsonLines(path);
    for await (const { number, text } of textLines(path)) {
      if (text === undefined || text.trim() === '') continue;
      yield* isJson ? stringsIn(text, `${path}, line ${number}`) : text.split('\t');
    }
  }
}

/** All texts of an object's fields. */
function stringsIn(line: string, place: string): string[] {
  try {
    return Object.values(JSON.parse(line) as object)
      .flat()
      .filter((value): value is string => typeof value === 'string');
  } catch (cause) {
    throw new EidosError('invalid_option', `${place} is no JSON: ${(cause as Error).message}.`, { cause });
  }
}
