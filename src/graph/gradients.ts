/**
 * Reverse-mode gradients, one row an operator: from the gradients of its outputs to those of its inputs.
 * Written with operators, so that gradients are graphs as well.
 */

import { EidosError } from '../errors.ts';
import {
  convolutionGradients,
  poolGradient,
  transposedConvolutionGradients,
} from './convolution-gradients.ts';
import { sumTo } from './derived.ts';
import { isSymbolic, staticShape } from './dimension.ts';
import {
  add,
  broadcastLike,
  cast,
  constant,
  divide,
  equal,
  exp,
  fitLength,
  gather,
  gemm,
  greater,
  matmul,
  multiply,
  negate,
  pad,
  reciprocal,
  reduceMean,
  reduceSum,
  reshape,
  scalar,
  scatterAdd,
  sigmoid,
  slice,
  softmax,
  sqrt,
  subtract,
  transpose,
  transposeMatrix,
  where,
} from './operations.ts';
import type { OperatorName } from './operators.ts';
import type { NodeOf, Value } from './value.ts';

/** Gradients of a node's inputs; undefined where none was asked for or none exists. */
export type InputGradients = readonly (Value | undefined)[];

/** What a rule is given beside the node. */
export interface GradientQuery {
  /** Gradients of the outputs; undefined where an output has no influence. The first one is nearly always there. */
  outputs: readonly (Value | undefined)[];
  /** Whether the gradient of input i is needed at all. */
  wanted: (input: number) => boolean;
}

type GradientRule<K extends OperatorName> = (
  node: NodeOf<K>,
  dy: Value,
  query: GradientQuery,
) => InputGradients;

const none: GradientRule<OperatorName> = () => [];

/** One row an operator. `dy` is the gradient of the first output, `y`. */
export const gradientRules: { readonly [K in OperatorName]: GradientRule<K> } = {
  input: none,
  parameter: none,
  constant: none,

  negate: (_, dy) => [negate(dy)],
  exp: (node, dy) => [multiply(dy, y(node))], // (eˣ)′ = eˣ
  log: ({ inputs: [x] }, dy) => [divide(dy, x!)], // 1/x
  sqrt: (node, dy) => [divide(multiply(dy, 0.5), y(node))], // 1/(2√x)
  reciprocal: (node, dy) => [negate(multiply(dy, multiply(y(node), y(node))))], // −1/x²
  tanh: (node, dy) => [multiply(dy, subtract(1, multiply(y(node), y(node))))], // 1 − tanh²
  sigmoid: (node, dy) => [multiply(dy, multiply(y(node), subtract(1, y(node))))], // σ(1 − σ)
  erf: ({ inputs: [x] }, dy) => [
    multiply(dy, multiply(exp(negate(multiply(x!, x!))), 2 / Math.sqrt(Math.PI))),
  ], // 2/√π·e^−x²
  abs: ({ inputs: [x] }, dy) => [where(greater(x!, 0), dy, negate(dy))],
  relu: ({ inputs: [x] }, dy) => [where(greater(x!, 0), dy, 0)],
  // PyTorch's hardtanh: nothing passes at the bounds themselves
  clamp: ({ inputs: [x], attributes: { lowest, highest } }, dy) => [
    where(greater(x!, lowest), where(greater(highest, x!), dy, 0), 0),
  ],
  silu: (node, dy, { outputs }) => {
    if (outputs[1] !== undefined) {
      throw new EidosError('invalid_graph', 'silu has no gradient through its second output');
    }
    // (x·σ)′ = σ + xσ(1 − σ) = σ·(1 + x − y): the form with the fewest passes over memory
    const [x] = node.inputs;
    const [result, gate] = node.outputs;
    return [multiply(dy, multiply(gate!, add(subtract(x!, result!), 1)))];
  },
  softplus: ({ inputs: [x] }, dy) => [multiply(dy, sigmoid(x!))], // σ(x)
  cast: ({ inputs: [x] }, dy) => [x!.type === 'float32' ? cast(dy, 'float32') : undefined],
  add: ({ inputs: [a, b] }, dy, { wanted }) => [
    wanted(0) ? sumTo(dy, a!.shape) : undefined,
    wanted(1) ? sumTo(dy, b!.shape) : undefined,
  ],
  subtract: ({ inputs: [a, b] }, dy, { wanted }) => [
    wanted(0) ? sumTo(dy, a!.shape) : undefined,
    wanted(1) ? negate(sumTo(dy, b!.shape)) : undefined,
  ],
  multiply: ({ inputs: [a, b] }, dy, { wanted }) => [
    wanted(0) ? sumTo(multiply(dy, b!), a!.shape) : undefined,
    wanted(1) ? sumTo(multiply(dy, a!), b!.shape) : undefined,
  ],
  divide: (node, dy, { wanted }) => {
    const [a, b] = node.inputs;
    const perA = divide(dy, b!);
    return [
      wanted(0) ? sumTo(perA, a!.shape) : undefined,
      wanted(1) ? negate(sumTo(multiply(perA, y(node)), b!.shape)) : undefined, // −a/b² = −y/b
    ];
  },
  maximum: (node, dy, query) => extremum(node, dy, query),
  minimum: (node, dy, query) => extremum(node, dy, query),
  equal: none,
  greater: none,
  where: ({ inputs: [condition, then, otherwise] }, dy, { wanted }) => [
    undefined,
    wanted(1) ? sumTo(where(condition!, dy, 0), then!.shape) : undefined,
    wanted(2) ? sumTo(where(condition!, 0, dy), otherwise!.shape) : undefined,
  ],

  reduceSum: ({ inputs: [x], attributes: { axes } }, dy) => [broadcastLike(withAxes(dy, x!, axes), x!)],
  reduceMean: ({ inputs: [x], attributes: { axes } }, dy) => {
    const spread = broadcastLike(withAxes(dy, x!, axes), x!);
    const sizes = axes.map((axis) => x!.shape[axis]!);
    if (sizes.some(isSymbolic)) {
      const count = reduceSum(broadcastLike(scalar(1), x!), axes, true);
      return [divide(spread, count)];
    }
    return [multiply(spread, 1 / (sizes as number[]).reduce((product, next) => product * next, 1))];
  },
  reduceMax: (node, dy) => {
    const { axes } = node.attributes;
    const x = node.inputs[0]!;
    const largest = cast(equal(x, broadcastLike(withAxes(y(node), x, axes), x)), 'float32');
    return [multiply(largest, divide(withAxes(dy, x, axes), reduceSum(largest, axes, true)))];
  },
  argMax: none,
  softmax: (node, dy) => {
    // y ∘ (dy − ⟨dy, y⟩)
    const { axis } = node.attributes;
    const weighted = multiply(dy, y(node));
    return [subtract(weighted, multiply(y(node), reduceSum(weighted, [axis], true)))];
  },
  logSoftmax: ({ inputs: [x], attributes: { axis } }, dy) => [
    subtract(dy, multiply(softmax(x!, axis), reduceSum(dy, [axis], true))),
  ],

  reshape: ({ inputs: [x] }, dy) => [reshape(dy, x!.shape)],
  transpose: ({ attributes: { permutation } }, dy) => [
    transpose(
      dy,
      permutation.map((_, axis) => permutation.indexOf(axis)),
    ),
  ],
  concat: ({ inputs, attributes: { axis } }, dy, { wanted }) => {
    const lengths = staticShape(
      inputs.map((part) => part.shape[axis]!),
      'the gradient of concat',
    );
    let start = 0;
    return lengths.map((length, i) => {
      const end = start + length;
      const gradient = wanted(i) ? slice(dy, axis, start, end) : undefined;
      start = end;
      return gradient;
    });
  },
  slice: ({ inputs: [x], attributes: { axis, start, end, step } }, dy) => [
    unslice(dy, axis, { start, end, step }, Number(x!.shape[axis])),
  ],
  pad: ({ inputs: [x], attributes: { before } }, dy) => [
    before.reduce((inner, offset, axis) => {
      const length = x!.shape[axis]!;
      const whole = inner.shape[axis]!;
      return isSymbolic(length) || length === whole ? inner : slice(inner, axis, offset, offset + length);
    }, dy),
  ],
  fitLength: ({ inputs: [x], attributes: { axis } }, dy) => {
    const length = x!.shape[axis]!;
    if (isSymbolic(length)) {
      throw new EidosError('invalid_graph', 'fitLength has a gradient only where the size is known');
    }
    return [fitLength(dy, axis, length)]; // what was cut off has no influence, what was filled up comes from nowhere
  },
  broadcastLike: ({ inputs: [x] }, dy) => [sumTo(dy, x!.shape), undefined],
  gather: ({ inputs: [table, indices], attributes: { axis } }, dy) => {
    if (axis !== 0) throw new EidosError('invalid_graph', 'gather has a gradient along axis 0 only');
    const [rows] = staticShape(table!.shape.slice(0, 1), 'the gradient of gather');
    return [scatterAdd(indices!, dy, rows!), undefined];
  },
  scatterAdd: ({ inputs: [indices] }, dy) => [undefined, gather(dy, indices!, 0)],
  selectTokens: ({ inputs: [tokens, index] }, dy) => {
    const [n, , width] = tokens!.shape;
    const [length] = staticShape(tokens!.shape.slice(1, 2), 'the gradient of selectTokens');
    const places = constant(BigInt64Array.from({ length: length! }, (_, i) => BigInt(i)));
    const chosen = equal(reshape(index!, [n!, 1]), places); // [n, tokens]
    return [
      multiply(cast(reshape(chosen, [n!, length!, 1]), 'float32'), reshape(dy, [n!, 1, width!])),
      undefined,
    ];
  },

  matmul: ({ inputs: [a, b] }, dy, { wanted }) => [
    wanted(0) ? sumTo(matmul(dy, transposeMatrix(b!)), a!.shape) : undefined,
    wanted(1) ? sumTo(matmul(transposeMatrix(a!), dy), b!.shape) : undefined,
  ],
  gemm: (
    { inputs: [a, b, bias], attributes: { transposeA, transposeB, scale, biasScale } },
    dy,
    { wanted },
  ) => [
    !wanted(0)
      ? undefined
      : transposeA
        ? gemm(b!, dy, undefined, { transposeA: transposeB, transposeB: true, scale })
        : gemm(dy, b!, undefined, { transposeB: !transposeB, scale }),
    !wanted(1)
      ? undefined
      : transposeB
        ? gemm(dy, a!, undefined, { transposeA: true, transposeB: transposeA, scale })
        : gemm(a!, dy, undefined, { transposeA: !transposeA, scale }),
    bias !== undefined && wanted(2) ? scaled(sumTo(dy, bias.shape), biasScale) : undefined,
  ],

  conv: convolutionGradients,
  convTranspose: transposedConvolutionGradients,
  averagePool: poolGradient,

  layerNorm: (node, dy, { outputs, wanted }) => {
    if (outputs[1] !== undefined || outputs[2] !== undefined) {
      throw new EidosError('invalid_graph', 'layerNorm has no gradient through its mean and deviation');
    }
    const [x, gain] = node.inputs;
    const [, mean, inverseDeviation] = node.outputs;
    const centred = multiply(subtract(x!, mean!), inverseDeviation!);
    const lead = x!.shape.map((_, axis) => axis).slice(0, -1);
    return [
      wanted(0)
        ? projectOut(multiply(dy, gain!), centred, inverseDeviation!, [x!.shape.length - 1])
        : undefined,
      wanted(1) ? reduceSum(multiply(dy, centred), lead) : undefined,
      wanted(2) ? reduceSum(dy, lead) : undefined,
    ];
  },
  batchNorm: ({ inputs: [x, gain, , mean, variance], attributes: { epsilon } }, dy, { wanted }) => {
    const inverseDeviation = reciprocal(sqrt(add(variance!, epsilon)));
    const centred = (): Value => multiply(subtract(x!, perChannel(mean!)), perChannel(inverseDeviation));
    const slope = (): Value => multiply(gain!, inverseDeviation);
    const sum = perChannelSum(dy);
    const correlation = (): Value => perChannelSum(multiply(dy, centred()));
    return [
      wanted(0) ? multiply(dy, perChannel(slope())) : undefined,
      wanted(1) ? correlation() : undefined,
      wanted(2) ? sum : undefined,
      wanted(3) ? negate(multiply(sum, slope())) : undefined,
      // d/dv (v + ε)^−½ = −½ (v + ε)^−1 · (v + ε)^−½
      wanted(4) ? multiply(multiply(correlation(), multiply(slope(), inverseDeviation)), -0.5) : undefined,
    ];
  },
  batchNormTraining: (node, dy, { outputs, wanted }) => {
    if (outputs[1] !== undefined || outputs[2] !== undefined) {
      throw new EidosError('invalid_graph', 'batchNormTraining has no gradient through its statistics');
    }
    const [x, gain] = node.inputs;
    const [, mean, variance] = node.outputs;
    const inverseDeviation = perChannel(reciprocal(sqrt(add(variance!, node.attributes.epsilon))));
    const centred = multiply(subtract(x!, perChannel(mean!)), inverseDeviation);
    return [
      wanted(0)
        ? projectOut(multiply(dy, perChannel(gain!)), centred, inverseDeviation, [0, 2, 3])
        : undefined,
      wanted(1) ? perChannelSum(multiply(dy, centred)) : undefined,
      wanted(2) ? perChannelSum(dy) : undefined,
    ];
  },
};

function scaled(v: Value, factor: number): Value {
  return factor === 1 ? v : multiply(v, factor);
}

/** The first output of a node. */
function y(node: { readonly outputs: readonly Value[] }): Value {
  return node.outputs[0]!;
}

/** Axes of size 1 where a reduction removed them. */
function withAxes(dy: Value, x: Value, axes: readonly number[]): Value {
  if (dy.shape.length === x.shape.length) return dy;
  return reshape(
    dy,
    x.shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension)),
  );
}

/** The larger or smaller operand receives the gradient; equal ones share it. */
function extremum(
  node: NodeOf<'maximum'> | NodeOf<'minimum'>,
  dy: Value,
  { wanted }: GradientQuery,
): InputGradients {
  const [a, b] = node.inputs;
  const share = (of: Value, other: Value): Value => {
    const chosen = cast(equal(of, y(node)), 'float32');
    const tie = cast(equal(of, other), 'float32');
    return sumTo(multiply(dy, subtract(chosen, multiply(tie, 0.5))), of.shape);
  };
  return [wanted(0) ? share(a!, b!) : undefined, wanted(1) ? share(b!, a!) : undefined];
}

/** Zeros where a slice left elements out. */
function unslice(
  dy: Value,
  axis: number,
  { start, end, step }: { start: number; end: number; step: number },
  length: number,
): Value {
  const count = Math.ceil((end - start) / step);
  if (step < 0) {
    const last = start + (count - 1) * step;
    return unslice(
      slice(dy, axis, count - 1, -1, -1),
      axis,
      { start: last, end: start + 1, step: -step },
      length,
    );
  }
  const shape = dy.shape;
  const edges = (value: number, at = axis, rank = shape.length): number[] =>
    Array.from({ length: rank }, (_, i) => (i === at ? value : 0));
  const covered = (count - 1) * step + 1;
  if (step === 1) return pad(dy, edges(start), edges(length - start - count));
  // Spread out: each element becomes a row of `step` with zeros after it.
  const split = reshape(dy, [...shape.slice(0, axis + 1), 1, ...shape.slice(axis + 1)]);
  const spread = pad(
    split,
    edges(0, axis + 1, shape.length + 1),
    edges(step - 1, axis + 1, shape.length + 1),
  );
  const joined = reshape(
    spread,
    shape.map((dimension, i) => (i === axis ? count * step : dimension)),
  );
  const cut = slice(joined, axis, 0, covered);
  return pad(cut, edges(start), edges(length - start - covered));
}

/**
 * The gradient through x̂ = (x − mean)/deviation: (g − mean(g) − x̂·mean(g ∘ x̂))/deviation
 * (Ioffe and Szegedy 2015, section 3; Ba et al. 2016).
 */
function projectOut(g: Value, normalized: Value, inverseDeviation: Value, axes: readonly number[]): Value {
  const mean = reduceMean(g, axes, true);
  const slope = reduceMean(multiply(g, normalized), axes, true);
  return multiply(subtract(subtract(g, mean), multiply(normalized, slope)), inverseDeviation);
}

/** [channels] → [1, channels, 1, 1]. */
function perChannel(v: Value): Value {
  return reshape(v, [1, v.shape[0]!, 1, 1]);
}

/** [n, channels, height, width] → [channels]. Two steps are faster than one over axes that are no neighbours. */
function perChannelSum(v: Value): Value {
  return reduceSum(reduceSum(v, [2, 3]), [0]);
}
