/** A matrix product with 8-bit weights: activations are quantised while it runs, weights beforehand. */
import type { OnnxTensor } from './encode.ts';
import type { LoweringContext } from './lowerings.ts';
import { bytesOf } from './program-writer.ts';

/** A weight [out, in] as 8-bit numbers [in, out] with one scale a column. */
export interface QuantizedWeight {
  name: string;
  shape: [rows: number, columns: number];
  /** Signed numbers; the product with unsigned activations is exact in 32 bits. */
  data: Int8Array | { file: string; offset: number; byteLength: number };
  /** value = scale · number, one scale an output column. */
  scales: Float32Array;
}

/** What a program has of its quantised activations so far, by their name. */
export type QuantizedContext = Pick<LoweringContext, 'emit' | 'constant'> & {
  initializers: Map<string, OnnxTensor>;
  rows: Map<string, QuantizedRows>;
};

interface QuantizedRows {
  levels: string;
  rowScales: string;
  zero: string;
}

/**
 * Writes `output = activations × weight + bias`.
 *
 * Every row of the activations (a token) has its own scale, max |x| / 127, with 128 as its zero.
 * DynamicQuantizeMatMul would do all in one node, but with one scale for the whole array: what a picture
 * gives would then depend on the other pictures of its batch, and one token with large values would
 * coarsen all others. The passes over the rows cost about an eighth of the product.
 */
export function writeQuantizedGemm(
  context: QuantizedContext,
  weight: QuantizedWeight,
  { activations, bias, output }: { activations: string; bias: string | undefined; output: string },
): void {
  const { emit, constant, initializers } = context;
  const numbers = `${weight.name}:int8`;
  const data = weight.data instanceof Int8Array ? bytesOf(weight.data) : weight.data;
  initializers.set(numbers, { name: numbers, type: 'int8', shape: weight.shape, data });
  // Not under a name of its own: another product may scale the same weight otherwise.
  const scales = constant(weight.scales, [weight.scales.length]);

  const { levels, rowScales, zero } = quantizeRows(context, activations);
  const one = constant(Float32Array.of(1), []);
  const product = emit('MatMulIntegerToFloat', [levels, numbers, one, scales, zero], { domain: microsoft });
  if (bias === undefined) emit('Mul', [product, rowScales], { outputs: [output] });
  else emit('Add', [emit('Mul', [product, rowScales]), bias], { outputs: [output] });
}

const microsoft = 'com.microsoft';

/** [m, width] → levels [m, width] in uint8, rowScales [m, 1]; products with the same activations share them. */
function quantizeRows({ emit, constant, rows }: QuantizedContext, activations: string): QuantizedRows {
  const known = rows.get(activations);
  if (known !== undefined) return known;
  const lastAxis = constant(BigInt64Array.of(-1n), [1]);
  const keep = { attributes: { keepdims: 1 } };
  const highest = emit('ReduceMax', [activations, lastAxis], keep);
  const lowest = emit('ReduceMin', [activations, lastAxis], keep);
  // A row of zeros still needs a scale to divide by.
  const largest = emit('Max', [highest, emit('Neg', [lowest]), constant(Float32Array.of(1e-30), [])]);
  const rowScales = emit('Mul', [largest, constant(Float32Array.of(1 / 127), [])]);
  const flat = emit('Reshape', [rowScales, constant(BigInt64Array.of(-1n), [1])]);
  const zero = constant(Uint8Array.of(128), []);
  const zeros = emit('Expand', [zero, emit('Shape', [flat])]);
  const levels = emit('QuantizeLinear', [activations, flat, zeros], { attributes: { axis: 0 } });
  const quantized = { levels, rowScales, zero };
  rows.set(activations, quantized);
  return quantized;
}
