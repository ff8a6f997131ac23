/** Gradients of convolution and pooling, as convolutions again. */

import { depthwiseGradients, isDepthwiseOverSmallMaps } from './depthwise-gradients.ts';
import { staticShape } from './dimension.ts';
import type { GradientQuery, InputGradients } from './gradients.ts';
import {
  concat,
  constant,
  conv,
  convTranspose,
  gemm,
  matmul,
  multiply,
  pad,
  reduceSum,
  reshape,
  slice,
  transpose,
} from './operations.ts';
import type { ConvolutionAttributes } from './operators.ts';
import type { NodeOf, Value } from './value.ts';

/** y = conv(x, kernel) + bias. */
export function convolutionGradients(
  node: NodeOf<'conv'>,
  dy: Value,
  { wanted }: GradientQuery,
): InputGradients {
  const [x, kernel, bias] = node.inputs;
  const ofBias = bias !== undefined && wanted(2) ? reduceSum(reduceSum(dy, [2, 3]), [0]) : undefined;
  if (isDepthwiseOverSmallMaps(x!, kernel!, node.attributes)) {
    const both = { x: wanted(0), kernel: wanted(1) };
    return [...depthwiseGradients(x!, kernel!, dy, node.attributes, both), ofBias];
  }
  return [
    wanted(0) ? inputGradient(x!, kernel!, dy, node.attributes) : undefined,
    wanted(1) ? kernelGradient(x!, kernel!, dy, node.attributes) : undefined,
    ofBias,
  ];
}

/** y = convTranspose(x, kernel), which is a convolution's input gradient: so its own gradients are a convolution's. */
export function transposedConvolutionGradients(
  node: NodeOf<'convTranspose'>,
  dy: Value,
  { wanted }: GradientQuery,
): InputGradients {
  const [x, kernel] = node.inputs;
  const { outputPadding: _, ...attributes } = node.attributes;
  const [height, width] = sides(x!);
  const crop = (v: Value): Value => slice(slice(v, 2, 0, height), 3, 0, width);
  return [
    wanted(0) ? crop(conv(dy, kernel!, undefined, attributes)) : undefined,
    wanted(1) ? kernelGradient(dy, kernel!, x!, attributes) : undefined,
  ];
}

/** Each window's share, spread over its pixels. */
export function poolGradient(node: NodeOf<'averagePool'>, dy: Value): InputGradients {
  const { kernel, strides, padding } = node.attributes;
  const x = node.inputs[0]!;
  const [n, channels] = dy.shape;
  const [height, width] = sides(x);
  const [rows, columns] = sides(dy);
  const [kh, kw] = kernel;
  const disjoint = kh === strides[0] && kw === strides[1] && padding.every((p) => p === 0);
  if (disjoint) {
    const share = constant(new Float32Array(kh * kw).fill(1 / (kh * kw)), [kh, 1, kw]);
    const spread = multiply(reshape(dy, [n!, channels!, rows, 1, columns, 1]), share);
    const covered = reshape(spread, [n!, channels!, rows * kh, columns * kw]);
    if (rows * kh === height && columns * kw === width) return [covered];
    return [pad(covered, [0, 0, 0, 0], [0, 0, height - rows * kh, width - columns * kw])];
  }
  // Windows that overlap: a depthwise convolution with a constant kernel, weighted where padding shrinks a window.
  const attributes = { strides, padding, dilations: [1, 1] as const, groups: Number(channels) };
  const box = constant(new Float32Array(Number(channels) * kh * kw).fill(1), [Number(channels), 1, kh, kw]);
  const counts = windowSizes([height, width], [rows, columns], node.attributes);
  return [inputGradient(x, box, multiply(dy, constant(counts, [rows, columns])), attributes)];
}

/** 1 / the number of pixels under each window. */
function windowSizes(
  [height, width]: [number, number],
  [rows, columns]: [number, number],
  { kernel, strides, padding }: NodeOf<'averagePool'>['attributes'],
): Float32Array {
  const covered = (at: number, axis: 0 | 1, side: number): number => {
    const start = at * strides[axis] - padding[axis];
    return Math.min(start + kernel[axis], side) - Math.max(start, 0);
  };
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    return 1 / (covered(Math.floor(i / columns), 0, height) * covered(i % columns, 1, width));
  });
}

function inputGradient(x: Value, kernel: Value, dy: Value, attributes: ConvolutionAttributes): Value {
  const { strides, padding, dilations, groups } = attributes;
  const [, , kernelHeight, kernelWidth] = staticShape(kernel.shape, 'the gradient of a convolution');
  const [height, width] = sides(x);
  const [rows, columns] = sides(dy);
  const reach = [dilations[0] * (kernelHeight! - 1), dilations[1] * (kernelWidth! - 1)] as const;
  if (strides[0] === 1 && strides[1] === 1 && padding.every((p, i) => p <= reach[i % 2]!)) {
    // With stride 1 a convolution with the flipped kernel is faster than a transposed one.
    const around = padding.map((p, i) => reach[i % 2]! - p) as unknown as ConvolutionAttributes['padding'];
    return conv(dy, flipped(kernel, groups), undefined, { strides, padding: around, dilations, groups });
  }
  const outputPadding = [
    height + padding[0] + padding[2] - reach[0] - 1 - (rows - 1) * strides[0],
    width + padding[1] + padding[3] - reach[1] - 1 - (columns - 1) * strides[1],
  ] as const;
  return convTranspose(dy, kernel, { ...attributes, outputPadding });
}

/** [out, in / groups, kh, kw] → [in, out / groups, kh, kw], turned by half a turn. */
function flipped(kernel: Value, groups: number): Value {
  const [out, inPerGroup, height, width] = staticShape(kernel.shape, 'the gradient of a convolution');
  const grouped = reshape(kernel, [groups, out! / groups, inPerGroup!, height!, width!]);
  const swapped = transpose(grouped, [0, 2, 1, 3, 4]);
  const turned = [3, 4].reduce((v, axis) => {
    const length = Number(v.shape[axis]);
    return length === 1 ? v : slice(v, axis, length - 1, -1, -1);
  }, swapped);
  return reshape(turned, [groups * inPerGroup!, out! / groups, height!, width!]);
}

/**
 * dW[o, i, a, b] = Σ x[n, i, s·h + d·a − p, …]·dy[n, o, h, …]: a convolution in which batch and channels change
 * places and strides and dilations change roles.
 */
function kernelGradient(x: Value, kernel: Value, dy: Value, attributes: ConvolutionAttributes): Value {
  const { strides, padding, dilations, groups } = attributes;
  const [out, inPerGroup, kernelHeight, kernelWidth] = staticShape(
    kernel.shape,
    'the gradient of a convolution',
  );
  const [height, width] = sides(x);
  const [rows, columns] = sides(dy);
  const n = Number(staticShape(x.shape, 'the gradient of a kernel')[0]);
  const pointwise = kernelHeight === 1 && kernelWidth === 1 && groups === 1 && padding.every((p) => p === 0);
  if (pointwise && strides[0] === 1 && strides[1] === 1) {
    const left = reshape(dy, [n, out!, rows * columns]);
    const right = transpose(reshape(x, [n, inPerGroup!, height * width]), [0, 2, 1]);
    return reshape(reduceSum(matmul(left, right), [0]), [out!, inPerGroup!, 1, 1]);
  }
  const dense = groups === 1 && [...strides, ...dilations].every((step) => step === 1);
  if (dense) return shiftedProducts(x, kernel, dy, padding);
  const regrouped = transpose(reshape(x, [n, groups, inPerGroup!, height, width]), [2, 1, 0, 3, 4]);
  const pictures = reshape(regrouped, [inPerGroup!, groups * n, height, width]);
  const kernels = transpose(dy, [1, 0, 2, 3]); // [out, n, rows, columns]
  const wide = conv(pictures, kernels, undefined, {
    strides: dilations,
    padding,
    dilations: strides,
    groups,
  });
  // Pixels that no window reached give further rows and columns, which belong to no weight.
  const cut = slice(slice(wide, 2, 0, kernelHeight!), 3, 0, kernelWidth!);
  return transpose(cut, [1, 0, 2, 3]);
}

/**
 * dW[:, :, a, b] as one matrix product for each place in the kernel. All pictures of a channel lie in one row, with
 * room between them for the kernel's reach; so to move the window by (a, b) is to begin a·width + b numbers later.
 */
function shiftedProducts(
  x: Value,
  kernel: Value,
  dy: Value,
  [top, left, bottom, right]: ConvolutionAttributes['padding'],
): Value {
  const [out, channels, kernelHeight, kernelWidth] = staticShape(
    kernel.shape,
    'the gradient of a convolution',
  );
  const n = Number(x.shape[0]);
  const [height, width] = sides(x);
  const paddedWidth = left + width + right;
  const length = n * (top + height + bottom) * paddedWidth;
  const row = (value: Value, count: number, before: number[], after: number[]): Value =>
    reshape(transpose(pad(value, [0, 0, ...before], [0, 0, ...after]), [1, 0, 2, 3]), [count, length]);
  const pictures = row(x, channels!, [top, left], [bottom, right]);
  const errors = row(dy, out!, [0, 0], [kernelHeight! - 1, kernelWidth! - 1]);
  // The last picture's room holds zeros only; leaving it out keeps every shifted row as long as the others.
  const reach = (kernelHeight! - 1) * paddedWidth + kernelWidth! - 1;
  const used = slice(errors, 1, 0, length - reach);
  const products: Value[] = [];
  for (let a = 0; a < kernelHeight!; a++) {
    for (let b = 0; b < kernelWidth!; b++) {
      const start = a * paddedWidth + b;
      const shifted = slice(pictures, 1, start, start + length - reach);
      products.push(reshape(gemm(used, shifted, undefined, { transposeB: true }), [out!, channels!, 1]));
    }
  }
  return reshape(concat(products, 2), [out!, channels!, kernelHeight!, kernelWidth!]);
}

function sides(x: Value): [number, number] {
  const [height, width] = staticShape(x.shape.slice(2), 'the gradient of a convolution');
  return [height!, width!];
}
