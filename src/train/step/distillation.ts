/**
 * What an image net's own classifier says of a picture, foretold from words (Hinton et al. 2015): its classes have names,
 * and the distribution over them is a target for the picture's similarities to these names.
 */
import { zeros } from '../../graph/initialise.ts';
import { multiply, parameter, slice, softmax } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ImageArchitecture } from '../../models/architecture.ts';
import { classifyFeatures, imageFeatureWidth } from '../../models/image-encoder.ts';
import { partialCrossEntropy, similarityLogits } from '../../models/losses.ts';
import type { LossConfig } from './config.ts';

/** The part about it, where it counts. */
export function distillingLoss({ distillation }: LossConfig): LossConfig['distillation'] {
  return (distillation?.weight ?? 0) > 0 ? distillation : undefined;
}

/** Names that go through the text tower in every step. */
export function embeddedNames(loss: LossConfig, count: number | undefined): number {
  return distillingLoss(loss)?.classes === 'embedded' ? (count ?? 0) : 0;
}

/** The state with what the text tower made of the names, [classes, embeddingSize], rows of unit length. */
export const cachedNames = 'distillation.embeddings';

/** Parameters that the part reads and nothing moves. */
export const classifierPattern = 'image.classifier.*';

export interface DistillationParts {
  image: ImageArchitecture;
  /** Pooled features [n, width of the tower's]. */
  seen: Value;
  /** Embeddings of the pictures, [n, embeddingSize], rows of unit length. */
  images: Value;
  /** Embeddings of the names where they go through the text tower, [classes, embeddingSize]. */
  names: Value | undefined;
  classes: number;
  /** By what cosines are multiplied. */
  scale: Value;
  temperature: number;
}

/**
 * Cross-entropy of softmax(scale · cosines to the names) against softmax(logits of the classifier / temperature).
 * @returns the loss, and the target, through which no gradient goes: the classifier teaches and does not learn
 */
export function distillationLoss(parts: DistillationParts): { loss: Value; target: Value } {
  const { image, seen, images, names, classes, scale, temperature } = parts;
  const mean = slice(seen, 1, 0, averageWidth(image));
  const logits = classifyFeatures(mean, classes);
  const target = softmax(multiply(logits, 1 / temperature), 1);
  const rows =
    names ?? parameter(cachedNames, [classes, Number(images.shape[1])], zeros, { trainable: false });
  return { loss: partialCrossEntropy(similarityLogits(images, rows, scale), target), target };
}

/** A classifier reads the mean of the last map, which may have its maximum behind it. */
function averageWidth(image: ImageArchitecture): number {
  return image.kind === 'efficientnet' ? image.headWidth : imageFeatureWidth(image);
}
