/**
 * What goes over the wire: every request and every answer of the server. The server validates by these schemas, the
 * OpenAPI document is made from them, and the client takes its types from here.
 */
import { z } from 'zod';
import { type PromptTemplateSet, promptTemplates } from '../text/templates.ts';
import { pictureMeant, remedies } from './pictures/meant.ts';

/** A picture in JSON: `data:image/jpeg;base64,…`, or an http(s) URL where the server was started with URLs allowed. */
const pictureText = z
  .string()
  .regex(/^(data:|https?:\/\/)/i, 'must be a data URI (data:image/jpeg;base64,…) or an http(s) URL')
  .meta({
    description: 'A picture: a data URI, or an http(s) URL where the server allows URLs.',
    example: 'data:image/png;base64,iVBORw0KGgo…',
  });

/** A member of a JSON body that may be left out, or be null, as many clients write what is left out. */
const optional = <S extends z.ZodType>(schema: S) =>
  schema.nullish().transform((value): z.output<S> | undefined => value ?? undefined);

/** The same with what holds in its place. */
const withDefault = <S extends z.ZodType>(schema: S, value: z.output<S>) =>
  schema
    .nullish()
    .transform((given): z.output<S> => given ?? value)
    .meta({ default: value });

/** Longer sentences are no sentences: the context of a text encoder ends after some 60 words. */
export const longestText = 10_000;

const sentence = z
  .string()
  .trim()
  .min(1)
  .max(longestText)
  .refine((text) => pictureMeant(text) === undefined, {
    error: ({ input }) => remedies[pictureMeant(input as string)!],
  });
const pictureId = z
  .string()
  .regex(/^[\w-]{1,128}$/, 'must be the id of a picture, as search gives it')
  .meta({ description: 'The id of a picture in the index.', example: '5b2c0f0e9a' });

const similarity = z.number().meta({ description: 'Cosine of the angle between two embeddings, −1 to 1.' });

// ── Problems ────────────────────────────────────────────────────────────────────────────────────────────────────

/** RFC 9457, with the library's code and, for requests that do not fit their schema, what is wrong where. */
export const problem = z
  .object({
    type: z.string().meta({ description: 'Where the kind of problem is explained.' }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string().meta({ description: 'Names this one answer; the log has the same name.' }),
    code: z.string().meta({ description: 'Stays the same across versions.', example: 'invalid_option' }),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' });

const failure = z.object({ code: z.string(), message: z.string() }).meta({ id: 'Failure' });

// ── Embeddings, in the shape that OpenAI's clients speak ────────────────────────────────────────────────────────

/** Texts and pictures in one request. */
export const mostInputs = 2048;

const embeddingInput = z.string().regex(/\S/, 'must have a word in it').meta({
  description: 'A text, or a picture as a data URI (data:image/…).',
  example: 'a photo of a dog',
});

/** Forms of OpenAI's clients that are not taken here, and what to send instead. */
function whyNoInput(input: unknown): string | undefined {
  const [first] = [input].flat(2) as unknown[];
  if (input === undefined || input === null)
    return 'is needed: a text, a picture as a data URI, or a list of them';
  if (typeof first === 'number') {
    return 'is made of token ids, which belong to the vocabulary of another model: send the texts themselves';
  }
  if (typeof first === 'object' && first !== null) {
    return 'is a list of objects: a picture is a data URI (data:image/jpeg;base64,…) where a text would stand';
  }
  return `is a text, or a list of 1 to ${mostInputs} texts, none of them empty`;
}

export const embeddingsRequest = z
  .strictObject({
    input: z.union([embeddingInput, z.array(embeddingInput).min(1).max(mostInputs)], {
      error: ({ input }) => whyNoInput(input),
    }),
    model: optional(z.string().min(1).meta({ description: 'The model that is served, or nothing.' })),
    encoding_format: withDefault(
      z.enum(['float', 'base64']).meta({
        description: 'base64: the float32 numbers as they lie in memory, little end first.',
      }),
      'float',
    ),
    dimensions: optional(
      z.int().min(1).max(65_536).meta({
        description: 'The length of the embeddings; other lengths than that of the model are refused.',
      }),
    ),
    user: optional(z.string().max(512).meta({ description: 'Taken and not looked at.' })),
  })
  .meta({ id: 'EmbeddingsRequest' });

export const embeddingsAnswer = z
  .object({
    object: z.literal('list'),
    model: z.string(),
    data: z.array(
      z.object({
        object: z.literal('embedding'),
        index: z.int(),
        embedding: z.union([z.array(z.number()), z.string()]),
      }),
    ),
    usage: z.object({
      prompt_tokens: z.int().meta({ description: 'Tokens of the texts; pictures have none.' }),
      total_tokens: z.int(),
    }),
  })
  .meta({ id: 'Embeddings' });

// ── Classification ──────────────────────────────────────────────────────────────────────────────────────────────

const templateSet = z.enum(Object.keys(promptTemplates) as [PromptTemplateSet, ...PromptTemplateSet[]]);
const labels = z
  .array(sentence)
  .min(1)
  .max(1000)
  .meta({ example: ['a dog', 'a cat'] });
const templates = z
  .union([templateSet, z.array(sentence).min(1).max(100)])
  .meta({ description: 'Sentences with {} for the label, or a published set of them.' });
const topK = (most: number) => z.int().min(1).max(most);

export const classifyRequest = z
  .strictObject({
    images: z.array(pictureText).min(1).max(256),
    labels,
    templates: optional(templates),
    topK: optional(topK(1000).meta({ description: 'How many labels a picture gets; all without it.' })),
  })
  .meta({ id: 'ClassifyRequest' });

/** The same as a form: `image` and `label` as often as needed. */
export const classifyForm = z
  .strictObject({
    image: z
      .union([z.file(), z.array(z.file()).min(1).max(256)])
      .meta({ description: 'Picture files.', type: 'array', items: { type: 'string', format: 'binary' } }),
    label: z.union([sentence, labels]),
    template: z.union([sentence, z.array(sentence).min(1).max(100)]).optional(),
    templates: templateSet.optional(),
    topK: z
      .string()
      .regex(/^[1-9]\d{0,3}$/, 'must be a whole number from 1 to 1000')
      .transform(Number)
      .pipe(topK(1000))
      .optional(),
  })
  .meta({ id: 'ClassifyForm' });

const labelScore = z.object({
  label: z.string(),
  probability: z.number().meta({ description: 'Among these labels they sum to one (softmax models).' }),
  similarity,
});

const classification = z.object({
  image: z.string().meta({ description: 'The name of the file, or “picture 0”, counted from 0.' }),
  results: z.array(labelScore).optional().meta({ description: 'The likeliest label first.' }),
  error: failure.optional().meta({ description: 'In place of results where the picture cannot be read.' }),
});

export const classifyAnswer = z
  .object({ model: z.string(), answers: z.array(classification) })
  .meta({ id: 'Classifications' });

// ── Search ──────────────────────────────────────────────────────────────────────────────────────────────────────

const moment = z
  .string()
  .regex(
    /^\d{4}(-\d{2}(-\d{2}(T[\d:.]{5,18}(Z|[+-]\d{2}:\d{2})?)?)?)?$/,
    'must be a date like 2024, 2024-05 or 2024-05-31',
  )
  .refine((text) => !Number.isNaN(Date.parse(text)), 'must be a date that exists')
  .meta({
    description: 'When a picture was taken: a year, a month, a day, or ISO 8601.',
    example: '2024-07',
  });

const orientation = z.enum(['landscape', 'portrait', 'square']);

const textFilters = {
  path: z.string().min(1).max(4096).meta({
    description: 'A folder, or a pattern with * and **, of paths.',
    example: '**/holiday/**',
  }),
  after: moment,
  before: moment,
  orientation,
  camera: z.string().min(1).max(200).meta({ description: 'Part of the camera’s make or model.' }),
};

const numberFilters = ['minWidth', 'maxWidth', 'minHeight', 'maxHeight', 'minBytes', 'maxBytes'] as const;

/** The same schema under every name. */
function each<K extends string, S>(names: readonly K[], schema: S): { [Name in K]: S } {
  return Object.fromEntries(names.map((name) => [name, schema])) as { [Name in K]: S };
}

const count = z.int().min(0);

/** Members of a JSON body, each of which may be left out. */
function eachOptional<Shape extends Record<string, z.ZodType>>(shape: Shape) {
  return Object.fromEntries(Object.entries(shape).map(([name, schema]) => [name, optional(schema)])) as {
    [Name in keyof Shape]: ReturnType<typeof optional<Shape[Name]>>;
  };
}

/** All that are given must hold; they change no probability. */
export const searchFilters = z
  .strictObject(eachOptional({ ...textFilters, ...each(numberFilters, count) }))
  .meta({ id: 'SearchFilters' });

const probability = z.number().min(0).max(1);

const weight = z.number().min(-100).max(100);

const queryPart = z
  .strictObject({
    text: optional(sentence),
    image: optional(pictureText),
    picture: optional(pictureId),
    weight: withDefault(weight.meta({ description: 'Negative: away from it.' }), 1),
  })
  .refine(
    ({ text, image, picture }) => [text, image, picture].filter((part) => part !== undefined).length === 1,
    'a part has exactly one of text, image and picture',
  )
  .meta({ id: 'QueryPart' });

/** Hits in one answer, and how far one may page. */
export const mostHits = 1000;
const furthestOffset = 10_000_000;

const collapses = 'Shows copies of one picture as one hit, with the others in its `copies`.';

export const searchRequest = z
  .strictObject({
    q: optional(
      sentence.meta({
        description: 'Words, in the syntax of the command line: +beach -people +2:golden retriever.',
        example: 'a dog in the snow',
      }),
    ),
    image: optional(pictureText.meta({ description: 'A picture to look for: a data URI.' })),
    picture: optional(pictureId),
    parts: optional(z.array(queryPart).min(1).max(32)),
    filters: optional(searchFilters),
    topK: withDefault(topK(mostHits), 50),
    offset: withDefault(z.int().min(0).max(furthestOffset), 0),
    cutOff: optional(
      z.union([probability, z.literal(false)]).meta({
        description: 'The smallest probability of a hit; false for the nearest, however little they fit.',
      }),
    ),
    hybrid: optional(z.boolean().meta({ description: 'Lets file names and captions count.' })),
    collapse: optional(z.boolean().meta({ description: collapses })),
  })
  .refine(
    ({ q, image, picture, parts }) => [q, image, picture, parts].some((part) => part !== undefined),
    'there is nothing to look for: give q, image, picture or parts',
  )
  .meta({ id: 'SearchRequest' });

// Numbers as they stand in a query string.
const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.int().min(least).max(most))
    .meta({ type: 'integer', minimum: least, maximum: most });
const paging = {
  topK: wholeNumber(1, mostHits).optional(),
  offset: wholeNumber(0, furthestOffset).optional(),
};
const filterParameters = {
  path: textFilters.path.optional(),
  after: moment.optional(),
  before: moment.optional(),
  orientation: orientation.optional(),
  camera: textFilters.camera.optional(),
  ...each(numberFilters, wholeNumber(0, 1e15 - 1).optional()),
};
const cutOffParameter = z
  .string()
  .regex(/^(false|0(\.\d{1,9})?|1(\.0{1,9})?)$/, 'must be false or a number from 0 to 1')
  .transform((text) => (text === 'false' ? (false as const) : Number(text)))
  .optional()
  .meta({ type: 'string', pattern: '^(false|0(\\.\\d{1,9})?|1(\\.0{1,9})?)$' });

const flag = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .meta({ type: 'string', enum: ['true', 'false'] });

export const searchParameters = z.strictObject({
  q: sentence.meta({
    description: 'Words, in the syntax of the command line: +beach -people +2:golden retriever.',
    example: 'a dog in the snow',
  }),
  ...paging,
  cutOff: cutOffParameter,
  hybrid: flag.optional(),
  collapse: flag.optional().meta({ description: collapses }),
  ...filterParameters,
});

export const picture = z
  .object({
    id: pictureId,
    image: z.string().meta({ description: 'The path of its file.' }),
    bytes: count,
    width: count.meta({ description: 'In pixels, after turning by the camera’s note.' }),
    height: count,
    orientation,
    modifiedAt: z.string().meta({ description: 'Of the file, ISO 8601.' }),
    takenAt: z
      .string()
      .optional()
      .meta({ description: 'Local time of the camera, ISO 8601 without a zone.' }),
    camera: z.string().optional(),
    caption: z.string().optional(),
  })
  .meta({ id: 'Picture' });

const hit = picture
  .extend({
    similarity,
    probability: probability.meta({ description: 'How likely the picture fits the query, calibrated.' }),
    copies: z
      .array(picture)
      .optional()
      .meta({ description: 'The other copies of the picture, where they were collapsed.' }),
  })
  .meta({ id: 'Hit' });

export const searchAnswer = z
  .object({
    hits: z.array(hit).meta({ description: 'Best first.' }),
    total: count.meta({ description: 'All that pass filters and cut-off, of which `hits` is a page.' }),
    nothingFits: z.boolean().meta({ description: 'No picture of the index reaches the cut-off.' }),
    cutOff: probability.meta({ description: 'The smallest probability of a hit that was used.' }),
  })
  .meta({ id: 'SearchAnswer' });

// ── Pictures of the index ───────────────────────────────────────────────────────────────────────────────────────

export const pictureParameters = z.strictObject({ id: pictureId });

export const thumbnailParameters = z.strictObject({
  size: z
    .enum(['160', '320', '640', '1280'])
    .default('320')
    .meta({ description: 'The longer side, in pixels.' }),
});

export const browseParameters = z.strictObject({ ...paging, ...filterParameters });

export const browseAnswer = z
  .object({ pictures: z.array(picture).meta({ description: 'Newest first.' }), total: count })
  .meta({ id: 'Pictures' });

export const similarParameters = z.strictObject({
  ...paging,
  cutOff: cutOffParameter,
  collapse: flag.optional().meta({ description: collapses }),
  ...filterParameters,
});

export const keywordParameters = z.strictObject({
  topK: wholeNumber(1, 100).optional(),
  language: z.enum(['en', 'de']).optional(),
});

export const keywordsAnswer = z
  .object({
    keywords: z.array(
      z.object({
        keyword: z.string(),
        similarity,
        probability: z.number().meta({ description: 'Among the words of the vocabulary, not calibrated.' }),
      }),
    ),
  })
  .meta({ id: 'Keywords' });

// ── The index ───────────────────────────────────────────────────────────────────────────────────────────────────

const unreadableFile = z.object({ image: z.string(), error: failure });

export const indexAnswer = z
  .object({
    path: z.string().meta({ description: 'Where the index lies.' }),
    pictures: count,
    folders: z.array(z.string()).meta({ description: 'What a synchronisation looks through.' }),
    unreadable: z.array(unreadableFile).meta({ description: 'The first 1000 of them.' }),
    unreadableCount: count,
    model: z.object({ name: z.string(), fingerprint: z.string(), embeddingSize: count }),
    version: count.meta({ description: 'Rises with every change, and begins anew with another model.' }),
    bytes: count.optional(),
    changedAt: z.string().optional(),
    syncing: z.boolean(),
  })
  .meta({ id: 'Index' });

/** Data of the events `progress` of a synchronisation. */
export const syncProgress = z
  .object({ stage: z.enum(['scan', 'embed', 'finish']), done: count, total: count })
  .meta({ id: 'SyncProgress' });

/** Data of the event `done`; the other way to end is the event `error` with a problem. */
export const syncReport = z
  .object({
    added: count,
    changed: count,
    moved: count,
    removed: count,
    unchanged: count,
    unreadableCount: count,
    notRead: z
      .record(z.string(), count)
      .meta({ description: 'Files whose formats are not read, by what the format is called.' }),
    pictures: count,
    seconds: z.number(),
  })
  .meta({ id: 'SyncReport' });

// ── The server itself ───────────────────────────────────────────────────────────────────────────────────────────

export const modelAnswer = z
  .object({
    id: z.string(),
    object: z.literal('model'),
    created: z.int().meta({ description: 'When this server opened it, in seconds since 1970.' }),
    owned_by: z.string(),
    embedding_size: z.int(),
    image_size: z.union([z.int(), z.array(z.int()).length(2)]).meta({
      description: 'The side of the square in pixels; height and width where it is none.',
    }),
    context_length: z.int(),
    device: z.string(),
    dtype: z.string(),
    fingerprint: z.string(),
  })
  .meta({ id: 'Model' });

export const modelsAnswer = z
  .object({ object: z.literal('list'), data: z.array(modelAnswer) })
  .meta({ id: 'Models' });

export const modelParameters = z.strictObject({
  id: z
    .string()
    .min(1)
    .meta({ description: 'Of the model; slashes may stand plainly or as %2F.', example: 'eidos-small' }),
});

export const sessionRequest = z
  .strictObject({ apiKey: z.string().min(1).max(1024) })
  .meta({ id: 'SessionRequest' });

export const healthAnswer = z.object({ status: z.literal('ok') }).meta({ id: 'Health' });

export const readyAnswer = z
  .object({
    status: z.enum(['ready', 'not ready']),
    model: z.boolean(),
    index: z.boolean().optional().meta({ description: 'Absent where the server has no index.' }),
    shuttingDown: z.boolean(),
  })
  .meta({ id: 'Readiness' });

/** What a client written in TypeScript gives: what is left out is left out. */
type Given<T> = { [Member in keyof T]: Exclude<T[Member], null> };

export type Problem = z.output<typeof problem>;
export type EmbeddingsAnswer = z.output<typeof embeddingsAnswer>;
export type ClassifyRequest = Given<z.input<typeof classifyRequest>>;
export type ClassifyAnswer = z.output<typeof classifyAnswer>;
export type SearchFilters = Given<z.input<typeof searchFilters>>;
export type SearchRequest = Given<z.input<typeof searchRequest>>;
export type SearchAnswer = z.output<typeof searchAnswer>;
export type Hit = z.output<typeof hit>;
export type Picture = z.output<typeof picture>;
export type ThumbnailSize = z.input<typeof thumbnailParameters>['size'];
export type BrowseAnswer = z.output<typeof browseAnswer>;
export type KeywordsAnswer = z.output<typeof keywordsAnswer>;
export type IndexAnswer = z.output<typeof indexAnswer>;
export type SyncProgress = z.output<typeof syncProgress>;
export type SyncReport = z.output<typeof syncReport>;
export type ModelsAnswer = z.output<typeof modelsAnswer>;
export type ReadyAnswer = z.output<typeof readyAnswer>;
