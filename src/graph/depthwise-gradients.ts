/**
 * Gradients of depthwise convolutions over small maps, as matrix products. Over so few places the convolution of a
 * channel is a matrix T [places out, places in] that holds each weight wherever it belongs; engines multiply matrices an
 * order of magnitude faster than they convolve channels one by one.
 */
import { isSymbolic, staticShape } from './dimension.ts';
import { cast, constant, equal, gemm, matmul, reshape, transpose } from './operations.ts';
import type { ConvolutionAttributes } from './operators.ts';
import type { Value } from './value.ts';

/** Most places of a map before the products, which grow with their square, cost more than they save. */
const mostPlaces = 100;

/** Whether the products pay: every channel has one kernel of its own, and its map is small. */
export function isDepthwiseOverSmallMaps(
  x: Value,
  kernel: Value,
  { groups }: ConvolutionAttributes,
): boolean {
  const [out, inPerGroup] = kernel.shape;
  const [, channels, height, width] = x.shape;
  const depthwise = groups > 1 && groups === channels && groups === out && inPerGroup === 1;
  return depthwise && !x.shape.some(isSymbolic) && Number(height) * Number(width) <= mostPlaces;
}

/** The gradients of x [n, channels, h, w] and of the kernel [channels, 1, kh, kw], each where it is wanted. */
export function depthwiseGradients(
  x: Value,
  kernel: Value,
  dy: Value,
  attributes: ConvolutionAttributes,
  wanted: { x: boolean; kernel: boolean },
): [Value | undefined, Value | undefined] {
  const [n, channels, height, width] = staticShape(x.shape, 'the gradient of a convolution') as Four;
  const [, , kernelHeight, kernelWidth] = staticShape(kernel.shape, 'the gradient of a convolution') as Four;
  const [, , rows, columns] = staticShape(dy.shape, 'the gradient of a convolution') as Four;
  const taps = kernelHeight * kernelWidth;
  const [before, after] = [height * width, rows * columns];
  const tapOf = tapsBetween([height, width], [rows, columns], [kernelHeight, kernelWidth], attributes);
  // One where a weight stands in the matrix, [taps, after · before].
  const numbers = constant(
    BigInt64Array.from({ length: taps }, (_, i) => BigInt(i)),
    [taps, 1],
  );
  const places = cast(equal(numbers, constant(tapOf, [1, after * before])), 'float32');

  const inputGradient = (): Value => {
    const weights = gemm(reshape(kernel, [channels, taps]), places);
    const matrix = reshape(weights, [channels, after, before]);
    const errors = reshape(transpose(dy, [1, 0, 2, 3]), [channels, n, after]);
    const moved = reshape(matmul(errors, matrix), [channels, n, height, width]);
    return transpose(moved, [1, 0, 2, 3]);
  };
  const kernelGradient = (): Value => {
    const errors = reshape(transpose(dy, [1, 2, 3, 0]), [channels, after, n]);
    const pictures = reshape(transpose(x, [1, 0, 2, 3]), [channels, n, before]);
    const matrix = reshape(matmul(errors, pictures), [channels, after * before]);
    return reshape(gemm(matrix, places, undefined, { transposeB: true }), [
      channels,
      1,
      kernelHeight,
      kernelWidth,
    ]);
  };
  return [wanted.x ? inputGradient() : undefined, wanted.kernel ? kernelGradient() : undefined];
}

type Four = [number, number, number, number];
type Two = [number, number];

/** For each place of the result and each of the input, the number of the weight between them, or −1. */
function tapsBetween(
  [height, width]: Two,
  [rows, columns]: Two,
  [kernelHeight, kernelWidth]: Two,
  { strides, padding, dilations }: ConvolutionAttributes,
): BigInt64Array {
  const table = new BigInt64Array(rows * columns * height * width).fill(-1n);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let tap = 0; tap < kernelHeight * kernelWidth; tap++) {
        const y = row * strides[0] - padding[0] + Math.floor(tap / kernelWidth) * dilations[0];
        const x = column * strides[1] - padding[1] + (tap % kernelWidth) * dilations[1];
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        table[((row * columns + column) * height + y) * width + x] = BigInt(tap);
      }
    }
  }
  return table;
}
