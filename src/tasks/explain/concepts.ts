/** A picture as a sparse sum of words, none with a negative weight (Bhalla et al. 2024, SpLiCE). */
import { vocabularyMatrix } from '../../classifier/keywords.ts';
import type { Clip } from '../../clip/clip.ts';

export interface Concept {
  word: string;
  weight: number;
}

export interface Concepts {
  /** Heaviest first. */
  concepts: Concept[];
  /** Cosine of the picture with the sum of the words, both without what all words have in common. */
  explained: number;
}

export interface ConceptOptions {
  vocabulary?: readonly string[] | undefined;
  language?: 'en' | 'de' | undefined;
  /** @default 8 */
  most?: number | undefined;
}

/**
 * Words are chosen one after the other by what is still unexplained, and all weights fitted anew after each (non-negative
 * orthogonal matching pursuit). Pictures and words lie in different cones of the space (Liang et al. 2022): what the words
 * have in common is taken out of both.
 * @param image unit vector, [embeddingSize]
 */
export async function findConcepts(
  clip: Clip,
  image: Float32Array,
  { most = 8, ...choice }: ConceptOptions = {},
): Promise<Concepts> {
  const { words, matrix } = await vocabularyMatrix(clip, choice);
  const size = image.length;
  const common = new Float64Array(size);
  for (let at = 0; at < matrix.data.length; at++) common[at % size]! += matrix.data[at]! / words.length;
  const length = Math.hypot(...common) || 1;
  const unit = common.map((value) => value / length);
  const along = unit.reduce((sum, value, i) => sum + value * image[i]!, 0);
  const target = normalised(Float64Array.from(image, (value, i) => value - along * unit[i]!));
  const atoms = words.map((_, row) =>
    normalised(
      Float64Array.from(matrix.data.subarray(row * size, (row + 1) * size), (value, i) => value - common[i]!),
    ),
  );
  const chosen: number[] = [];
  let weights: number[] = [];
  let residual = target;
  while (chosen.length < Math.min(most, words.length)) {
    let best = -1;
    let largest = 1e-3;
    atoms.forEach((atom, row) => {
      const share = chosen.includes(row) ? 0 : dot(atom, residual);
      if (share > largest) [best, largest] = [row, share];
    });
    if (best < 0) break;
    chosen.push(best);
    weights = fitted(
      chosen.map((row) => atoms[row]!),
      target,
    );
    residual = target.map(
      (value, i) => value - chosen.reduce((sum, row, at) => sum + weights[at]! * atoms[row]![i]!, 0),
    );
  }
  const sum = target.map((value, i) => value - residual[i]!);
  const size2 = Math.hypot(...sum);
  return {
    concepts: chosen
      .map((row, at) => ({ word: words[row]!, weight: weights[at]! }))
      .filter(({ weight }) => weight > 0)
      .sort((a, b) => b.weight - a.weight),
    explained: size2 === 0 ? 0 : dot(sum, target) / size2,
  };
}

/** Least squares with no weight below 0, one weight after the other until they stand still. */
function fitted(atoms: readonly Float64Array[], target: Float64Array): number[] {
  const weights = atoms.map(() => 0);
  const shares = atoms.map((atom) => dot(atom, target));
  const products = atoms.map((a) => atoms.map((b) => dot(a, b)));
  for (let round = 0; round < 200; round++) {
    let moved = 0;
    weights.forEach((before, at) => {
      const others = products[at]!.reduce(
        (sum, product, i) => sum + (i === at ? 0 : product * weights[i]!),
        0,
      );
      weights[at] = Math.max(0, (shares[at]! - others) / products[at]![at]!);
      moved = Math.max(moved, Math.abs(weights[at]! - before));
    });
    if (moved < 1e-9) break;
  }
  return weights;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function normalised(vector: Float64Array): Float64Array {
  const length = Math.sqrt(dot(vector, vector)) || 1;
  return vector.map((value) => value / length);
}
