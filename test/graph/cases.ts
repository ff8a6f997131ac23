/** Random applications of each operator: shapes, attributes and numbers on which it is tried. */
import fc from 'fast-check';
import { normal, randomNumbers } from '../../src/graph/initialise.ts';
import { apply, input } from '../../src/graph/operations.ts';
import type { ConvolutionAttributes, OperatorName, Operators } from '../../src/graph/operators.ts';
import { elementCount } from '../../src/graph/tensor.ts';
import type { Value, ValueType } from '../../src/graph/value.ts';
import type { Doubles } from './reference.ts';

export interface Operand extends Doubles {
  type: ValueType;
}

/** One application. A leaf that is fed (an input, a parameter) has its numbers as the only operand. */
export type OperatorCase<K extends OperatorName> = Application<Operators[K]>;

interface Application<Attributes> {
  attributes: Attributes;
  operands: Operand[];
}

type Draw = fc.GeneratorValue;

/** One row an operator. */
export const operatorCases: { readonly [K in OperatorName]: (draw: Draw) => OperatorCase<K> } = {
  input: (draw) => {
    const type = pick<ValueType>(draw, 'float32', 'int64', 'bool');
    const operand = numbers(draw, anyShape(draw), type === 'float32' ? 'fine' : type);
    return { attributes: { name: 'fed', shape: operand.shape, type }, operands: [operand] };
  },
  parameter: (draw) => {
    const shape = anyShape(draw);
    const operand = numbers(draw, shape);
    return {
      attributes: { name: 'fed', shape, initialiser: normal(1), trainable: true },
      operands: [operand],
    };
  },
  constant: (draw) => {
    const type = pick<ValueType>(draw, 'float32', 'int64', 'bool');
    const { shape, data } = numbers(draw, anyShape(draw), type === 'float32' ? 'fine' : type);
    return { attributes: { data: typed(type, data), shape, type }, operands: [] };
  },

  negate: unary('fine'),
  exp: unary('fine'),
  log: unary('positive'),
  sqrt: unary('positive'),
  reciprocal: unary('nonzero'),
  tanh: unary('fine'),
  sigmoid: unary('fine'),
  erf: unary('fine'),
  abs: unary('nonzero'),
  relu: unary('nonzero'),
  clamp: (draw) => {
    const lowest = whole(draw, -2, 0) - 1 / 128;
    return {
      attributes: { lowest, highest: lowest + whole(draw, 1, 3) },
      operands: [numbers(draw, anyShape(draw), 'fine')],
    };
  },
  silu: unary('fine'),
  softplus: unary('fine'),
  cast: (draw) => {
    const from = pick<NumberKind>(draw, 'fine', 'whole', 'int64', 'bool');
    const to = pick<ValueType>(draw, 'float32', 'int64', 'bool');
    return { attributes: { to }, operands: [numbers(draw, anyShape(draw), from)] };
  },
  add: binary('fine', 'fine'),
  subtract: binary('fine', 'fine'),
  multiply: binary('fine', 'fine'),
  divide: binary('fine', 'nonzero'),
  maximum: binary('fine', 'shifted'),
  minimum: binary('fine', 'shifted'),
  equal: comparison('whole', 'int64', 'bool'),
  greater: comparison('whole', 'int64'),
  where: (draw) => {
    const [condition, then, otherwise] = stretchingShapes(draw, 3);
    const kind = pick<NumberKind>(draw, 'fine', 'int64');
    return {
      attributes: {},
      operands: [
        numbers(draw, condition!, 'bool'),
        numbers(draw, then!, kind),
        numbers(draw, otherwise!, kind),
      ],
    };
  },

  reduceSum: reduction,
  reduceMean: reduction,
  reduceMax: (draw) => {
    const { attributes, operands } = reduction(draw);
    const { shape, type } = operands[0]!;
    // Numbers that all differ: at equal ones there is no slope to measure.
    const order = [...Array(elementCount(shape)).keys()];
    const data = Float64Array.from(draw(fc.shuffledSubarray<number>, order, { minLength: order.length }));
    return { attributes, operands: [{ shape, type, data: data.map((place) => place / 8 - 2) }] };
  },
  argMax: (draw) => {
    const shape = anyShape(draw, 1);
    const kind = pick<NumberKind>(draw, 'whole', 'int64');
    return { attributes: { axis: axisOf(draw, shape) }, operands: [numbers(draw, shape, kind)] };
  },
  softmax: alongAxis,
  logSoftmax: alongAxis,

  reshape: (draw) => {
    const [a, b, c] = [whole(draw, 1, 4), whole(draw, 1, 4), whole(draw, 1, 4)];
    const shapes = [[a, b, c], [a * b, c], [a, b * c], [c, 1, b * a], [a * b * c], [c, b, 1, a]];
    const [from, to] = [pick(draw, ...shapes), pick(draw, ...shapes)];
    return { attributes: { shape: to }, operands: [numbers(draw, from, anyKind(draw))] };
  },
  transpose: (draw) => {
    const shape = anyShape(draw);
    const axes = shape.map((_, axis) => axis);
    const permutation = draw(fc.shuffledSubarray<number>, axes, { minLength: axes.length });
    return { attributes: { permutation }, operands: [numbers(draw, shape, anyKind(draw))] };
  },
  concat: (draw) => {
    const shape = anyShape(draw, 1);
    const axis = axisOf(draw, shape);
    const kind = anyKind(draw);
    const part = () => numbers(draw, withLength(shape, axis, whole(draw, 1, 3)), kind);
    return { attributes: { axis }, operands: Array.from({ length: whole(draw, 2, 4) }, part) };
  },
  slice: (draw) => {
    const shape = anyShape(draw, 1);
    const axis = axisOf(draw, shape);
    const longer = withLength(shape, axis, whole(draw, 1, 9));
    const length = longer[axis]!;
    const start = whole(draw, 0, length - 1);
    const size = whole(draw, 1, 4);
    const backwards = pick(draw, false, true);
    const end = backwards ? whole(draw, -1, start - 1) : whole(draw, start + 1, length);
    return {
      attributes: { axis, start, end, step: backwards ? -size : size },
      operands: [numbers(draw, longer, anyKind(draw))],
    };
  },
  pad: (draw) => {
    const shape = anyShape(draw, 1);
    const [before, after] = [shape.map(() => whole(draw, 0, 2)), shape.map(() => whole(draw, 0, 2))];
    return { attributes: { before, after }, operands: [numbers(draw, shape, anyKind(draw))] };
  },
  fitLength: (draw) => {
    const shape = anyShape(draw, 1);
    const axis = axisOf(draw, shape);
    const given = withLength(shape, axis, whole(draw, 1, 6));
    return {
      attributes: { axis, length: whole(draw, 1, 6) },
      operands: [numbers(draw, given, anyKind(draw))],
    };
  },
  broadcastLike: (draw) => {
    const full = anyShape(draw);
    const shape = shrunk(draw, full);
    return {
      attributes: {},
      operands: [numbers(draw, shape, anyKind(draw)), numbers(draw, full, anyKind(draw))],
    };
  },
  gather: (draw) => gathering(draw, undefined),
  scatterAdd: (draw) => {
    const rows = whole(draw, 1, 4);
    const places = anyShape(draw, 0, 2);
    const updates = [...places, ...anyShape(draw, 0, 2)];
    return {
      attributes: { rows },
      operands: [numbers(draw, places, { below: rows }), numbers(draw, updates)],
    };
  },
  selectTokens: (draw) => {
    const [n, length, width] = [whole(draw, 1, 4), whole(draw, 1, 5), whole(draw, 1, 4)];
    return {
      attributes: {},
      operands: [numbers(draw, [n, length, width]), numbers(draw, [n], { below: length })],
    };
  },

  matmul: (draw) => {
    const [left, right] = stretchingShapes(draw, 2, 2);
    const [rows, inner, columns] = [whole(draw, 1, 4), whole(draw, 1, 4), whole(draw, 1, 4)];
    return {
      attributes: {},
      operands: [numbers(draw, [...left!, rows, inner]), numbers(draw, [...right!, inner, columns])],
    };
  },
  gemm: (draw) => {
    const [rows, inner, columns] = [whole(draw, 1, 5), whole(draw, 1, 5), whole(draw, 1, 5)];
    const [transposeA, transposeB] = [pick(draw, false, true), pick(draw, false, true)];
    const bias = pick<number[] | undefined>(
      draw,
      undefined,
      [],
      [1],
      [columns],
      [1, columns],
      [rows, 1],
      [rows, columns],
      [1, 1],
    );
    const operands = [
      numbers(draw, transposeA ? [inner, rows] : [rows, inner]),
      numbers(draw, transposeB ? [columns, inner] : [inner, columns]),
    ];
    if (bias !== undefined) operands.push(numbers(draw, bias));
    const [scale, biasScale] = [pick(draw, 1, -1.702), pick(draw, 1, 0.5)];
    return { attributes: { transposeA, transposeB, scale, biasScale }, operands };
  },

  conv: (draw) => {
    const { attributes, kernel, perGroup } = convolution(draw);
    const out = perGroup * attributes.groups;
    const inPerGroup = whole(draw, 1, 2);
    const sides = [0, 1].map((side) => {
      const smallest = Math.max(1, reach(attributes, kernel, side));
      return whole(draw, smallest, Math.max(smallest, 6));
    });
    const operands = [
      numbers(draw, [whole(draw, 1, 3), inPerGroup * attributes.groups, ...sides]),
      numbers(draw, [out, inPerGroup, ...kernel]),
    ];
    if (pick(draw, false, true)) operands.push(numbers(draw, [out]));
    return { attributes, operands };
  },
  convTranspose: (draw) => {
    const { attributes, kernel, perGroup } = convolution(draw);
    const channels = whole(draw, 1, 2) * attributes.groups;
    const outputPadding = attributes.strides.map((stride) => whole(draw, 0, stride - 1)) as [number, number];
    const sides = [0, 1].map((side) => {
      const missing = Math.max(0, 1 - reach(attributes, kernel, side));
      const smallest = 1 + Math.ceil(missing / attributes.strides[side]!);
      return whole(draw, smallest, smallest + 3);
    });
    return {
      attributes: { ...attributes, outputPadding },
      operands: [
        numbers(draw, [whole(draw, 1, 3), channels, ...sides]),
        numbers(draw, [channels, perGroup, ...kernel]),
      ],
    };
  },
  averagePool: (draw) => {
    const kernel = [whole(draw, 1, 3), whole(draw, 1, 3)] as const;
    const strides = pick(draw, true, false) ? kernel : ([whole(draw, 1, 3), whole(draw, 1, 3)] as const);
    const padded = pick(draw, true, false);
    const side = (axis: 0 | 1): number => (padded ? whole(draw, 0, kernel[axis] - 1) : 0);
    const sides = kernel.map((length) => whole(draw, length, 7));
    return {
      attributes: { kernel, strides, padding: [side(0), side(1), side(0), side(1)] },
      operands: [numbers(draw, [whole(draw, 1, 3), whole(draw, 1, 3), ...sides])],
    };
  },

  layerNorm: (draw) => {
    const shape = anyShape(draw, 1);
    const width = shape[shape.length - 1]!;
    return {
      attributes: { epsilon: pick(draw, 1e-5, 1e-2) },
      operands: [numbers(draw, shape), numbers(draw, [width]), numbers(draw, [width])],
    };
  },
  batchNorm: (draw) => {
    const { x, channels } = pictures(draw);
    return {
      attributes: { epsilon: pick(draw, 1e-5, 1e-2) },
      operands: [
        x,
        ...(['fine', 'fine', 'fine', 'positive'] as const).map((kind) => numbers(draw, [channels], kind)),
      ],
    };
  },
  batchNormTraining: (draw) => {
    const { x, channels } = pictures(draw);
    return {
      attributes: { epsilon: pick(draw, 1e-5, 1e-2) },
      operands: [x, numbers(draw, [channels]), numbers(draw, [channels])],
    };
  },
};

/** Gather along one axis, or along any. */
export function gathering(draw: Draw, wanted: number | undefined): OperatorCase<'gather'> {
  const shape = anyShape(draw, 1);
  const axis = wanted ?? axisOf(draw, shape);
  const places = numbers(draw, anyShape(draw, 0, 2), { below: shape[axis]! });
  return {
    attributes: { axis },
    operands: [numbers(draw, shape, wanted === undefined ? anyKind(draw) : 'fine'), places],
  };
}

/** The graph of a case: an input for each operand, the outputs, and what to feed. */
export function graphOf<K extends OperatorName>(
  operator: K,
  { attributes, operands }: OperatorCase<K>,
): { inputs: Value[]; outputs: Value[]; feeds: Record<string, Operand> } {
  if (operator === 'input' || operator === 'parameter') {
    return { inputs: [], outputs: apply(operator, [], attributes), feeds: { fed: operands[0]! } };
  }
  const inputs = operands.map(({ shape, type }, i) => input(`x${i}`, shape, type));
  const feeds = Object.fromEntries(operands.map((operand, i) => [`x${i}`, operand]));
  return { inputs, outputs: apply(operator, inputs, attributes), feeds };
}

/**
 * Numbers that floats hold exactly: `fine` ones in steps of 1/64, `shifted` ones between those, `whole` ones with
 * many ties, `positive` ones from 1/2, `nonzero` ones from ±1/2.
 */
type NumberKind =
  | 'fine'
  | 'shifted'
  | 'whole'
  | 'positive'
  | 'nonzero'
  | 'int64'
  | 'bool'
  | { below: number };

const ranges: { readonly [K in NumberKind & string]: (random: () => number) => number } = {
  fine: (random) => Math.floor(random() * 257 - 128) / 64,
  shifted: (random) => Math.floor(random() * 257 - 128) / 64 + 1 / 128,
  whole: (random) => Math.floor(random() * 5) - 2,
  positive: (random) => 0.5 + Math.floor(random() * 128) / 64,
  nonzero: (random) => (random() < 0.5 ? -1 : 1) * (0.5 + Math.floor(random() * 128) / 64),
  int64: (random) => Math.floor(random() * 5) - 2,
  bool: (random) => Math.floor(random() * 2),
};

export function numbers(draw: Draw, shape: readonly number[], kind: NumberKind = 'fine'): Operand {
  const random = randomNumbers(draw(fc.nat));
  const next = typeof kind === 'string' ? ranges[kind] : () => Math.floor(random() * kind.below);
  const type = kind === 'bool' ? 'bool' : kind === 'int64' || typeof kind === 'object' ? 'int64' : 'float32';
  return { shape, type, data: Float64Array.from({ length: elementCount(shape) }, () => next(random)) };
}

/** Doubles in the element type of a program. */
export function typed(
  type: ValueType,
  data: Float64Array,
): Float32Array<ArrayBuffer> | BigInt64Array<ArrayBuffer> | Uint8Array<ArrayBuffer> {
  if (type === 'int64') return BigInt64Array.from(data, (value) => BigInt(value));
  return type === 'bool' ? Uint8Array.from(data) : Float32Array.from(data);
}

function unary(kind: NumberKind): (draw: Draw) => Application<Operators['exp']> {
  return (draw) => ({ attributes: {}, operands: [numbers(draw, anyShape(draw), kind)] });
}

function binary(first: NumberKind, second: NumberKind): (draw: Draw) => Application<Operators['add']> {
  return (draw) => {
    const [a, b] = stretchingShapes(draw, 2);
    return { attributes: {}, operands: [numbers(draw, a!, first), numbers(draw, b!, second)] };
  };
}

function comparison(...kinds: NumberKind[]): (draw: Draw) => Application<Operators['equal']> {
  return (draw) => {
    const kind = pick(draw, ...kinds);
    return binary(kind, kind)(draw);
  };
}

function reduction(draw: Draw): Application<Operators['reduceSum']> {
  const shape = anyShape(draw, 1);
  const axes = draw(fc.shuffledSubarray<number>, [...shape.keys()], { minLength: 1 });
  return { attributes: { axes, keep: pick(draw, false, true) }, operands: [numbers(draw, shape)] };
}

function alongAxis(draw: Draw): Application<Operators['softmax']> {
  const shape = anyShape(draw, 1);
  return { attributes: { axis: axisOf(draw, shape) }, operands: [numbers(draw, shape)] };
}

/** Kernels of one to three pixels a side, depthwise ones and groups among them. */
function convolution(draw: Draw): { attributes: ConvolutionAttributes; kernel: number[]; perGroup: number } {
  const groups = whole(draw, 1, 3);
  const perGroup = whole(draw, 1, 2);
  const kernel = pick(draw, false, true) ? [1, 1] : [whole(draw, 1, 3), whole(draw, 1, 3)];
  const pair = (): [number, number] => [whole(draw, 1, 3), whole(draw, 1, 3)];
  const strides = pick(draw, true, false) ? ([1, 1] as const) : pair();
  const dilations = pick(draw, true, false) ? ([1, 1] as const) : pair();
  const side = (): number => whole(draw, 0, 2);
  const padding = pick(draw, true, false)
    ? ([0, 0, 0, 0] as const)
    : ([side(), side(), side(), side()] as const);
  return { attributes: { strides, padding, dilations, groups }, kernel, perGroup };
}

/** The smallest side that a window fits into. */
function reach({ dilations, padding }: ConvolutionAttributes, kernel: number[], side: number): number {
  return dilations[side]! * (kernel[side]! - 1) + 1 - padding[side]! - padding[side + 2]!;
}

function pictures(draw: Draw): { x: Operand; channels: number } {
  const shape = [whole(draw, 1, 3), whole(draw, 1, 3), whole(draw, 1, 4), whole(draw, 1, 4)];
  return { x: numbers(draw, shape), channels: shape[1]! };
}

function anyKind(draw: Draw): NumberKind {
  return pick<NumberKind>(draw, 'fine', 'fine', 'int64', 'bool');
}

function anyShape(draw: Draw, minLength = 0, maxLength = 4): number[] {
  return draw(() => fc.array(fc.integer({ min: 1, max: 4 }), { minLength, maxLength }));
}

/** Shapes that stretch to a common one: axes of size 1 and missing leading axes. */
function stretchingShapes(draw: Draw, count: number, maxLength = 4): number[][] {
  const full = anyShape(draw, 0, maxLength);
  return Array.from({ length: count }, () => shrunk(draw, full));
}

function shrunk(draw: Draw, full: readonly number[]): number[] {
  const lead = whole(draw, 0, full.length);
  const missing = pick(draw, true, false) ? 0 : lead;
  return full.slice(missing).map((length) => (pick(draw, true, true, false) ? length : 1));
}

function axisOf(draw: Draw, shape: readonly number[]): number {
  return whole(draw, 0, shape.length - 1);
}

function withLength(shape: readonly number[], axis: number, length: number): number[] {
  return shape.map((old, i) => (i === axis ? length : old));
}

function whole(draw: Draw, min: number, max: number): number {
  return draw(fc.integer, { min, max });
}

function pick<T>(draw: Draw, ...options: T[]): T {
  return options[draw(fc.nat, options.length - 1)]!;
}
