/**
 * What an image net's own classifier says of a picture, foretold from words (Hinton et al. 2015): its classes have names,
 * and the distribution over them is a target for the picture's similarities to these names.
 */
import { zeros } from '../../graph/initialise.ts';
import { matmul, multiply, parameter, slice, softmax } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ImageArchitecture } from '../../models/architecture.ts';
import { classifyFeatures, imageFeatureWidth } from '../../models/image/encoder.ts';
import { partialCrossEntropy, similarityLogits } from '../../models/losses.ts';
import type { LossConfig } from './config.ts';

/** The part about it, where it counts. */
export function distillingLoss({ distillation }: LossConfig): LossConfig['distillation'] {
  return (distillation?.weight ?? 0) > 0 ? distillation : undefined;
}

/** Whether the classifier is asked about the whole picture, whichever view is trained on. */
export function asksAboutWhole(loss: LossConfig): boolean {
  return distillingLoss(loss)?.view === 'whole';
}

/** Names that go through the text tower in every step. */
export function embeddedNames(loss: LossConfig, count: number | undefined): number {
  return distillingLoss(loss)?.classes === 'embedded' ? (count ?? 0) : 0;
}

/** The state with what the text tower made of the names, [names, embeddingSize], rows of unit length. */
export const cachedNames = 'distillation.embeddings';

/** Parameters that the part reads and nothing moves. */
export const classifierPattern = 'image.classifier.*';

export interface DistillationParts {
  image: ImageArchitecture;
  /** Pooled features [n, width of the tower's] of what the classifier is asked about. */
  seen: Value;
  /** Embeddings of the pictures, [n, embeddingSize], rows of unit length. */
  images: Value;
  /** Embeddings of the names where they go through the text tower, [names, embeddingSize]. */
  embedded: Value | undefined;
  /** The classifier's classes come first; behind them stands what they are kinds of. */
  names: number;
  /** How each class's probability is shared among the names, [classes, names]; without it each class has its own name. */
  shares?: Value | undefined;
  /** By what cosines are multiplied. */
  scale: Value;
  temperature: number;
}

/**
 * Cross-entropy of softmax(scale · cosines to the names) against softmax(logits of the classifier / temperature), shared
 * among the names.
 * @returns the loss, and the target, through which no gradient goes: the classifier teaches and does not learn
 */
export function distillationLoss(parts: DistillationParts): { loss: Value; target: Value } {
  const { image, seen, images, embedded, names, shares, scale, temperature } = parts;
  const mean = slice(seen, 1, 0, averageWidth(image));
  const logits = classifyFeatures(mean, shares === undefined ? names : Number(shares.shape[0]));
  const answers = softmax(multiply(logits, 1 / temperature), 1);
  const target = shares === undefined ? answers : matmul(answers, shares);
  const rows =
    embedded ?? parameter(cachedNames, [names, Number(images.shape[1])], zeros, { trainable: false });
  return { loss: partialCrossEntropy(similarityLogits(images, rows, scale), target), target };
}

/** A classifier reads the mean of the last map, which may have its maximum behind it. */
function averageWidth(image: ImageArchitecture): number {
  return image.kind === 'efficientnet' ? image.headWidth : imageFeatureWidth(image);
}
