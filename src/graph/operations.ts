/** One function an operator: what models are written with. A number stands for a constant. */
import { EidosError } from '../errors.ts';
import { type Dimension, formatShape, isSymbolic, type Shape, size } from './dimension.ts';
import type { Initialiser } from './initialise.ts';
import type {
  ConstantData,
  ConvolutionAttributes,
  OperatorName,
  Operators,
  WindowAttributes,
} from './operators.ts';
import { type Signature, shapeRules } from './shapes.ts';
import type { Node, NodeOf, Value, ValueType } from './value.ts';

export type Operand = Value | number;

/** Applies an operator; the outputs' shapes follow from its row in the table. */
export function apply<K extends OperatorName>(
  operator: K,
  inputs: readonly Value[],
  attributes: Operators[K],
): Value[] {
  const rule = shapeRules[operator] as (inputs: readonly Value[], attributes: Operators[K]) => Signature[];
  let signatures: Signature[];
  try {
    signatures = rule(inputs, attributes);
  } catch (error) {
    if (!(error instanceof EidosError)) throw error;
    throw new EidosError(error.code, `${operator}: ${error.message}`, { cause: error });
  }
  const outputs: Value[] = [];
  const node: NodeOf<K> = { operator, attributes, inputs, outputs };
  signatures.forEach(({ shape, type }, index) => {
    outputs.push({ node: node as unknown as Node, index, shape, type });
  });
  return outputs;
}

function one<K extends OperatorName>(operator: K, inputs: readonly Value[], attributes: Operators[K]): Value {
  return apply(operator, inputs, attributes)[0]!;
}

// Leaves

/** What is fed at run time. */
export function input(name: string, shape: Shape, type: ValueType = 'float32'): Value {
  return one('input', [], { name, shape, type });
}

/** A learned array; its name is the canonical name of checkpoints. */
export function parameter(
  name: string,
  shape: readonly number[],
  initialiser: Initialiser,
  { trainable = true } = {},
): Value {
  return one('parameter', [], { name, shape, initialiser, trainable });
}

/** Numbers that the graph carries with it. */
export function constant(data: ConstantData, shape: readonly number[] = [data.length]): Value {
  const type = data instanceof Float32Array ? 'float32' : data instanceof BigInt64Array ? 'int64' : 'bool';
  return one('constant', [], { data, shape, type });
}

/** A float without axes. */
export function scalar(value: number): Value {
  return constant(Float32Array.of(value), []);
}

function value(operand: Operand): Value {
  return typeof operand === 'number' ? scalar(operand) : operand;
}

// Element by element

export const negate = (x: Value): Value => one('negate', [x], {});
export const exp = (x: Value): Value => one('exp', [x], {});
export const log = (x: Value): Value => one('log', [x], {});
export const sqrt = (x: Value): Value => one('sqrt', [x], {});
export const reciprocal = (x: Value): Value => one('reciprocal', [x], {});
export const tanh = (x: Value): Value => one('tanh', [x], {});
export const sigmoid = (x: Value): Value => one('sigmoid', [x], {});
export const erf = (x: Value): Value => one('erf', [x], {});
export const abs = (x: Value): Value => one('abs', [x], {});
export const relu = (x: Value): Value => one('relu', [x], {});
/** min(max(x, lowest), highest); between 0 and 6 it is the rectified unit of MobileNets. */
export const clamp = (x: Value, lowest: number, highest: number): Value =>
  one('clamp', [x], { lowest, highest });
/** x·σ(x) (Elfwing et al. 2017). */
export const silu = (x: Value): Value => one('silu', [x], {});
/** log(1 + eˣ), without overflow. */
export const softplus = (x: Value): Value => one('softplus', [x], {});
export const cast = (x: Value, to: ValueType): Value => (x.type === to ? x : one('cast', [x], { to }));
export const add = (a: Operand, b: Operand): Value => one('add', [value(a), value(b)], {});
export const subtract = (a: Operand, b: Operand): Value => one('subtract', [value(a), value(b)], {});
export const multiply = (a: Operand, b: Operand): Value => one('multiply', [value(a), value(b)], {});
export const divide = (a: Operand, b: Operand): Value => one('divide', [value(a), value(b)], {});
export const maximum = (a: Operand, b: Operand): Value => one('maximum', [value(a), value(b)], {});
export const minimum = (a: Operand, b: Operand): Value => one('minimum', [value(a), value(b)], {});
export const equal = (a: Operand, b: Operand): Value => one('equal', [value(a), value(b)], {});
export const greater = (a: Operand, b: Operand): Value => one('greater', [value(a), value(b)], {});
export const where = (condition: Value, then: Operand, otherwise: Operand): Value =>
  one('where', [condition, value(then), value(otherwise)], {});

// Over axes; negative ones count from the end

export function reduceSum(x: Value, axes: readonly number[], keep = false): Value {
  return axes.length === 0 ? x : one('reduceSum', [x], { axes: axes.map((axis) => positive(axis, x)), keep });
}

export function reduceMean(x: Value, axes: readonly number[], keep = false): Value {
  return axes.length === 0
    ? x
    : one('reduceMean', [x], { axes: axes.map((axis) => positive(axis, x)), keep });
}

/** The largest element over the axes; equal ones share its gradient alike. */
export function reduceMax(x: Value, axes: readonly number[], keep = false): Value {
  return axes.length === 0 ? x : one('reduceMax', [x], { axes: axes.map((axis) => positive(axis, x)), keep });
}

/** Index of the first largest element along an axis, which disappears. */
export const argMax = (x: Value, axis: number): Value => one('argMax', [x], { axis: positive(axis, x) });
export const softmax = (x: Value, axis = -1): Value => one('softmax', [x], { axis: positive(axis, x) });
export const logSoftmax = (x: Value, axis = -1): Value => one('logSoftmax', [x], { axis: positive(axis, x) });

// Shapes

/** The same elements in another shape; one size may be −1 and follows from the others. */
export function reshape(x: Value, shape: Shape): Value {
  const open = shape.indexOf(-1);
  if (open < 0) return one('reshape', [x], { shape });
  const rest = size(shape.filter((_, axis) => axis !== open));
  return one('reshape', [x], {
    shape: shape.map((old, axis) => (axis === open ? quotient(size(x.shape), rest) : old)),
  });
}

export const transpose = (x: Value, permutation: readonly number[]): Value =>
  one('transpose', [x], { permutation });

/** Exchanges the last two axes. */
export function transposeMatrix(x: Value): Value {
  const axes = x.shape.map((_, axis) => axis);
  return transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
}

export const concat = (parts: readonly Value[], axis: number): Value =>
  parts.length === 1 ? parts[0]! : one('concat', parts, { axis: positive(axis, parts[0]!) });

/** Elements start, start + step, … before end (after end for negative steps; −1 reaches the first element). */
export const slice = (x: Value, axis: number, start: number, end: number, step = 1): Value =>
  one('slice', [x], { axis: positive(axis, x), start, end, step });

/** Zeros before and after, counted axis by axis. */
export const pad = (x: Value, before: readonly number[], after: readonly number[]): Value =>
  one('pad', [x], { before, after });

/** An axis made `length` long: its end cut off, or zeros after it; its size may be known only at run time. */
export const fitLength = (x: Value, axis: number, length: number): Value =>
  one('fitLength', [x], { axis: positive(axis, x), length });

export const broadcastLike = (x: Value, reference: Value): Value => one('broadcastLike', [x, reference], {});
export const gather = (table: Value, indices: Value, axis = 0): Value =>
  one('gather', [table, indices], { axis: positive(axis, table) });
export const scatterAdd = (indices: Value, updates: Value, rows: number): Value =>
  one('scatterAdd', [indices, updates], { rows });
export const selectTokens = (tokens: Value, index: Value): Value => one('selectTokens', [tokens, index], {});

// Products

export const matmul = (a: Value, b: Value): Value => one('matmul', [a, b], {});

/** A product of two matrices, either of them transposed, plus a bias that may stretch. */
export function gemm(
  a: Value,
  b: Value,
  bias?: Value,
  { transposeA = false, transposeB = false, scale = 1, biasScale = 1 }: Partial<Operators['gemm']> = {},
): Value {
  return one('gemm', bias === undefined ? [a, b] : [a, b, bias], {
    transposeA,
    transposeB,
    scale,
    biasScale,
  });
}

// Pictures

export interface ConvolutionOptions extends Partial<ConvolutionAttributes> {}

export function conv(x: Value, kernel: Value, bias?: Value, options: ConvolutionOptions = {}): Value {
  return one('conv', bias === undefined ? [x, kernel] : [x, kernel, bias], convolutionAttributes(options));
}

export function convTranspose(
  x: Value,
  kernel: Value,
  options: ConvolutionOptions & { outputPadding?: readonly [number, number] } = {},
): Value {
  const { outputPadding = [0, 0], ...rest } = options;
  return one('convTranspose', [x, kernel], { ...convolutionAttributes(rest), outputPadding });
}

function convolutionAttributes(options: ConvolutionOptions): ConvolutionAttributes {
  return { strides: [1, 1], padding: [0, 0, 0, 0], dilations: [1, 1], groups: 1, ...options };
}

/** The mean of each window; the strides are those of the kernel unless said. */
export function averagePool(
  x: Value,
  kernel: readonly [number, number],
  options: Partial<WindowAttributes> = {},
): Value {
  return one('averagePool', [x], { kernel, strides: kernel, padding: [0, 0, 0, 0], ...options });
}

// Norms

/** (x − mean) / √(variance + epsilon) · gain + bias over the last axis. */
export const layerNorm = (x: Value, gain: Value, bias: Value, epsilon: number): Value =>
  one('layerNorm', [x, gain, bias], { epsilon });

/** The same per channel, with statistics that are given. */
export const batchNorm = (
  x: Value,
  { gain, bias, mean, variance }: { gain: Value; bias: Value; mean: Value; variance: Value },
  epsilon: number,
): Value => one('batchNorm', [x, gain, bias, mean, variance], { epsilon });

/** The same per channel, with the statistics of the batch, which are returned (the variance divides by the count). */
export function batchNormTraining(
  x: Value,
  { gain, bias }: { gain: Value; bias: Value },
  epsilon: number,
): { y: Value; mean: Value; variance: Value } {
  const [y, mean, variance] = apply('batchNormTraining', [x, gain, bias], { epsilon });
  return { y: y!, mean: mean!, variance: variance! };
}

function positive(axis: number, x: Value): number {
  return axis < 0 ? axis + x.shape.length : axis;
}

function quotient(whole: Dimension, part: Dimension): Dimension {
  if (isSymbolic(whole)) {
    if (isSymbolic(part)) return whole.factor / part.factor;
    const factor = whole.factor / part;
    return { symbol: whole.symbol, factor };
  }
  if (isSymbolic(part)) {
    throw new EidosError(
      'invalid_graph',
      `reshape: ${whole} elements do not divide by ${formatShape([part])}`,
    );
  }
  return whole / part;
}
