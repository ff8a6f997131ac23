/** The loss of an image tower that has to foretell a teacher's features from its embeddings. */
import { linear, normalize } from '../graph/derived.ts';
import { normal } from '../graph/initialise.ts';
import { input, multiply, parameter, reduceSum, subtract } from '../graph/operations.ts';
import type { Value } from '../graph/value.ts';

export interface DistillationOptions {
  /** Pictures in a batch. */
  batch: number;
  /** Features of the teacher. */
  features: number;
  /** By what the loss is multiplied. */
  weight: number;
}

/**
 * weight · (1 − mean cosine between a linear map of the embeddings and the input `features` [batch, features], whose
 * rows have unit length). The map, `distillation.head`, is no part of the model.
 */
export function distillationLoss(
  images: Value,
  embeddingSize: number,
  { batch, features, weight }: DistillationOptions,
): Value {
  const wanted = input('features', [batch, features]);
  const head = parameter('distillation.head', [features, embeddingSize], normal(embeddingSize ** -0.5));
  const foretold = normalize(linear(images, head));
  const cosine = multiply(reduceSum(multiply(foretold, wanted), [0, 1]), 1 / batch);
  return multiply(subtract(1, cosine), weight);
}
