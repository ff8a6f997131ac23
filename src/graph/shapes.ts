/** What comes out of each operator: types and shapes, with every misfit an error that names it. */
import { EidosError } from '../errors.ts';
import {
  broadcastShapes,
  type Dimension,
  formatShape,
  isSymbolic,
  multiply,
  type Shape,
  sameDimension,
  sameShape,
  size,
} from './dimension.ts';
import type { ConvolutionAttributes, OperatorName, Operators, WindowAttributes } from './operators.ts';
import { elementCount } from './tensor.ts';
import type { Value, ValueType } from './value.ts';

/** Shape and type of an output. */
export interface Signature {
  shape: Shape;
  type: ValueType;
}

type ShapeRule<K extends OperatorName> = (inputs: readonly Value[], attributes: Operators[K]) => Signature[];

/** One row an operator. */
export const shapeRules: { readonly [K in OperatorName]: ShapeRule<K> } = {
  input: (_, { shape, type }) => [{ shape, type }],
  parameter: (_, { shape }) => [{ shape, type: 'float32' }],
  constant: (_, { data, shape, type }) => {
    require(data.length === elementCount(shape), `${data.length} numbers do not fill ${formatShape(shape)}`);
    return [{ shape, type }];
  },

  negate: sameAsFloat,
  exp: sameAsFloat,
  log: sameAsFloat,
  sqrt: sameAsFloat,
  reciprocal: sameAsFloat,
  tanh: sameAsFloat,
  sigmoid: sameAsFloat,
  erf: sameAsFloat,
  abs: sameAsFloat,
  relu: sameAsFloat,
  clamp: ([x], { lowest, highest }) => {
    require(lowest <= highest, `no number lies between ${lowest} and ${highest}`);
    return sameAsFloat([x!]);
  },
  silu: ([x]) => [...sameAsFloat([x!]), ...sameAsFloat([x!])],
  softplus: sameAsFloat,
  cast: ([x], { to }) => [{ shape: x!.shape, type: to }],
  add: arithmetic,
  subtract: arithmetic,
  multiply: arithmetic,
  divide: arithmetic,
  maximum: arithmetic,
  minimum: arithmetic,
  equal: (inputs) => [{ ...elementwise(inputs)[0]!, type: 'bool' }],
  greater: (inputs) => [{ ...arithmetic(inputs)[0]!, type: 'bool' }],
  where: ([condition, then, otherwise]) => {
    require(condition!.type === 'bool', `the condition is ${condition!.type}, not bool`);
    const { shape, type } = elementwise([then!, otherwise!])[0]!;
    return [{ shape: broadcastShapes(condition!.shape, shape), type }];
  },

  reduceSum: reduce,
  reduceMean: ([x], attributes) => {
    requireFloat(x!);
    return reduce([x!], attributes);
  },
  reduceMax: ([x], attributes) => {
    requireFloat(x!);
    return reduce([x!], attributes);
  },
  argMax: ([x], { axis }) => [{ shape: x!.shape.filter((_, i) => i !== checkAxis(axis, x!)), type: 'int64' }],
  softmax: alongAxis,
  logSoftmax: alongAxis,

  reshape: ([x], { shape }) => {
    const whole = shape.map((dimension) => (isSymbolic(dimension) ? dimension.factor : dimension));
    const fits = whole.every(isCount) && sameDimension(size(x!.shape), size(shape));
    require(fits, `${formatShape(x!.shape)} cannot become ${formatShape(shape)}`);
    return [{ shape, type: x!.type }];
  },
  transpose: ([x], { permutation }) => {
    const sorted = [...permutation].sort((a, b) => a - b);
    const fits = sorted.length === x!.shape.length && sorted.every((axis, i) => axis === i);
    require(fits, `[${permutation}] does not order the axes of ${formatShape(x!.shape)}`);
    return [{ shape: permutation.map((axis) => x!.shape[axis]!), type: x!.type }];
  },
  concat: (inputs, { axis }) => {
    const first = inputs[0]!;
    checkAxis(axis, first);
    let joined: Dimension = 0;
    for (const input of inputs) {
      const fits =
        input.type === first.type &&
        input.shape.length === first.shape.length &&
        input.shape.every((dimension, i) => i === axis || sameDimension(dimension, first.shape[i]!));
      require(fits, `${formatShape(input.shape)} cannot be joined to ${formatShape(first.shape)} along axis ${axis}`);
      joined = addDimensions(joined, input.shape[axis]!);
    }
    return [{ shape: replaceAxis(first.shape, axis, joined), type: first.type }];
  },
  slice: ([x], { axis, start, end, step }) => {
    const length = x!.shape[checkAxis(axis, x!)]!;
    require(!isSymbolic(length), `axis ${axis} of ${formatShape(x!.shape)} has no known size to cut`);
    // Backwards, −1 is the end before the first element; farther out would count elements that are not there.
    const fits = start >= 0 && start < Number(length) && end >= -1 && end <= Number(length) && step !== 0;
    require(fits, `${start}…${end} lies outside axis ${axis} of ${formatShape(x!.shape)}`);
    const count = Math.ceil((end - start) / step);
    require(count > 0, `${start}…${end} by ${step} leaves nothing`);
    return [{ shape: replaceAxis(x!.shape, axis, count), type: x!.type }];
  },
  pad: ([x], { before, after }) => {
    const fits = before.length === x!.shape.length && after.length === x!.shape.length;
    require(fits, `the padding [${before}] and [${after}] does not name each axis of ${formatShape(x!.shape)}`);
    require([...before, ...after].every(
      (zeros) => zeros >= 0,
    ), `[${before}] and [${after}] cut instead of padding`);
    const grown = x!.shape.map((dimension, axis) => {
      const added = before[axis]! + after[axis]!;
      return added === 0 ? dimension : addDimensions(dimension, added);
    });
    return [{ shape: grown, type: x!.type }];
  },
  fitLength: ([x], { axis, length }) => {
    checkAxis(axis, x!);
    require(Number.isInteger(length) && length > 0, `an axis cannot be ${length} long`);
    return [{ shape: replaceAxis(x!.shape, axis, length), type: x!.type }];
  },
  broadcastLike: ([x, reference]) => {
    const fits = sameShape(broadcastShapes(x!.shape, reference!.shape), reference!.shape);
    require(fits, `${formatShape(x!.shape)} does not stretch to ${formatShape(reference!.shape)}`);
    return [{ shape: reference!.shape, type: x!.type }];
  },
  gather: ([table, indices], { axis }) => {
    require(indices!.type === 'int64', `indices are ${indices!.type}, not int64`);
    const shape = table!.shape;
    checkAxis(axis, table!);
    return [
      { shape: [...shape.slice(0, axis), ...indices!.shape, ...shape.slice(axis + 1)], type: table!.type },
    ];
  },
  scatterAdd: ([indices, updates], { rows }) => {
    const depth = indices!.shape.length;
    require(indices!.type === 'int64', `indices are ${indices!.type}, not int64`);
    requireFloat(updates!);
    const fits = sameShape(updates!.shape.slice(0, depth), indices!.shape);
    require(fits, `updates ${formatShape(updates!.shape)} do not begin like indices ${formatShape(indices!.shape)}`);
    return [{ shape: [rows, ...updates!.shape.slice(depth)], type: updates!.type }];
  },
  selectTokens: ([tokens, index]) => {
    const fits =
      tokens!.shape.length === 3 &&
      index!.shape.length === 1 &&
      index!.type === 'int64' &&
      sameDimension(tokens!.shape[0]!, index!.shape[0]!);
    require(fits, `an index ${formatShape(index!.shape)} does not choose among ${formatShape(tokens!.shape)}`);
    return [{ shape: [tokens!.shape[0]!, tokens!.shape[2]!], type: tokens!.type }];
  },

  matmul: ([a, b]) => {
    const [rows, inner] = a!.shape.slice(-2);
    const [height, columns] = b!.shape.slice(-2);
    const fits =
      a!.shape.length >= 2 && b!.shape.length >= 2 && sameDimension(inner!, height!) && bothFloat(a!, b!);
    require(fits, `${formatShape(a!.shape)} × ${formatShape(b!.shape)} does not multiply`);
    return [
      {
        shape: [...broadcastShapes(a!.shape.slice(0, -2), b!.shape.slice(0, -2)), rows!, columns!],
        type: 'float32',
      },
    ];
  },
  gemm: ([a, b, bias], { transposeA, transposeB }) => {
    require(a!.shape.length === 2 && b!.shape.length === 2, 'a general matrix product takes matrices');
    const [rows, inner] = transposeA ? [...a!.shape].reverse() : a!.shape;
    const [height, columns] = transposeB ? [...b!.shape].reverse() : b!.shape;
    const fits = sameDimension(inner!, height!) && bothFloat(a!, b!);
    require(fits, `${formatShape([rows!, inner!])} × ${formatShape([height!, columns!])} does not multiply`);
    const shape = [rows!, columns!];
    const biasFits = bias === undefined || sameShape(broadcastShapes(bias.shape, shape), shape);
    require(biasFits, `a bias ${formatShape(bias?.shape ?? [])} does not fit ${formatShape(shape)}`);
    return [{ shape, type: 'float32' }];
  },

  conv: ([x, kernel, bias], attributes) => {
    const [n, channels, height, width] = pictureShape(x!);
    const [out, inPerGroup, kernelHeight, kernelWidth] = numbers(kernel!.shape, 'a kernel');
    const fits = channels === inPerGroup! * attributes.groups && out! % attributes.groups === 0;
    require(fits, `${attributes.groups} groups of kernels ${formatShape(kernel!.shape)} do not fit ${formatShape(x!.shape)}`);
    const biasFits = bias === undefined || sameShape(bias.shape, [out!]);
    require(biasFits, `a bias ${formatShape(bias?.shape ?? [])} does not fit ${out} channels`);
    const sides = windowCounts(
      [height, width],
      [kernelHeight!, kernelWidth!],
      attributes,
      attributes.dilations,
    );
    return [{ shape: [n, out!, ...sides], type: 'float32' }];
  },
  convTranspose: ([x, kernel], attributes) => {
    const [n, channels, height, width] = pictureShape(x!);
    const [inChannels, outPerGroup, kernelHeight, kernelWidth] = numbers(kernel!.shape, 'a kernel');
    const fits = channels === inChannels && channels % attributes.groups === 0;
    require(fits, `${attributes.groups} groups of kernels ${formatShape(kernel!.shape)} do not fit ${formatShape(x!.shape)}`);
    const sides = transposedSides([height, width], [kernelHeight!, kernelWidth!], attributes);
    return [{ shape: [n, outPerGroup! * attributes.groups, ...sides], type: 'float32' }];
  },
  averagePool: ([x], attributes) => {
    const [n, channels, height, width] = pictureShape(x!);
    const { kernel, padding } = attributes;
    const fits = padding.every((zeros, i) => zeros < kernel[i % 2]!);
    require(fits, `a padding of [${padding}] leaves windows of [${kernel}] empty`);
    return [
      {
        shape: [n, channels, ...windowCounts([height, width], attributes.kernel, attributes)],
        type: 'float32',
      },
    ];
  },

  layerNorm: ([x, gain, bias]) => {
    const width = x!.shape[x!.shape.length - 1]!;
    const fits = [gain!, bias!].every((v) => v.shape.length === 1 && sameDimension(v.shape[0]!, width));
    require(fits, `a norm of ${formatShape(gain!.shape)} does not fit ${formatShape(x!.shape)}`);
    const perRow: Signature = { shape: replaceAxis(x!.shape, x!.shape.length - 1, 1), type: 'float32' };
    return [{ shape: x!.shape, type: 'float32' }, perRow, perRow];
  },
  batchNorm: ([x, ...statistics]) => {
    checkChannels(x!, statistics);
    return [{ shape: x!.shape, type: 'float32' }];
  },
  batchNormTraining: ([x, ...affine]) => {
    checkChannels(x!, affine);
    const perChannel: Signature = { shape: [x!.shape[1]!], type: 'float32' };
    return [{ shape: x!.shape, type: 'float32' }, perChannel, perChannel];
  },
};

function require(condition: boolean, message: string): void {
  if (!condition) throw new EidosError('invalid_graph', message);
}

function isCount(number: number): boolean {
  return Number.isInteger(number) && number >= 0;
}

function bothFloat(a: Value, b: Value): boolean {
  return a.type === 'float32' && b.type === 'float32';
}

function requireFloat(x: Value): void {
  require(x.type === 'float32', `${x.type} where a float is needed`);
}

function sameAsFloat([x]: readonly Value[]): Signature[] {
  requireFloat(x!);
  return [{ shape: x!.shape, type: 'float32' }];
}

function alongAxis([x]: readonly Value[], { axis }: Operators['softmax']): Signature[] {
  checkAxis(axis, x!);
  return sameAsFloat([x!]);
}

function elementwise([a, b]: readonly Value[]): Signature[] {
  require(a!.type === b!.type, `${a!.type} and ${b!.type} do not mix`);
  return [{ shape: broadcastShapes(a!.shape, b!.shape), type: a!.type }];
}

/** Element by element, on numbers. */
function arithmetic([a, b]: readonly Value[]): Signature[] {
  require(a!.type !== 'bool', 'bool where a number is needed');
  return elementwise([a!, b!]);
}

function reduce([x]: readonly Value[], { axes, keep }: Operators['reduceSum']): Signature[] {
  require(x!.type !== 'bool', 'bool where a number is needed');
  require(new Set(axes).size === axes.length, `[${axes}] names an axis twice`);
  for (const axis of axes) checkAxis(axis, x!);
  const shape = keep
    ? x!.shape.map((dimension, axis) => (axes.includes(axis) ? 1 : dimension))
    : x!.shape.filter((_, axis) => !axes.includes(axis));
  return [{ shape, type: x!.type }];
}

function checkAxis(axis: number, x: Value): number {
  require(axis >= 0 && axis < x.shape.length, `${formatShape(x.shape)} has no axis ${axis}`);
  return axis;
}

function checkChannels(x: Value, perChannel: readonly Value[]): void {
  require(x.shape.length === 4, `${formatShape(x.shape)} is no batch of pictures`);
  const fits = perChannel.every((v) => v.shape.length === 1 && sameDimension(v.shape[0]!, x.shape[1]!));
  require(fits, `a norm of ${formatShape(perChannel[0]!.shape)} does not fit the channels of ${formatShape(x.shape)}`);
}

function replaceAxis(shape: Shape, axis: number, dimension: Dimension): Shape {
  return shape.map((old, i) => (i === axis ? dimension : old));
}

function addDimensions(a: Dimension, b: Dimension): Dimension {
  if (a === 0) return b;
  if (isSymbolic(a) && isSymbolic(b) && a.symbol === b.symbol) {
    return multiply({ symbol: a.symbol, factor: 1 }, a.factor + b.factor);
  }
  require(!isSymbolic(a) && !isSymbolic(b), 'a symbolic size cannot grow by a number');
  return Number(a) + Number(b);
}

function numbers(shape: Shape, what: string): number[] {
  require(!shape.some(isSymbolic), `${what} needs known sizes, not ${formatShape(shape)}`);
  return shape as number[];
}

function pictureShape(x: Value): [Dimension, number, number, number] {
  require(x.shape.length === 4, `${formatShape(x.shape)} is no batch of pictures`);
  const [channels, height, width] = numbers(x.shape.slice(1), 'a picture');
  return [x.shape[0]!, channels!, height!, width!];
}

/** How many windows fit along height and width. */
function windowCounts(
  sides: readonly [number, number],
  kernel: readonly [number, number],
  { strides, padding }: WindowAttributes,
  dilations: readonly [number, number] = [1, 1],
): number[] {
  return sides.map((side, i) => {
    const padded = side + padding[i]! + padding[i + 2]!;
    const reach = dilations[i]! * (kernel[i]! - 1) + 1;
    require(padded >= reach, `a window of ${reach} does not fit into ${padded} pixels`);
    return Math.floor((padded - reach) / strides[i]!) + 1;
  });
}

function transposedSides(
  sides: readonly [number, number],
  kernel: readonly [number, number],
  {
    strides,
    padding,
    dilations,
    outputPadding,
  }: ConvolutionAttributes & { outputPadding: readonly [number, number] },
): number[] {
  return sides.map((side, i) => {
    const reach = dilations[i]! * (kernel[i]! - 1) + 1;
    const length = (side - 1) * strides[i]! + reach - padding[i]! - padding[i + 2]! + outputPadding[i]!;
    require(length > 0, `the padding [${padding}] leaves nothing of ${side} pixels`);
    return length;
  });
}
