/** The `data` and `tokenizer` parts of a training's configuration: sources, their words, views of pictures, a teacher. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { hardBatchesSchema } from './hard/config.ts';
import { resolveSentencePaths, sentenceSourceSchema, textTeacherSchema } from './sentences/config.ts';

/** How a source may lie on disk. */
export const dataForms = [
  'index_file',
  'tile_sheets',
  'class_folders',
  'tar_shards',
  'caption_files',
  'table',
] as const;
export type DataForm = (typeof dataForms)[number];

const share = z.number().min(0).max(1);
const weight = z.number().nonnegative();
const path = z.string().min(1);
const language = z.string().regex(/^[a-z]{2,3}$/, 'must be a code of a language such as "en"');
const triple = z.tuple([z.number(), z.number(), z.number()]);
/** Two numbers, the smaller first. */
const range = (lowest: number, highest: number) =>
  z
    .tuple([z.number().min(lowest).max(highest), z.number().min(lowest).max(highest)])
    .refine(([from, to]) => from <= to, 'must give the smaller number first');

/** Where the words for classes stand, see names.ts. */
const namesSchema = z.union([
  path,
  z.strictObject({
    /** `label<TAB>words`, or JSON lines or a JSON list of `{ label | wnid, en, de, wordnet }`; `.gz` is unpacked. */
    file: path,
    /** For a JSON object of lists: which of them. */
    set: z.string().optional(),
    /** The language of a `label<TAB>words` file. @default 'en' */
    language: language.default('en'),
  }),
]);

const columnsSchema = z.strictObject({
  /**
   * The column with the picture's path. @default the first of `file`, `path`, `image`, `picture`, `filename`,
   * `file_name`, `filepath`, `url` that is there
   */
  file: z.string().optional(),
  /**
   * Columns with captions, by language. @default the language's code, for English also `caption`, `captions`, `text`,
   * `title`
   */
  captions: z.partialRecord(language, z.string()).optional(),
  /** @default the first of `label`, `class`, `wnid` that is there */
  label: z.string().optional(),
  /** @default `split` */
  split: z.string().optional(),
});

/** One source of pictures with words. */
export const sourceSchema = z.strictObject({
  /** A folder, a file, or a pattern of tar shards such as `shards/part-{000..015}.tar`; also several. */
  path: z.union([path, z.array(path).min(1)]),
  /** What it is called in messages, and its packed pictures in the cache. @default the last part of its path */
  name: z
    .string()
    .regex(/^[\w.-]+$/, 'may have letters, digits, "_", "-" and "."')
    .optional(),
  /** @default recognised from what is there */
  form: z.enum(dataForms).optional(),
  /** The part of the set to train on, or `all`. @default its part for training; all where it has no parts */
  split: z.string().optional(),
  /** How often its pictures are drawn, beside the weights of the others. @default 1 */
  weight: weight.default(1),
  /**
   * What is said of a picture that has captions and a class.
   * @default captions where it has any, otherwise its class
   */
  words: z.enum(['captions', 'classes', 'both']).optional(),
  /** What its classes are called. @default its own names, in English */
  names: namesSchema.optional(),
  /** Visual features and sentences of classes: JSON lines of `{ label | wnid, descriptors, sentences }`. */
  descriptions: path.optional(),
  /** What classes are kinds of: `imagenet` for the built-in table, or a file, see kinds.ts. */
  kinds: z.union([z.literal('imagenet'), path]).optional(),
  /** Names of the columns of a table. */
  columns: columnsSchema.optional(),
  /**
   * The teacher's features measured elsewhere: bytes [pictures of the index or table, of every part, features], value =
   * 6·(byte/255)². With `false` the teacher has nothing to say of this source. @default what teacher.model measures
   */
  features: z.union([path, z.literal(false)]).optional(),
});

/** What is said of a picture when it is drawn. */
export const captionsSchema = z.strictObject({
  /** How often each language is spoken, where a picture has words in several. @default { en: 0.75, de: 0.25 } */
  languages: z
    .partialRecord(language, weight)
    .refine(
      (all) => Object.values(all).some((one) => (one ?? 0) > 0),
      'needs a language with a weight above 0',
    )
    .default({ en: 0.75, de: 0.25 }),
  /** Share of captions of a class that name what it is a kind of. @default 0.4 */
  kinds: share.default(0.4),
  /** Share of captions of a class with a visual feature or a describing sentence. @default 0.12 */
  descriptions: share.default(0.12),
  /** Share of captions that join two of the picture's own sentences. @default 0 */
  joined: share.default(0),
  /** Templates by language: the name of a set, or templates. @default OpenAI's for English, German ones for German */
  templates: z.partialRecord(language, z.union([z.string(), z.array(z.string()).min(1)])).default({}),
});

/** How the view of a picture that the network gets differs from the picture. */
export const augmentationSchema = z.strictObject({
  /** Share of the picture's area that a crop keeps. @default [0.4, 1] */
  area: range(0.01, 1).default([0.4, 1]),
  /** Longest proportion of a crop's sides. @default 4/3 */
  proportion: z
    .number()
    .min(1)
    .max(4)
    .default(4 / 3),
  /** Share of mirrored pictures. @default 0.5 */
  flip: share.default(0.5),
  /** How far brightness, contrast and saturation may go from 1. @default 0.25 */
  colour: share.default(0.25),
  /** Share of grey pictures. @default 0.05 */
  grey: share.default(0.05),
  /** Share of pictures that first lose detail. @default 0.25 */
  coarse: share.default(0.25),
  /** The fewest and the most pixels a side of such a picture. @default [24, 64] */
  coarseSide: z
    .tuple([z.int().min(2), z.int().min(2)])
    .refine(([from, to]) => from <= to, 'must give the smaller number first')
    .default([24, 64]),
  /** Share of pictures that are shrunk and lie anywhere on a plain ground, as things smaller than the frame do. @default 0 */
  shrink: share.default(0),
  /** Shares of the view's side that such a picture has at least and at most. @default [0.3, 0.7] */
  shrinkSide: range(0.05, 1).default([0.3, 0.7]),
  /** Share of pictures that become line drawings, see drawing.ts. @default 0 */
  drawing: share.default(0),
  /** Share of pictures in which a rectangle is covered. @default 0 */
  cutOut: share.default(0),
  /** Share of the view's area that is covered. @default [0.05, 0.25] */
  cutOutArea: range(0, 1).default([0.05, 0.25]),
});

/** The net whose features the image tower has to foretell. */
export const teacherSchema = z.strictObject({
  /** An ONNX file, or the folder of a CLIP model. @default none; then every source names its `features` */
  model: path.optional(),
  /** Where its features are kept. @default `teacher` below the data's cache */
  cache: path.optional(),
  /** Fixed random crops of each picture whose features are measured besides the whole. @default 0 */
  crops: z.int().min(0).max(64).default(0),
  /** Share of the picture's area that such a crop keeps. @default [0.25, 0.8] */
  cropArea: range(0.05, 1).default([0.25, 0.8]),
  /** Features a picture that are expected; another number is an error. Needed where there is no model. */
  width: z.int().positive().optional(),
  /** ONNX: the input for pixels. @default its only input with four dimensions */
  input: z.string().optional(),
  /** ONNX: the output with a row of features a picture. @default `features`, `embeddings`, …, else its only output */
  output: z.string().optional(),
  /** ONNX: side of the square that it sees. @default what the model says; else 192, for tiles twice theirs and 224 at most */
  size: z.int().min(8).max(1024).optional(),
  /** ONNX: per channel, of values between 0 and 1: (value − mean) / deviation. @default [0.5, 0.5, 0.5] */
  mean: triple.default([0.5, 0.5, 0.5]),
  deviation: triple.default([0.5, 0.5, 0.5]),
  /** Pictures that it sees at once. @default 16 */
  batch: z.int().min(1).max(1024).default(16),
  /**
   * Whether the square roots of features are compared, which keeps a few strong ones from deciding alone.
   * @default true for ONNX files, false for CLIP models
   */
  root: z.boolean().optional(),
  /** Whether the features' mean is taken away first. @default true for ONNX files, false for CLIP models */
  centre: z.boolean().optional(),
});

/** Everything that training reads. */
export const dataSchema = z.strictObject({
  /** Pictures with words. @default none; then all that is learned is text, from `sentences` */
  sources: z.array(sourceSchema).default([]),
  captions: captionsSchema.prefault({}),
  augmentation: augmentationSchema.prefault({}),
  /**
   * A folder for decoded pictures, so that no epoch decodes again: faster, and 37 kB a picture at 112 pixels.
   * @default none; pictures are decoded when they are drawn
   */
  cache: path.optional(),
  /** Side of the squares kept in the cache. @default a little more than what the network sees */
  cacheSide: z.int().min(8).max(1024).optional(),
  /** Share of pictures that may be broken before training stops. @default 0.01 */
  maxBrokenShare: share.default(0.01),
  teacher: teacherSchema.optional(),
  /** Batches in which pictures are near one another. @default none; pictures come together by chance */
  hardBatches: hardBatchesSchema.optional(),
  /** Sentences without pictures, for the parts of a loss that are about text alone. @default none */
  sentences: z.array(sentenceSourceSchema).default([]),
  /** The net whose vectors of these sentences the text tower has to foretell. */
  textTeacher: textTeacherSchema.optional(),
});

/** A vocabulary of its own, or that of a folder. */
export const tokenizerSchema = z.union([
  z.strictObject({
    train: z.strictObject({
      /** Tokens wanted. @default 8192 */
      size: z.int().min(514).max(100_000).default(8192),
      /** Tokens a sentence, start and end included. @default 32 */
      contextLength: z.int().min(3).max(1024).default(32),
      /** More sentences to learn from: text files with one a line; `.gz` is unpacked, columns of `.tsv` count alike. */
      texts: z.array(path).default([]),
    }),
  }),
  z.strictObject({
    /** A folder with `tokenizer.json`, or with `vocab.json` and `merges.txt`. */
    from: path,
  }),
]);

export type DataConfig = z.infer<typeof dataSchema>;
export type SourceConfig = z.infer<typeof sourceSchema>;
export type CaptionsConfig = z.infer<typeof captionsSchema>;
export type AugmentationConfig = z.infer<typeof augmentationSchema>;
export type TeacherConfig = z.infer<typeof teacherSchema>;
export type NamesConfig = z.infer<typeof namesSchema>;
export type ColumnsConfig = z.infer<typeof columnsSchema>;
export type TokenizerConfig = z.infer<typeof tokenizerSchema>;

/** The same with every path made absolute: relative ones begin at the folder of the configuration's file. */
export function resolveDataPaths(config: DataConfig, folder: string): DataConfig {
  const at = (name: string): string => resolve(folder, name);
  const defined = <Key extends string>(key: Key, value: string | undefined) =>
    (value === undefined ? {} : { [key]: at(value) }) as Partial<Record<Key, string>>;
  return {
    ...config,
    ...resolveSentencePaths(config, folder),
    ...defined('cache', config.cache),
    ...(config.teacher === undefined
      ? {}
      : {
          teacher: {
            ...config.teacher,
            ...defined('model', config.teacher.model),
            ...defined('cache', config.teacher.cache),
          },
        }),
    sources: config.sources.map((source) => ({
      ...source,
      path: typeof source.path === 'string' ? at(source.path) : source.path.map(at),
      ...defined('descriptions', source.descriptions),
      ...(typeof source.features === 'string' ? { features: at(source.features) } : {}),
      ...(source.kinds === undefined || source.kinds === 'imagenet' ? {} : { kinds: at(source.kinds) }),
      ...(source.names === undefined
        ? {}
        : {
            names:
              typeof source.names === 'string'
                ? at(source.names)
                : { ...source.names, file: at(source.names.file) },
          }),
    })),
  };
}

/** The same for the tokenizer's part. */
export function resolveTokenizerPaths(config: TokenizerConfig, folder: string): TokenizerConfig {
  if ('from' in config) return { from: resolve(folder, config.from) };
  return { train: { ...config.train, texts: config.train.texts.map((text) => resolve(folder, text)) } };
}
