/** Functions made of operators; their gradients follow. */
import { type Dimension, type Shape, size } from './dimension.ts';
import { add, divide, erf, gemm, maximum, multiply, reduceSum, reshape, sqrt, tanh } from './operations.ts';
import type { Value } from './value.ts';

/** x·Φ(x) = x/2·(1 + erf(x/√2)) (Hendrycks and Gimpel 2016). */
export function gelu(x: Value): Value {
  return multiply(multiply(x, add(erf(multiply(x, Math.SQRT1_2)), 1)), 0.5);
}

/** x/2·(1 + tanh(√(2/π)·(x + 0.044715x³))) (Hendrycks and Gimpel 2016, section 2). */
export function geluTanh(x: Value): Value {
  const cube = multiply(multiply(x, x), x);
  const inner = multiply(add(x, multiply(cube, 0.044715)), Math.sqrt(2 / Math.PI));
  return multiply(multiply(x, add(tanh(inner), 1)), 0.5);
}

/** scale·x·Wᵀ + biasScale·b over the last axis; W is [out, in] as PyTorch stores it. */
export function linear(
  x: Value,
  weight: Value,
  bias?: Value,
  scales: { scale?: number; biasScale?: number } = {},
): Value {
  const out = weight.shape[0]!;
  if (x.shape.length === 2) return gemm(x, weight, bias, { ...scales, transposeB: true });
  const flat = gemm(flatten(x), weight, bias, { ...scales, transposeB: true });
  return reshape(flat, [...x.shape.slice(0, -1), out]);
}

/** All axes but the last as one. */
export function flatten(x: Value): Value {
  const rows: Dimension = size(x.shape.slice(0, -1));
  return reshape(x, [rows, x.shape[x.shape.length - 1]!]);
}

/** Rows of length one: x / max(‖x‖, 1e-12) over the last axis, as PyTorch's `normalize` does. */
export function normalize(x: Value): Value {
  // The limit stands under the root, whose slope at zero is infinite: a row of zeros has a gradient, too.
  return divide(x, sqrt(maximum(reduceSum(multiply(x, x), [-1], true), 1e-24)));
}

/** Sums over the axes that were stretched, so that a gradient fits its operand again. */
export function sumTo(x: Value, shape: Shape): Value {
  const lead = x.shape.length - shape.length;
  const stretched = x.shape.flatMap((dimension, axis) =>
    axis < lead || (shape[axis - lead] === 1 && dimension !== 1) ? [axis] : [],
  );
  const summed = reduceSum(x, stretched, true);
  return lead === 0 ? summed : reshape(summed, shape);
}

/** The sum of several values. */
export function total(values: readonly Value[]): Value {
  return values.reduce((sum, next) => add(sum, next));
}
