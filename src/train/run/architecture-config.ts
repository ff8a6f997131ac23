/** `architecture` and `preprocessing` of a training's configuration: a model from scratch, with defaults of CLIP's kind. */
import { z } from 'zod';
import { EidosError } from '../../errors.ts';
import type {
  AveragingTextArchitecture,
  ClipArchitecture,
  TextArchitecture,
} from '../../models/architecture.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../models/preprocessing.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';

const count = z.int().positive();

/** Fields of a Transformer; heads of 64 numbers and an MLP of four times the width where nothing else is said. */
const transformer = {
  width: count,
  layers: count,
  heads: count.optional(),
  mlpWidth: count.optional(),
  activation: z.enum(['quick_gelu', 'gelu', 'gelu_tanh']).default('quick_gelu'),
  normEpsilon: z.number().positive().default(1e-5),
};

const projection = z.enum(['none', 'linear', 'linear_bias']).default('linear');

const vit = z.strictObject({
  kind: z.literal('vit'),
  imageSize: count,
  patchSize: count,
  ...transformer,
  patchBias: z.boolean().default(false),
  classToken: z.boolean().default(true),
  normBefore: z.boolean().default(true),
  normAfter: z.enum(['tokens', 'pooled', 'none']).default('pooled'),
  pool: z
    .union([z.strictObject({ kind: z.literal('class') }), z.strictObject({ kind: z.literal('average') })])
    .prefault({ kind: 'class' }),
  projection,
});

const resnet = z.strictObject({
  kind: z.literal('resnet'),
  imageSize: count,
  width: count,
  layers: z.tuple([count, count, count, count]),
  heads: count,
});

/** A number a stage; from stage to stage the sides of the maps are halved, so that eight are more than any picture has. */
const ofStages = z.array(count).min(1).max(8);

const basicResnet = z.strictObject({
  kind: z.literal('basic_resnet'),
  imageSize: count,
  patchSize: count,
  widths: ofStages,
  blocks: ofStages,
});

const kernelSide = count.refine((side) => side % 2 === 1, 'must be odd, so that a kernel has a middle');

const convnext = z.strictObject({
  kind: z.literal('convnext'),
  imageSize: count,
  patchSize: count,
  widths: ofStages,
  blocks: ofStages,
  kernelSize: kernelSide.default(7),
  activation: transformer.activation,
  normEpsilon: z.number().positive().default(1e-6),
});

const efficientnet = z.strictObject({
  kind: z.literal('efficientnet'),
  imageSize: count,
  stemWidth: count.default(32),
  stages: z
    .array(
      z.strictObject({
        kernelSize: kernelSide.max(31),
        stride: count.max(8),
        expansion: count.max(64),
        width: count,
        blocks: count.max(1024),
      }),
    )
    .min(1)
    .max(32),
  headWidth: count.default(1280),
  activation: z.literal('relu6').default('relu6'),
  normEpsilon: z.number().positive().default(1e-3),
  pool: z.enum(['average', 'average_max']).default('average'),
  projection: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('linear') }),
      z.strictObject({ kind: z.literal('perceptron'), hidden: count.default(1024) }),
    ])
    .default({ kind: 'linear' }),
});

const textTransformer = z.strictObject({
  kind: z.literal('transformer').optional(),
  ...transformer,
  causal: z.boolean().default(true),
  positions: z.enum(['learned', 'sinusoidal']).default('learned'),
  pool: z
    .union([z.strictObject({ kind: z.literal('end') }), z.strictObject({ kind: z.literal('last') })])
    .prefault({ kind: 'end' }),
  projection,
});

/** A size of n-grams with its width: `{ "size": 2, "width": 256 }`, or `[2, 256]` for short. */
const ngram = z.preprocess(
  (value) => (Array.isArray(value) && value.length === 2 ? { size: value[0], width: value[1] } : value),
  z.strictObject({ size: count.max(16), width: count }),
);

const averaging = z.strictObject({
  kind: z.literal('averaging'),
  width: count,
  ngrams: z
    .array(ngram)
    .max(8)
    .default([
      { size: 2, width: 256 },
      { size: 3, width: 256 },
    ]),
  hidden: count.default(512),
  layers: count.default(2),
  activation: transformer.activation,
  normEpsilon: transformer.normEpsilon,
  projection,
});

/** Two towers. Length and vocabulary of the text tower follow from the tokenizer. */
export const architectureSchema = z.strictObject({
  embeddingSize: count,
  image: z.discriminatedUnion('kind', [vit, resnet, basicResnet, convnext, efficientnet]),
  text: z.discriminatedUnion('kind', [textTransformer, averaging]),
});
export type ArchitectureConfig = z.infer<typeof architectureSchema>;

const triple = z.tuple([z.number(), z.number(), z.number()]);

/** How pictures are prepared, over what the model says or CLIP does. */
export const preprocessingSchema = z.strictObject({
  resize: z.enum(['shortest', 'squash', 'longest']).optional(),
  interpolation: z.enum(['bicubic', 'bilinear', 'lanczos', 'nearest']).optional(),
  mean: triple.optional(),
  deviation: triple.optional(),
});
export type PreprocessingConfig = z.infer<typeof preprocessingSchema>;

/**
 * The architecture that a configuration asks for, its text tower made for the tokenizer.
 * @param probability how the loss compares
 * @throws EidosError `invalid_option` for sizes that do not fit each other
 */
export function architectureOf(
  config: ArchitectureConfig,
  tokenizer: Pick<Tokenizer, 'contextLength' | 'vocabularySize'>,
  probability: ClipArchitecture['probability'],
): ClipArchitecture {
  const { image } = config;
  requireWholePatches(image);
  requireEmbeddings(config);
  return {
    embeddingSize: config.embeddingSize,
    image: image.kind === 'vit' ? { ...image, ...filled('architecture.image', image) } : image,
    text: textTower(config.text, tokenizer),
    probability,
    logitBias: probability === 'sigmoid',
  };
}

/** The text tower for a tokenizer's ids, of which the end token is the highest. */
function textTower(
  text: ArchitectureConfig['text'],
  { contextLength, vocabularySize }: Pick<Tokenizer, 'contextLength' | 'vocabularySize'>,
): TextArchitecture {
  if (text.kind === 'averaging') {
    requireDifferentSizes(text);
    return { ...text, contextLength, vocabularySize, endToken: 'highest' as const };
  }
  const { heads, mlpWidth, pool, kind: _, ...tower } = text;
  return {
    ...tower,
    ...filled('architecture.text', { width: tower.width, heads, mlpWidth }),
    contextLength,
    vocabularySize,
    pool: pool.kind === 'end' ? { kind: 'end', endToken: 'highest' } : pool,
  };
}

function requireDifferentSizes({ ngrams }: Pick<AveragingTextArchitecture, 'ngrams'>): void {
  const sizes = ngrams.map(({ size }) => size);
  const twice = sizes.find((size, i) => sizes.indexOf(size) < i);
  if (twice === undefined) return;
  throw new EidosError(
    'invalid_option',
    `"architecture.text.ngrams" has the size ${twice} twice: give each size once, with one width.`,
  );
}

function requireWholePatches(image: ArchitectureConfig['image']): void {
  if (image.kind === 'resnet') {
    requireMultiple(image.imageSize, 32);
    return;
  }
  if (image.kind === 'efficientnet') return;
  const stages = 'widths' in image ? image.widths.length : 1;
  if ('blocks' in image && image.blocks.length !== stages) {
    throw new EidosError(
      'invalid_option',
      `"architecture.image.blocks" has ${image.blocks.length} numbers and "widths" ${stages}: one a stage is needed.`,
    );
  }
  requireMultiple(image.imageSize, image.patchSize * 2 ** (stages - 1));
}

function requireMultiple(imageSize: number, covered: number): void {
  if (imageSize % covered === 0) return;
  throw new EidosError(
    'invalid_option',
    `"architecture.image.imageSize" is ${imageSize}: it must be a multiple of ${covered}, which the last stage makes one place of.`,
  );
}

/** Towers whose last vector is no embedding, or none that a picture has made. */
function requireEmbeddings({ image, text, embeddingSize }: ArchitectureConfig): void {
  for (const [name, tower] of Object.entries({ image, text })) {
    if (!('projection' in tower) || tower.projection !== 'none') continue;
    const [field, width] = 'hidden' in tower ? ['"hidden"', tower.hidden] : ['width', tower.width];
    if (width === embeddingSize) continue;
    throw new EidosError(
      'invalid_option',
      `"architecture.${name}" has no projection, so its ${field} ${width} must be the "embeddingSize" ${embeddingSize}.`,
    );
  }
  if (image.kind === 'vit' && image.pool.kind === 'class' && !image.classToken) {
    throw new EidosError(
      'invalid_option',
      '"architecture.image.pool" takes the class token, which "classToken" leaves out: take { "kind": "average" }.',
    );
  }
}

interface Sizes {
  width: number;
  heads?: number | undefined;
  mlpWidth?: number | undefined;
}

function filled(place: string, { width, heads, mlpWidth }: Sizes): { heads: number; mlpWidth: number } {
  const used = heads ?? Math.max(1, Math.round(width / 64));
  if (width % used !== 0) {
    throw new EidosError(
      'invalid_option',
      `"${place}.width" is ${width}: it cannot be shared by ${used} heads.`,
    );
  }
  return { heads: used, mlpWidth: mlpWidth ?? 4 * width };
}

/** What of the configuration is said, over what the model brings or CLIP does. */
export function preprocessingOf(
  config: PreprocessingConfig,
  size: number,
  before: Omit<ImagePreprocessing, 'size'> = clipPreprocessing,
): ImagePreprocessing {
  const said = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));
  return { ...before, ...said, size };
}
