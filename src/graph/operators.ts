/**
 * The operators and their attributes. This is the one list: the tables of shapes (shapes.ts), gradients
 * (gradients.ts) and lowerings (engine/onnx/lowerings.ts) are mapped types over it, so that an operator
 * without a row in each of them does not compile.
 */
import type { Shape } from './dimension.ts';
import type { Initialiser } from './initialise.ts';
import type { ValueType } from './value.ts';

type None = Readonly<Record<string, never>>;

/** Numbers that a graph carries with it. */
export type ConstantData = Float32Array | BigInt64Array | Uint8Array;

/** Two-dimensional windows: sizes along height and width, padding before and after. */
export interface WindowAttributes {
  readonly strides: readonly [number, number];
  /** Zeros around the picture: top, left, bottom, right. */
  readonly padding: readonly [number, number, number, number];
}

export interface ConvolutionAttributes extends WindowAttributes {
  readonly dilations: readonly [number, number];
  readonly groups: number;
}

export interface Operators {
  // Leaves
  input: { readonly name: string; readonly shape: Shape; readonly type: ValueType };
  parameter: {
    readonly name: string;
    readonly shape: readonly number[];
    readonly initialiser: Initialiser;
    /** Whether gradients move it; running statistics, for example, are measured instead. */
    readonly trainable: boolean;
  };
  constant: { readonly data: ConstantData; readonly shape: readonly number[]; readonly type: ValueType };

  // Element by element
  negate: None;
  exp: None;
  log: None;
  sqrt: None;
  reciprocal: None;
  tanh: None;
  sigmoid: None;
  erf: None;
  abs: None;
  relu: None;
  clamp: { readonly lowest: number; readonly highest: number }; // min(max(x, lowest), highest)
  silu: None; // x·σ(x) → y, σ(x)
  softplus: None; // log(1 + eˣ)
  cast: { readonly to: ValueType };
  add: None;
  subtract: None;
  multiply: None;
  divide: None;
  maximum: None;
  minimum: None;
  equal: None; // → bool
  greater: None; // → bool
  where: None; // (condition, then, otherwise)

  // Over axes
  reduceSum: { readonly axes: readonly number[]; readonly keep: boolean };
  reduceMean: { readonly axes: readonly number[]; readonly keep: boolean };
  reduceMax: { readonly axes: readonly number[]; readonly keep: boolean };
  argMax: { readonly axis: number }; // first index of the largest → int64, axis removed
  softmax: { readonly axis: number };
  logSoftmax: { readonly axis: number };

  // Shapes
  reshape: { readonly shape: Shape };
  transpose: { readonly permutation: readonly number[] };
  concat: { readonly axis: number };
  slice: { readonly axis: number; readonly start: number; readonly end: number; readonly step: number };
  pad: { readonly before: readonly number[]; readonly after: readonly number[] }; // zeros
  fitLength: { readonly axis: number; readonly length: number }; // cut, or zeros after it, whatever the size was
  broadcastLike: None; // (value, reference): stretched to the reference's shape
  gather: { readonly axis: number }; // (table, indices)
  scatterAdd: { readonly rows: number }; // (indices [i…], updates [i…, r…]) → [rows, r…], equal indices add up
  selectTokens: None; // (tokens [n, t, w], index [n]) → [n, w]

  // Products
  matmul: None; // batched over the leading axes, which broadcast
  /** (a, b, bias?) of two axes each: scale · a·b + biasScale · bias; the factors cost nothing. */
  gemm: {
    readonly transposeA: boolean;
    readonly transposeB: boolean;
    readonly scale: number;
    readonly biasScale: number;
  };

  // Pictures, [n, channels, height, width]
  conv: ConvolutionAttributes; // (x, kernel [out, in / groups, kh, kw], bias?)
  convTranspose: ConvolutionAttributes & { readonly outputPadding: readonly [number, number] }; // kernel [in, out / groups, kh, kw]
  averagePool: WindowAttributes & { readonly kernel: readonly [number, number] }; // padding does not count

  // Norms
  layerNorm: { readonly epsilon: number }; // (x, gain, bias) over the last axis → y, mean, 1 / deviation
  batchNorm: { readonly epsilon: number }; // (x, gain, bias, mean, variance) with given statistics
  batchNormTraining: { readonly epsilon: number }; // (x, gain, bias) → y, mean and (biased) variance of the batch
}

export type OperatorName = keyof Operators;
