/**
 * Words of classes through the text tower now and then, for a loss that names one of so many that embedding all of them
 * in every step would cost more than the step.
 */
import { meanOfGroups, normalizeRows } from '../../clip/embeddings.ts';
import type { Engine, RuntimeTensor } from '../../engine/engine.ts';
import { normalize } from '../../graph/derived.ts';
import { input } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { textEncoder } from '../../models/clip.ts';
import { fillTemplate, promptTemplates } from '../../text/templates.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { Concept } from '../data/captions.ts';
import { openProgram } from '../step/program.ts';

/** What is to be embedded, and how often. */
export interface CachedClasses {
  /** The state that gets them. */
  state: string;
  sentences: readonly ClassSentence[];
  /** Classes. */
  count: number;
  tokenizer: Tokenizer;
  everySteps: number;
}

export interface ClassSentence {
  /** Index of the class. */
  owner: number;
  text: string;
}

/** Sentences that are embedded at once. */
export const sentencesAtOnce = 256;

/** Few, as all of them go through the tower: a class is asked for in these more than in others. */
const templates: Readonly<Partial<Record<string, readonly string[]>>> = {
  en: ['a photo of a {}.', 'a picture of a {}.', '{}'],
  de: promptTemplates.german.slice(0, 1),
};

/** The usual name of each class in every language of the training; synonyms are left to the captions. */
export function sentencesOfClasses(
  classes: readonly Concept[],
  languages: readonly string[],
): ClassSentence[] {
  return classes.flatMap(({ key, words }, owner) => {
    const spoken = languages.flatMap((language) =>
      (words[language] ?? [])
        .slice(0, 1)
        .flatMap((name) =>
          (templates[language] ?? promptTemplates.none).map((template) => fillTemplate(template, name)),
        ),
    );
    return (spoken.length > 0 ? spoken : [key]).map((text) => ({ owner, text }));
  });
}

/** The program that embeds sentences: `tokens` [rows, length] → `embedded` [rows, embeddingSize], unit vectors. */
export function sentenceProgram(architecture: ClipArchitecture, rows: number): { embedded: Value } {
  const tokens = input('tokens', [rows, architecture.text.contextLength], 'int64');
  return { embedded: normalize(textEncoder(architecture, tokens)) };
}

export interface ClassCache {
  /** The parameters of the text tower that it reads. */
  readonly reads: readonly string[];
  /** Whether the words are embedded before this step, counted from 1. The first is one. */
  isDue(step: number): boolean;
  /**
   * The state that a step compares pictures with: the mean of each class's sentences, as unit vectors.
   * @param textTower what `reads` names
   */
  embed(textTower: Readonly<Record<string, RuntimeTensor>>): Promise<Record<string, RuntimeTensor>>;
}

/** @throws EidosError `engine_failed` */
export async function openClassCache(
  engine: Engine,
  architecture: ClipArchitecture,
  { state, sentences, count, tokenizer, everySteps }: CachedClasses,
): Promise<ClassCache> {
  const length = architecture.text.contextLength;
  const rows = Math.min(sentencesAtOnce, sentences.length);
  const { session, inputs } = await openProgram(engine, sentenceProgram(architecture, rows));
  const tokens = tokenizer.tokenize(sentences.map(({ text }) => text)).data;
  const owners = sentences.map(({ owner }) => owner);
  return {
    reads: [...inputs.keys()].filter((name) => name !== 'tokens'),
    isDue: (step) => (step - 1) % everySteps === 0,
    async embed(textTower) {
      await session.setState(textTower);
      const width = architecture.embeddingSize;
      const all = new Float32Array(sentences.length * width);
      for (let first = 0; first < sentences.length; first += rows) {
        // The program has one size: the last piece is filled up with zeros, whose rows are left out.
        const piece = new BigInt64Array(rows * length);
        piece.set(tokens.subarray(first * length, (first + rows) * length));
        const outputs = await session.run(
          { tokens: { type: 'int64', data: piece, shape: [rows, length] } },
          { fetches: ['embedded'] },
        );
        const made = outputs.embedded!.data as Float32Array;
        all.set(made.subarray(0, all.length - first * width), first * width);
      }
      const { data, shape } = normalizeRows(
        meanOfGroups({ data: all, shape: [sentences.length, width] }, owners, count),
      );
      return { [state]: { type: 'float32', data, shape } };
    },
  };
}
