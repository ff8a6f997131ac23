/** `data.sentences` and `data.textTeacher` of a training's configuration: sentences without pictures, and who knows them. */
import { resolve } from 'node:path';
import { z } from 'zod';

const path = z.string().min(1);
const language = z.string().regex(/^[a-z]{2,3}$/, 'must be a code of a language such as "en"');

/** One file of sentences. */
export const sentenceSourceSchema = z.strictObject({
  /**
   * A sentence a line (`.txt`), sentences of the same meaning in columns (`.tsv`), or JSON lines of
   * `{ "en": "…" | ["…", …], "de": … }` or of plain strings (`.jsonl`); each also as `.gz`.
   */
  path,
  /** How often its sentences are drawn, beside the weights of the other files. @default 1 */
  weight: z.number().nonnegative().default(1),
  /** The languages of a table's columns in their order, or the fields of JSON lines that are read. @default ["en"] */
  languages: z
    .array(language)
    .min(1)
    .refine((all) => new Set(all).size === all.length, 'names a language twice')
    .default(['en']),
  /** The part of JSON lines with a field `split`, or `all`. @default their part for training; all where they have none */
  split: z.string().optional(),
  /**
   * A row of the teacher's for each sentence of the file: 16-bit floats without a header [sentences, width], or `.npy`
   * with 16- or 32-bit floats. With `false` the teacher has nothing to say of it. @default what textTeacher.command says
   */
  vectors: z.union([path, z.literal(false)]).optional(),
});

/** A net that reads: its vectors say which sentences mean the same. */
export const textTeacherSchema = z.strictObject({
  /**
   * A program that is asked about sentences for which no file is named: a JSON string a line comes in, a row of `width`
   * 32-bit floats (little-endian) a sentence goes out. What it said is kept.
   */
  command: z.array(z.string().min(1)).min(1).optional(),
  /** Where the command runs. @default the folder of the configuration's file */
  folder: path.optional(),
  /** Numbers a vector; another number is an error. Needed for a command and for files without a header. */
  width: z.int().positive().optional(),
  /** Where the command's vectors are kept. @default `sentences` below the data's cache */
  cache: path.optional(),
});

export type SentenceSourceConfig = z.infer<typeof sentenceSourceSchema>;
export type TextTeacherConfig = z.infer<typeof textTeacherSchema>;

interface SentencePaths {
  sentences: SentenceSourceConfig[];
  textTeacher?: TextTeacherConfig | undefined;
}

/** The same with every path made absolute. */
export function resolveSentencePaths(
  { sentences, textTeacher }: SentencePaths,
  folder: string,
): SentencePaths {
  const at = (name: string): string => resolve(folder, name);
  return {
    sentences: sentences.map((source) => ({
      ...source,
      path: at(source.path),
      ...(typeof source.vectors === 'string' ? { vectors: at(source.vectors) } : {}),
    })),
    ...(textTeacher === undefined
      ? {}
      : {
          textTeacher: {
            ...textTeacher,
            ...(textTeacher.command === undefined ? {} : { folder: at(textTeacher.folder ?? '.') }),
            ...(textTeacher.cache === undefined ? {} : { cache: at(textTeacher.cache) }),
          },
        }),
  };
}
