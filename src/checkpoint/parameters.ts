/** The canonical names and shapes of all parameters of an architecture, whatever layout they were published in. */

import { elementCount } from '../graph/tensor.ts';
import type {
  ClipArchitecture,
  ImageClassifierArchitecture,
  TextArchitecture,
  VitArchitecture,
} from '../models/architecture.ts';
import { parametersOfClip, parametersOfImageClassifier } from '../models/parameters.ts';
import { patchGrid } from '../models/sides.ts';

/** Canonical name → shape, linear weights as [out, in]. Statistics of batch norms (`running_…`) are included. */
export function canonicalShapes(architecture: ClipArchitecture): Map<string, number[]> {
  return new Map(parametersOfClip(architecture).map(({ name, shape }) => [name, [...shape]]));
}

/** The same of an image classifier: its tower without a projection, and `image.classifier.weight` and `.bias`. */
export function imageClassifierShapes(architecture: ImageClassifierArchitecture): Map<string, number[]> {
  return new Map(parametersOfImageClassifier(architecture).map(({ name, shape }) => [name, [...shape]]));
}

/** How many numbers training would change: all parameters without the statistics of batch norms. */
export function parameterCount(architecture: ClipArchitecture): number {
  const trained = parametersOfClip(architecture).filter(({ trainable }) => trainable);
  return trained.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}

/** Positions of the text tower: one more than tokens where a class token follows them. */
export function textPositions(text: TextArchitecture): number {
  return text.contextLength + (text.kind !== 'averaging' && text.pool.kind === 'class' ? 1 : 0);
}

/** Tokens of a Vision Transformer: its whole patches, and the class token if it has one. */
export function imageTokens(image: VitArchitecture): number {
  return elementCount(patchGrid(image)) + (image.classToken ? 1 : 0);
}
