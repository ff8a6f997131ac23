/** The image encoder in two steps: features that a tower has of a picture, and the map from them to an embedding. */
import { EidosError } from '../../errors.ts';
import type { Value } from '../../graph/value.ts';
import type { ClipArchitecture, ImageArchitecture, ImageClassifierArchitecture } from '../architecture.ts';
import { linearLayer } from '../layers/linear.ts';
import { project, projectionHead, projectThrough } from '../layers/projection.ts';
import type { TowerHooks } from '../layers/transformer.ts';
import { basicResNet } from './basic-resnet.ts';
import { convNext } from './convnext.ts';
import { efficientNet } from './efficientnet.ts';
import { fastVit } from './fastvit.ts';
import { modifiedResNet, type ResNetOptions } from './resnet.ts';
import { type VitOptions, visionTransformer } from './vit.ts';

/** What training asks of a tower; each kind of tower takes what concerns it. */
export interface ImageEncoderOptions extends ResNetOptions, VitOptions {}

/** Pixels [n, 3, side, side], normalised as the model wants them → embeddings [n, embeddingSize], not normalised. */
export function imageEncoder(
  architecture: Pick<ClipArchitecture, 'image' | 'embeddingSize'>,
  pixels: Value,
  options: ImageEncoderOptions = {},
): Value {
  const { image, embeddingSize } = architecture;
  if (image.kind === 'resnet') return modifiedResNet(image, embeddingSize, pixels, options);
  return projectImage(architecture, imageFeatures(architecture, pixels, options), options);
}

/**
 * Pixels [n, 3, side, side] → pooled features [n, imageFeatureWidth], normed where the tower norms them; what
 * `projectImage` makes an embedding of.
 * @throws EidosError `invalid_option` for a `resnet`
 */
export function imageFeatures(
  { image }: Pick<ClipArchitecture, 'image'>,
  pixels: Value,
  options: ImageEncoderOptions = {},
): Value {
  switch (image.kind) {
    case 'vit':
      return visionTransformer(image, pixels, options);
    case 'resnet':
      throw withoutFeatures();
    case 'basic_resnet':
      return basicResNet(image, pixels, options);
    case 'convnext':
      return convNext(image, pixels, options);
    case 'efficientnet':
      return efficientNet(image, pixels, options);
    case 'fastvit':
      return fastVit(image, pixels, options);
  }
}

/**
 * How many numbers the pooled features of a picture are.
 * @throws EidosError `invalid_option` for a `resnet`
 */
export function imageFeatureWidth(image: ImageArchitecture): number {
  switch (image.kind) {
    case 'vit':
      return image.pool.kind === 'queries' ? image.pool.width : image.width;
    case 'resnet':
      throw withoutFeatures();
    case 'basic_resnet':
    case 'convnext':
      return image.widths[image.widths.length - 1]!;
    case 'efficientnet':
      return image.headWidth * (image.pool === 'average_max' ? 2 : 1);
    case 'fastvit':
      return image.headWidth;
  }
}

/**
 * Pooled features [n, imageFeatureWidth] → embeddings [n, embeddingSize], not normalised. All its parameters, none where
 * the tower has no projection, begin with `image.projection`.
 * @throws EidosError `invalid_option` for a `resnet`
 */
export function projectImage(
  { image, embeddingSize }: Pick<ClipArchitecture, 'image' | 'embeddingSize'>,
  features: Value,
  hooks: TowerHooks = {},
): Value {
  switch (image.kind) {
    case 'vit':
    case 'fastvit':
      return project('image', image.projection, features, embeddingSize);
    case 'resnet':
      throw withoutFeatures();
    case 'basic_resnet':
      return project('image', 'linear', features, embeddingSize);
    case 'convnext':
      return image.projectionMlp === undefined
        ? project('image', 'linear', features, embeddingSize)
        : projectThrough('image', image.projectionMlp, features, embeddingSize);
    case 'efficientnet':
      return projectionHead(image.projection, features, embeddingSize, hooks);
  }
}

/**
 * The classes that a bare image net was trained on: features [n, width], the mean of the last map → logits [n, classes].
 * Its parameters, `image.classifier.weight` and `.bias`, are no part of a CLIP.
 */
export function classifyFeatures(features: Value, classes: number): Value {
  return linearLayer('image.classifier', features, classes);
}

/**
 * Pixels [n, 3, side, side] → logits [n, classes].
 * @throws EidosError `invalid_option` for a `resnet`
 */
export function imageClassifier(
  { image, classes }: ImageClassifierArchitecture,
  pixels: Value,
  options: ImageEncoderOptions = {},
): Value {
  return classifyFeatures(imageFeatures({ image }, pixels, options), classes);
}

function withoutFeatures(): EidosError {
  return new EidosError(
    'invalid_option',
    'An image tower of kind "resnet" has no features before its projection: its attention pools and projects at once. Take its embeddings.',
  );
}
