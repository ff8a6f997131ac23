/** A small EfficientNet-Lite in the layout of its package, with the weights of test/fixtures/efficientnet-lite.py. */
import { writeSafetensors } from '../src/checkpoint/index.ts';
import { efficientNetLite } from '../src/checkpoint/layouts/efficientnet-lite.ts';
import { imageClassifierShapes } from '../src/checkpoint/parameters.ts';
import { randomNumbers } from '../src/graph/initialise.ts';
import { elementCount } from '../src/graph/tensor.ts';
import type { EfficientNetArchitecture, ImageClassifierArchitecture } from '../src/models/architecture.ts';

/** Lite0's stages at an eighth of its widths. */
export const smallLite: EfficientNetArchitecture = {
  kind: 'efficientnet',
  imageSize: 224,
  stemWidth: 4,
  stages: [
    { kernelSize: 3, stride: 1, expansion: 1, width: 2, blocks: 1 },
    { kernelSize: 3, stride: 2, expansion: 6, width: 3, blocks: 2 },
    { kernelSize: 5, stride: 2, expansion: 6, width: 5, blocks: 2 },
    { kernelSize: 3, stride: 2, expansion: 6, width: 10, blocks: 3 },
    { kernelSize: 5, stride: 1, expansion: 6, width: 14, blocks: 3 },
    { kernelSize: 5, stride: 2, expansion: 6, width: 24, blocks: 4 },
    { kernelSize: 3, stride: 1, expansion: 6, width: 40, blocks: 1 },
  ],
  headWidth: 160,
  activation: 'relu6',
  normEpsilon: 1e-3,
  pool: 'average',
  projection: { kind: 'linear' },
};

export const smallClassifier: ImageClassifierArchitecture = { image: smallLite, classes: 6 };

/** Writes it under the names that the package publishes. */
export async function writeSmallLite(path: string, prefix = ''): Promise<void> {
  const published = efficientNetLite.published(smallClassifier);
  const entries = [...imageClassifierShapes(smallClassifier)].map(([name, shape]) => {
    const { from } = published.get(name)!;
    return {
      name: prefix + from,
      type: 'float32' as const,
      shape,
      data: Float32Array.from(valuesOf(from, shape)),
    };
  });
  await writeSafetensors(path, entries, { format: 'pt' });
}

/** A tensor's numbers by its published name. */
export function valuesOf(name: string, shape: readonly number[]): number[] {
  const numbers = uniform(name, elementCount(shape));
  if (name === 'pixels') return numbers.map((number) => 4 * number - 2);
  if (name.endsWith('running_var')) return numbers.map((number) => 0.5 + number);
  if (name.endsWith('running_mean')) return numbers.map((number) => 0.4 * number - 0.2);
  if (shape.length > 1) {
    const bound = Math.sqrt(6 / elementCount(shape.slice(1)));
    return numbers.map((number) => (2 * number - 1) * bound);
  }
  return numbers.map((number) => (name.endsWith('weight') ? 0.75 + 0.5 * number : 2 * number - 0.5));
}

/** Numbers of [0, 1) that follow from a name. */
export function uniform(name: string, count: number): number[] {
  let seed = 0x811c9dc5;
  for (const character of name) seed = Math.imul(seed ^ character.charCodeAt(0), 0x01000193);
  const random = randomNumbers(seed >>> 0);
  return Array.from({ length: count }, random);
}
