/** A small network with all that matters to the engine: norms, products, a residual path, weights in a file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { RuntimeTensor } from '../../src/engine/engine.ts';
import { linear } from '../../src/graph/derived.ts';
import { gaussian, initialValues, normal, ones, randomNumbers, zeros } from '../../src/graph/initialise.ts';
import { add, input, layerNorm, parameter, relu } from '../../src/graph/operations.ts';
import type { BoundTensor } from '../../src/graph/tensor.ts';
import { parametersOf, type Value } from '../../src/graph/value.ts';

export const width = 96;

/** x [8n, width] → y [8n, width] through residual blocks of norm, product, ReLU, product. */
export function network(blocks = 2): { y: Value } {
  let y = input('x', [{ symbol: 'n', factor: 8 }, width]);
  for (let block = 0; block < blocks; block++) {
    const named = (name: string, shape: number[], initialiser = normal(0.1)): Value =>
      parameter(`${block}.${name}`, shape, initialiser);
    const norm = layerNorm(y, named('norm.weight', [width], ones), named('norm.bias', [width], zeros), 1e-5);
    const hidden = relu(linear(norm, named('up.weight', [2 * width, width]), named('up.bias', [2 * width])));
    y = add(y, linear(hidden, named('down.weight', [width, 2 * width]), named('down.bias', [width])));
  }
  return { y };
}

/** A folder that is removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'eidos-engine-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** First values of all parameters, `change`d, in one file. */
export function writeWeights(
  results: Readonly<Record<string, Value>>,
  file: string,
  change: (name: string, values: Float32Array) => void = () => {},
): Map<string, BoundTensor> {
  const weights = new Map<string, BoundTensor>();
  const parts: Uint8Array[] = [new Uint8Array(64)];
  let offset = 64;
  for (const node of parametersOf(Object.values(results))) {
    const { name, shape } = node.attributes;
    const values = initialValues(node.attributes, 7);
    change(name, values);
    const bytes = new Uint8Array(values.buffer);
    const location = { file, offset };
    weights.set(name, { name, type: 'float32', shape: [...shape], location, byteLength: bytes.length });
    parts.push(bytes);
    offset += bytes.length;
  }
  writeFileSync(file, Buffer.concat(parts));
  return weights;
}

/** Normal numbers, the same for the same seed. */
export function samples(rows: number, columns = width, seed = 1): RuntimeTensor & { data: Float32Array } {
  const random = randomNumbers(seed);
  const data = Float32Array.from({ length: rows * columns }, () => gaussian(random));
  return { type: 'float32', data, shape: [rows, columns] };
}

/** Cosines of the rows of two arrays. */
export function rowCosines(a: ArrayLike<number>, b: ArrayLike<number>, columns = width): number[] {
  return Array.from({ length: a.length / columns }, (_, row) => {
    let [dot, left, right] = [0, 0, 0];
    for (let i = row * columns; i < (row + 1) * columns; i++) {
      dot += a[i]! * b[i]!;
      left += a[i]! ** 2;
      right += b[i]! ** 2;
    }
    return dot / Math.sqrt(left * right);
  });
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}
