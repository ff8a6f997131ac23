/**
 * Sentences that go through the text tower in a step: captions, words of classes, sentences without pictures. All go
 * through it at once, since a parameter is one node of a program.
 */
import { normalize } from '../../graph/derived.ts';
import { concat, slice } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { textEncoder } from '../../models/clip.ts';
import type { TowerHooks } from '../../models/layers/transformer.ts';
import type { LossConfig } from './config.ts';
import { embeddedNames } from './distillation.ts';
import type { Inputs } from './inputs.ts';

/** Rows of each group; 0 where a step has none. */
export interface TextRows {
  /** Captions of the pictures. */
  texts: number;
  /** Words of classes. */
  classes: number;
  /** Names of the classes of an image net's own classifier. */
  names: number;
  /** Sentences without pictures. */
  sentences: number;
  /** Sentences of pairs in two languages: the one side, then the other. */
  translations: number;
}

/** Their inputs, in the order in which they are joined. */
const inputs: Readonly<Record<keyof TextRows, string>> = {
  texts: 'tokens',
  classes: 'class_tokens',
  names: 'name_tokens',
  sentences: 'sentence_tokens',
  translations: 'translation_tokens',
};

export const noneBeside: Omit<TextRows, 'texts'> = { classes: 0, names: 0, sentences: 0, translations: 0 };

/** The groups beside captions that a loss asks for. */
export function rowsBeside(
  loss: LossConfig,
  embeddedClasses: number,
  names?: number | undefined,
): Omit<TextRows, 'texts'> {
  return {
    classes: embeddedClasses,
    names: embeddedNames(loss, names),
    sentences: sentencesOf(loss),
    translations: 2 * translationsOf(loss),
  };
}

/** Sentences without pictures in a step. */
export function sentencesOf({ sentences }: LossConfig): number {
  return (sentences?.weight ?? 0) > 0 ? sentences!.batch : 0;
}

/** Pairs of sentences in two languages in a step. */
export function translationsOf({ pairs }: LossConfig): number {
  return (pairs?.weight ?? 0) > 0 ? pairs!.batch : 0;
}

/** All that a step reads of text without pictures. */
export function textsAlone(loss: LossConfig): number {
  return sentencesOf(loss) + 2 * translationsOf(loss);
}

/** Whether a loss is about pictures, or pictures and captions, at all. */
export function readsPictures(loss: LossConfig): boolean {
  const { sentences: _, pairs: __, ...ofPictures } = loss;
  return Object.values(ofPictures).some((part) => (part?.weight ?? 0) > 0);
}

export function totalRows(rows: TextRows): number {
  return Object.values(rows).reduce((sum, count) => sum + count, 0);
}

/** Embeds `tokens` [texts, length] and so on: rows of unit length [rows, embeddingSize] of every group that has any. */
export function embedTexts(
  architecture: ClipArchitecture,
  input: Inputs,
  rows: TextRows,
  { textLength, ...hooks }: { textLength: number } & Pick<TowerHooks, 'branch' | 'dropout'>,
): Partial<Record<keyof TextRows, Value>> {
  const groups = (Object.keys(inputs) as (keyof TextRows)[]).filter((group) => rows[group] > 0);
  if (groups.length === 0) return {};
  const tokens = groups.map((group) => input(inputs[group], [rows[group], textLength], 'int64'));
  const joined = tokens.length === 1 ? tokens[0]! : concat(tokens, 0);
  const embedded = normalize(textEncoder(architecture, joined, hooks));
  if (groups.length === 1) return { [groups[0]!]: embedded };
  let end = 0;
  return Object.fromEntries(
    groups.map((group) => {
      const start = end;
      end += rows[group];
      return [group, slice(embedded, 0, start, end)];
    }),
  );
}
