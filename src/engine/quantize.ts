/** Turns the weights of matrix products into 8-bit numbers while they are read from the checkpoint. */

import { EidosError } from '../errors.ts';
import { isSymbolic } from '../graph/dimension.ts';
import { type BoundTensor, elementCount, floatsInMemory } from '../graph/tensor.ts';
import { type Node, type NodeOf, nodesOf, type Value } from '../graph/value.ts';
import { hasExactByteProducts } from './cpu.ts';
import type { QuantizedWeight } from './onnx/quantized-gemm.ts';
import { type FloatReader, isFloatType, openFloatReader, readFloats } from './stored-floats.ts';

export interface QuantizeOptions {
  /**
   * Whether weights use all of 8 bits (±127) or 7 (±63), which are exact on every processor (see cpu.ts).
   * @default 'auto', all 8 bits where this processor multiplies them exactly
   */
  int8Range?: 'full' | 'reduced' | 'auto';
}

export interface QuantizedModel {
  quantized: Map<string, QuantizedWeight>;
  /** The weights as given, with the layer norms whose gains have moved into the products after them. */
  weights: Map<string, BoundTensor>;
}

/** Below this a product costs less than the passes that quantise its activations. */
const smallestSide = 64;

/**
 * Products on fewer rows of a batch's item (the projection of its one pooled vector) take no time worth
 * saving, and their rounding would go straight into the embedding: it is half of the whole error.
 */
const fewestRows = 8;

function hasManyRows({ shape: [rows] }: Value): boolean {
  return (isSymbolic(rows!) ? rows!.factor : rows!) >= fewestRows;
}

/**
 * Quantises every parameter that is only used as the right-hand side of matrix products x·Wᵀ that are large
 * enough: columns (outputs) have a scale each, value = scale · number.
 *
 * Channels that a layer norm makes large would take the range from all others. As x·g·Wᵀ = x·(W·g)ᵀ, a part
 * s of such a gain can move into the weights: s = √(|g| / median |g|), half of the outlier on either side
 * (Xiao et al. 2023, "SmoothQuant", equation 4 with α = ½, with the gain in place of the activations'
 * maxima, which only data would tell). That costs nothing at run time.
 */
export async function quantizeWeights(
  results: Readonly<Record<string, Value>>,
  weights: ReadonlyMap<string, BoundTensor>,
  { int8Range }: QuantizeOptions = {},
): Promise<QuantizedModel> {
  const limit = quantizedRange(int8Range);
  const nodes = nodesOf(Object.values(results));
  const products = quantizableProducts(nodes, Object.values(results), weights);
  const adapted = new Map(weights);
  const quantized = new Map<string, QuantizedWeight>();
  const reader = openFloatReader();
  try {
    await requireNumbers(nodes, { products, weights, reader });
    const smoothing = await smoothGains(nodes, {
      results: Object.values(results),
      products,
      weights: adapted,
      reader,
    });
    for (const parameter of products.keys()) {
      const { name } = parameter.attributes;
      const [out, width] = parameter.attributes.shape as [number, number];
      const stored = weights.get(name)!;
      const factors = smoothing.get(parameter);
      const quantize = stored.transposed === true ? quantizeTransposed : quantizeStored;
      const { data, scales } = await quantize({ stored, out, width, limit, factors, reader });
      quantized.set(name, { name, shape: [width, out], data, scales });
    }
  } finally {
    await reader.close();
  }
  return { quantized, weights: adapted };
}

/**
 * Reads the weights that stay floats. Where one is NaN so are activations, and turning these into 8 bits makes ordinary
 * numbers of them: embeddings would look sound. Weights that are quantised are looked at then.
 */
async function requireNumbers(
  nodes: readonly Node[],
  {
    products,
    weights,
    reader,
  }: Pick<Smoothing, 'products' | 'reader'> & { weights: ReadonlyMap<string, BoundTensor> },
): Promise<void> {
  for (const node of nodes) {
    if (node.operator !== 'parameter' || products.has(node)) continue;
    const stored = weights.get(node.attributes.name);
    if (stored === undefined || !isFloatType(stored.type)) continue;
    const count = elementCount(stored.shape);
    for (let start = 0; start < count; start += pieceLength) {
      const values = await reader.read(stored, start, Math.min(pieceLength, count - start));
      if (!Number.isFinite(largestOf(values, 0, values.length))) throw unsoundWeight(stored);
    }
  }
}

function unsoundWeight({ name }: BoundTensor): EidosError {
  return new EidosError('not_finite', `Its weight '${name}' holds a number that is none (NaN or infinite).`);
}

/** The largest number of a quantised weight. */
export function quantizedRange(range: QuantizeOptions['int8Range'] = 'auto'): 63 | 127 {
  return range === 'full' || (range === 'auto' && hasExactByteProducts()) ? 127 : 63;
}

type Parameter = NodeOf<'parameter'>;

/** The parameters to quantise, each with the products that use it. */
function quantizableProducts(
  nodes: readonly Node[],
  results: readonly Value[],
  weights: ReadonlyMap<string, BoundTensor>,
): Map<Parameter, NodeOf<'gemm'>[]> {
  const products = new Map<Parameter, NodeOf<'gemm'>[]>();
  for (const node of nodes) {
    if (node.operator !== 'parameter' || node.attributes.shape.length !== 2) continue;
    const stored = weights.get(node.attributes.name);
    if (stored === undefined || !isFloatType(stored.type)) continue;
    if (node.attributes.shape.every((size) => size >= smallestSide)) products.set(node, []);
  }
  for (const node of nodes) {
    node.inputs.forEach(({ node: source }, position) => {
      if (source.operator !== 'parameter') return;
      const fits =
        node.operator === 'gemm' &&
        position === 1 &&
        node.attributes.transposeB &&
        !node.attributes.transposeA &&
        hasManyRows(node.inputs[0]!);
      if (fits) products.get(source)?.push(node);
      else products.delete(source);
    });
  }
  for (const { node } of results) if (node.operator === 'parameter') products.delete(node);
  return products;
}

/**
 * Moves a part of the gains of layer norms into the weights behind them, where only quantised products
 * read the norm. Replaces gain and bias in `weights`; returns the factors of the weights' input channels.
 */
async function smoothGains(
  nodes: readonly Node[],
  { results, products, weights, reader }: Smoothing,
): Promise<Map<Parameter, Float32Array>> {
  const readers = readersOf(nodes);
  const smoothing = new Map<Parameter, Float32Array>();
  for (const norm of nodes) {
    if (norm.operator !== 'layerNorm') continue;
    const [, gain, bias] = norm.inputs.map(({ node }) => node);
    if (gain?.operator !== 'parameter' || bias?.operator !== 'parameter') continue;
    if ([norm.inputs[1]!, norm.inputs[2]!].some((value) => readers.get(value)!.length !== 1)) continue;
    const [storedGain, storedBias] = [gain, bias].map(({ attributes }) => weights.get(attributes.name));
    if (storedGain === undefined || storedBias === undefined) continue;
    if (!isFloatType(storedGain.type) || !isFloatType(storedBias.type)) continue;
    const behind = weightsBehind(norm.outputs[0]!, { readers, products, results });
    if (behind === undefined) continue;
    const gains = await readFloats(reader, storedGain);
    const factors = smoothingFactors(gains);
    const divided = (values: Float32Array): Float32Array => values.map((value, i) => value / factors[i]!);
    weights.set(gain.attributes.name, { ...storedGain, ...floatsInMemory(divided(gains)) });
    weights.set(bias.attributes.name, {
      ...storedBias,
      ...floatsInMemory(divided(await readFloats(reader, storedBias))),
    });
    for (const parameter of behind) smoothing.set(parameter, factors);
  }
  return smoothing;
}

interface Smoothing {
  results: readonly Value[];
  products: ReadonlyMap<Parameter, readonly NodeOf<'gemm'>[]>;
  weights: Map<string, BoundTensor>;
  reader: FloatReader;
}

type Readers = ReadonlyMap<Value, readonly { node: Node; position: number }[]>;

/** Where each value is read. */
function readersOf(nodes: readonly Node[]): Readers {
  const readers = new Map<Value, { node: Node; position: number }[]>();
  for (const node of nodes) {
    node.inputs.forEach((value, position) => {
      const known = readers.get(value);
      if (known === undefined) readers.set(value, [{ node, position }]);
      else known.push({ node, position });
    });
  }
  return readers;
}

/** The quantised weights that read a norm, or undefined where anything else reads it. */
function weightsBehind(
  output: Value,
  context: Pick<Smoothing, 'products' | 'results'> & { readers: Readers },
): Parameter[] | undefined {
  const { readers, products, results } = context;
  if (results.includes(output)) return undefined;
  const found: Parameter[] = [];
  const width = output.shape[output.shape.length - 1]!;
  for (const { node, position } of readers.get(output) ?? []) {
    if (node.operator === 'reshape') {
      const reshaped = node.outputs[0]!;
      const last = reshaped.shape[reshaped.shape.length - 1]!;
      if (isSymbolic(width) || last !== width) return undefined;
      const behind = weightsBehind(reshaped, context);
      if (behind === undefined) return undefined;
      found.push(...behind);
    } else {
      const weight = node.operator === 'gemm' && position === 0 ? node.inputs[1]!.node : undefined;
      // A weight used by two products has two kinds of activations, and could serve only one of them.
      if (weight?.operator !== 'parameter' || products.get(weight)?.length !== 1) return undefined;
      found.push(weight);
    }
  }
  return found.length === 0 ? undefined : found;
}

function smoothingFactors(gains: Float32Array): Float32Array {
  const sizes = gains.map(Math.abs);
  const median = sizes.slice().sort()[sizes.length >> 1]!;
  // Channels that are nearly switched off keep their place: a factor near zero would make others large.
  return sizes.map((size) => (median > 0 ? Math.sqrt(Math.max(size / median, 1)) : 1));
}

interface Job {
  stored: BoundTensor;
  out: number;
  width: number;
  limit: number;
  factors: Float32Array | undefined;
  reader: FloatReader;
}

/** Floats of an unquantised weight in memory at once. */
const pieceLength = 1 << 20;

/** Rows that are transposed at a time: their 64 bytes side by side fill one cache line of the result. */
const block = 64;

/** Stored [out, width], wanted [width, out]. */
async function quantizeStored({
  stored,
  out,
  width,
  limit,
  factors,
  reader,
}: Job): Promise<Pick<QuantizedWeight, 'data' | 'scales'>> {
  const data = new Int8Array(out * width);
  const scales = new Float32Array(out);
  const tile = new Int8Array(block * width);
  for (let first = 0; first < out; first += block) {
    const rows = Math.min(block, out - first);
    const values = await reader.read(stored, first * width, rows * width);
    if (factors !== undefined) multiplyRows(values, factors);
    for (let row = 0; row < rows; row++) {
      const start = row * width;
      const largest = largestOf(values, start, start + width);
      if (!Number.isFinite(largest)) throw unsoundWeight(stored);
      scales[first + row] = largest / limit;
      const factor = largest > 0 ? limit / largest : 0;
      for (let i = start; i < start + width; i++) tile[i] = nearest(values[i]! * factor);
    }
    for (let column = 0; column < width; column++) {
      const target = column * out + first;
      for (let row = 0; row < rows; row++) data[target + row] = tile[row * width + column]!;
    }
  }
  return { data, scales };
}

/** Stored [width, out] already; the largest value of each column takes a pass of its own. */
async function quantizeTransposed({
  stored,
  out,
  width,
  limit,
  factors,
  reader,
}: Job): Promise<Pick<QuantizedWeight, 'data' | 'scales'>> {
  const data = new Int8Array(out * width);
  const largest = new Float32Array(out);
  const pass = async (
    visit: (values: Float32Array, from: number, row: number, factor: number) => void,
  ): Promise<void> => {
    for (let first = 0; first < width; first += block) {
      const rows = Math.min(block, width - first);
      const values = await reader.read(stored, first * out, rows * out);
      for (let row = 0; row < rows; row++) visit(values, row * out, first + row, factors?.[first + row] ?? 1);
    }
  };
  await pass((values, from, _, factor) => {
    for (let i = 0; i < out; i++) {
      const size = Math.abs(values[from + i]! * factor);
      // NaN is taken, too, and stays: nothing is larger.
      if (size > largest[i]! || Number.isNaN(size)) largest[i] = size;
    }
  });
  if (!largest.every(Number.isFinite)) throw unsoundWeight(stored);
  const inverse = largest.map((value) => (value > 0 ? limit / value : 0));
  await pass((values, from, row, factor) => {
    for (let i = 0; i < out; i++) data[row * out + i] = nearest(values[from + i]! * factor * inverse[i]!);
  });
  return { data, scales: largest.map((value) => value / limit) };
}

function multiplyRows(values: Float32Array, factors: Float32Array): void {
  for (let start = 0; start < values.length; start += factors.length) {
    for (let i = 0; i < factors.length; i++) values[start + i] = values[start + i]! * factors[i]!;
  }
}

/** The largest size of a number; NaN where one is NaN. */
function largestOf(values: Float32Array, start: number, end: number): number {
  let largest = 0;
  for (let i = start; i < end; i++) {
    const size = Math.abs(values[i]!);
    if (!(size <= largest)) {
      if (Number.isNaN(size)) return size;
      largest = size;
    }
  }
  return largest;
}

/** The nearest integer of a number above −128: cutting a positive number off is faster than Math.round. */
function nearest(value: number): number {
  return ((value + 128.5) | 0) - 128;
}
