/** Vectors of the embedding space: unit length, cosines, means. */
import { EidosError } from '../errors.ts';
import type { FloatTensor } from '../graph/tensor.ts';

/** Rows of one length, [n, embeddingSize]. */
export type Embeddings = FloatTensor;

/** The cosine of the angle between two embeddings, −1 to 1. */
export type Cosine = number;

/** Divides each row by its length, in place; rows of zeros stay zeros. */
export function normalizeRows(embeddings: Embeddings): Embeddings {
  const { data } = embeddings;
  const width = embeddings.shape[1]!;
  for (let start = 0; start < data.length; start += width) {
    let sum = 0;
    for (let i = start; i < start + width; i++) sum += data[i]! * data[i]!;
    // The same guard against division by zero as in PyTorch's normalize.
    const factor = 1 / Math.max(Math.sqrt(sum), 1e-12);
    for (let i = start; i < start + width; i++) data[i] = data[i]! * factor;
  }
  return embeddings;
}

/** The cosine of every row of `a` with every row of `b`, [n, m]; rows need not have unit length. */
export function cosineSimilarity(a: Embeddings, b: Embeddings): FloatTensor {
  const [n, width] = a.shape as [number, number];
  const [m, other] = b.shape as [number, number];
  if (width !== other) {
    throw new EidosError(
      'invalid_option',
      `Embeddings of length ${width} and ${other} do not compare: take both from one model.`,
    );
  }
  const data = new Float32Array(n * m);
  const lengthsOfB = rowLengths(b);
  rowLengths(a).forEach((lengthOfA, i) => {
    for (let j = 0; j < m; j++) {
      let dot = 0;
      for (let k = 0; k < width; k++) dot += a.data[i * width + k]! * b.data[j * width + k]!;
      data[i * m + j] = dot / Math.max(lengthOfA * lengthsOfB[j]!, 1e-12);
    }
  });
  return { data, shape: [n, m] };
}

/** Means of groups of rows: row i belongs to group owner[i]. */
export function meanOfGroups(embeddings: Embeddings, owner: readonly number[], groups: number): Embeddings {
  const width = embeddings.shape[1]!;
  const data = new Float32Array(groups * width);
  const counts = new Float32Array(groups);
  owner.forEach((group, row) => {
    counts[group] = counts[group]! + 1;
    for (let k = 0; k < width; k++) data[group * width + k]! += embeddings.data[row * width + k]!;
  });
  for (let i = 0; i < data.length; i++) data[i] = data[i]! / counts[Math.floor(i / width)]!;
  return { data, shape: [groups, width] };
}

function rowLengths({ data, shape }: Embeddings): number[] {
  const [rows, width] = shape as [number, number];
  return Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let i = row * width; i < (row + 1) * width; i++) sum += data[i]! * data[i]!;
    return Math.sqrt(sum);
  });
}
