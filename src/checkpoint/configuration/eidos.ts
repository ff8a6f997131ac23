/** The `config.json` of models in eidos' own layout: the whole architecture as it is in the code. */
import { z } from 'zod';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { epsilon, size, validated } from './values.ts';

const activation = z.enum(['quick_gelu', 'gelu', 'gelu_tanh', 'relu', 'silu']);
const projection = z.enum(['none', 'linear', 'linear_bias']);
const transformer = {
  width: size,
  layers: size,
  heads: size,
  mlpWidth: size,
  activation,
  normEpsilon: epsilon,
  attentionWidth: size.optional(),
  normPlace: z.enum(['before', 'branch', 'sum']).optional(),
  normKind: z.enum(['layer', 'rms']).optional(),
  innerNorms: z
    .array(z.enum(['queries_keys', 'heads', 'attention', 'mlp', 'hidden']))
    .max(5)
    .optional(),
  layerScale: z.literal(true).optional(),
  headScale: z.literal(true).optional(),
  scores: z.enum(['cosine', 'unscaled']).optional(),
  attentionBiases: z.enum(['all', 'no_keys', 'none']).optional(),
  mlpBiases: z.literal(false).optional(),
  gated: z.literal(true).optional(),
};
const sides = z.union([size, z.tuple([size, size])]);

const kernelSide = size.refine((side) => side % 2 === 1, 'kernels have a middle: their side is odd');

const imagePool = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('class'), dense: z.literal(true).optional() }),
  z.strictObject({ kind: z.literal('average') }),
  z.strictObject({ kind: z.literal('probe'), heads: size, mlpWidth: size, activation }),
  z.strictObject({
    kind: z.literal('queries'),
    heads: size,
    queries: size,
    width: size,
    take: z.literal('others').optional(),
    second: z.enum(['parallel', 'cascade']).optional(),
  }),
]);

const pictureRotation = z.strictObject({
  reference: size,
  offset: z.union([z.literal(0), z.literal(1)]),
  first: z.enum(['rows', 'columns']),
});

const vitStem = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('convolutions'),
    kernels: z.array(size.max(64)).min(1).max(8),
    widths: z.array(size).max(7),
  }),
  z.strictObject({
    kind: z.literal('inverted_residuals'),
    stemWidth: size,
    stages: z
      .array(z.strictObject({ width: size, blocks: size.max(1024), expansion: size.max(64) }))
      .min(1)
      .max(8),
  }),
]);

const projectionMlp = z.strictObject({ hidden: size, bias: z.boolean() });

const image = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('vit'),
    ...transformer,
    imageSize: sides,
    patchSize: sides,
    positions: z.enum(['fixed', 'patches', 'none']).optional(),
    rotary: pictureRotation.optional(),
    stem: vitStem.optional(),
    patchBias: z.boolean(),
    classToken: z.boolean(),
    normBefore: z.boolean(),
    normAfter: z.enum(['tokens', 'pooled', 'none']),
    pool: imagePool,
    projection,
  }),
  z.strictObject({
    kind: z.literal('resnet'),
    imageSize: size,
    width: size,
    layers: z.tuple([size, size, size, size]),
    heads: size,
  }),
  z.strictObject({
    kind: z.literal('basic_resnet'),
    imageSize: size,
    patchSize: size,
    widths: z.array(size).min(1).max(8),
    blocks: z.array(size).min(1).max(8),
  }),
  z.strictObject({
    kind: z.literal('convnext'),
    imageSize: size,
    patchSize: size,
    widths: z.array(size).min(1).max(8),
    blocks: z.array(size).min(1).max(8),
    kernelSize: kernelSide,
    activation,
    normEpsilon: epsilon,
    patchNumbers: z.literal('channels').optional(),
    projectionMlp: projectionMlp.optional(),
  }),
  z.strictObject({
    kind: z.literal('fastvit'),
    imageSize: size,
    stages: z
      .array(
        z.strictObject({
          width: size,
          blocks: size.max(1024),
          mixer: z.enum(['convolution', 'attention']),
          mlpWidth: size,
          downsample: z.boolean(),
          kernelSize: kernelSide.max(31),
          squeeze: size.optional(),
          positions: kernelSide.max(31).optional(),
        }),
      )
      .min(1)
      .max(8),
    stemPoints: z.boolean(),
    folded: z.boolean(),
    attentionHeadWidth: size,
    attentionNorm: z.enum(['batch', 'layer']),
    headWidth: size,
    headSqueeze: size,
    normEpsilon: epsilon,
    projection,
  }),
  z.strictObject({
    kind: z.literal('efficientnet'),
    imageSize: size,
    stemWidth: size,
    stages: z
      .array(
        z.strictObject({
          kernelSize: kernelSide.max(31),
          stride: size.max(8),
          expansion: size.max(64),
          width: size,
          blocks: size.max(1024),
        }),
      )
      .min(1)
      .max(32),
    headWidth: size,
    activation: z.literal('relu6'),
    normEpsilon: epsilon,
    pool: z.enum(['average', 'average_max']),
    projection: z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('linear') }),
      z.strictObject({ kind: z.literal('perceptron'), hidden: size }),
    ]),
  }),
]);

const token = z.int().nonnegative().max(1_000_000);

const endToken = z.union([token, z.literal('highest')]);

const textPool = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('end'), endToken }),
  z.strictObject({
    kind: z.literal('first'),
    dense: z.strictObject({ width: size, curve: z.enum(['tanh', 'none']) }).optional(),
  }),
  z.strictObject({ kind: z.literal('last') }),
  z.strictObject({ kind: z.literal('mean') }),
  z.strictObject({ kind: z.literal('max') }),
  z.strictObject({ kind: z.literal('class'), padToken: token }),
  z.strictObject({ kind: z.literal('attention'), heads: size, padToken: token }),
]);

const text = z.discriminatedUnion('kind', [
  z.strictObject({
    // Models made before there were other text towers do not say what theirs is.
    kind: z.literal('transformer').optional(),
    ...transformer,
    contextLength: size,
    vocabularySize: size,
    causal: z.boolean(),
    positions: z.enum(['learned', 'sinusoidal', 'counted', 'counted_sinusoidal', 'buckets']),
    positionRows: size.optional(),
    padToken: token.optional(),
    embeddingScale: z.literal(true).optional(),
    sentenceKinds: size.max(16).optional(),
    normBefore: z.literal(true).optional(),
    normAfter: z.literal(false).optional(),
    pool: textPool,
    projection,
    projectionMlp: projectionMlp.optional(),
  }),
  z.strictObject({
    kind: z.literal('averaging'),
    contextLength: size,
    vocabularySize: size,
    width: size,
    ngrams: z.array(z.strictObject({ size: size.max(16), width: size })).max(8),
    hidden: size,
    layers: size,
    endToken,
    activation,
    normEpsilon: epsilon,
    projection,
  }),
]);

const architecture = z
  .strictObject({
    embeddingSize: size,
    probability: z.enum(['softmax', 'sigmoid']),
    logitBias: z.boolean(),
    image,
    text,
  })
  .refine(({ image: tower }) => !('widths' in tower) || stagesAgree(tower), {
    path: ['image', 'blocks'],
    message:
      'widths and blocks need one number a stage, and imageSize a multiple of patchSize · 2^(stages − 1)',
  })
  .refine(({ text: tower }) => tower.kind !== 'averaging' || sizesDiffer(tower.ngrams), {
    path: ['text', 'ngrams'],
    message: 'a size stands there twice',
  });

const configSchema = z.object({ model_type: z.literal('eidos'), architecture });

/** The architecture, and the file that says it, for messages. */
export interface EidosConfig {
  file: string;
  architecture: ClipArchitecture;
}

/** Whether a JSON value looks like this configuration. */
export function looksLikeEidos(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'model_type' in value && value.model_type === 'eidos';
}

/** @throws EidosError `invalid_checkpoint` naming the wrong field. */
export function parseEidos(value: unknown, file: string): EidosConfig {
  return { file, architecture: validated(configSchema, value, file).architecture };
}

/** Content of the `config.json` of an architecture. */
export function eidosConfig(clip: ClipArchitecture): Record<string, unknown> {
  return { model_type: 'eidos', architecture: clip };
}

function sizesDiffer(ngrams: readonly { size: number }[]): boolean {
  return new Set(ngrams.map(({ size: pieces }) => pieces)).size === ngrams.length;
}

function stagesAgree(tower: {
  imageSize: number;
  patchSize: number;
  widths: readonly number[];
  blocks: readonly number[];
}): boolean {
  const { imageSize, patchSize, widths, blocks } = tower;
  return widths.length === blocks.length && imageSize % (patchSize * 2 ** (widths.length - 1)) === 0;
}
