/** AdamW with decoupled weight decay, as a graph (Loshchilov and Hutter 2019, algorithm 2), and what limits gradients. */
import { size } from '../../graph/dimension.ts';
import {
  add,
  concat,
  divide,
  gemm,
  minimum,
  multiply,
  reduceSum,
  reshape,
  scalar,
  sqrt,
  subtract,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';

export interface AdamWOptions {
  /** Decay of the mean of gradients. @default 0.9 */
  beta1?: number;
  /** Decay of the mean of squared gradients. @default 0.98 */
  beta2?: number;
  /** Added to the deviation. @default 1e-6 */
  epsilon?: number;
  /** Share of a weight that each step takes away, times the learning rate. @default 0.2 */
  weightDecay?: number;
}

export const adamWDefaults = { beta1: 0.9, beta2: 0.98, epsilon: 1e-6, weightDecay: 0.2 } as const;

/** Numbers that change from step to step. */
export interface StepScalars {
  learningRate: Value;
  /** 1 / (1 − beta1^step), step from 1. */
  correction1: Value;
  /** 1 / (1 − beta2^step). */
  correction2: Value;
}

/** One parameter before and after a step. */
export interface ParameterUpdate {
  value: Value;
  mean: Value;
  square: Value;
}

/**
 * The next parameter and moments. Without `decays`, as for gains, biases and scales, no weight decay is applied.
 *
 * All factors are brought to where they cost nothing: with c₁, c₂ the corrections and g the scaled gradient,
 *   mean′ = β₁·mean + (1 − β₁)·g,   square′ = β₂·square + (1 − β₂)·g²,
 *   lr·c₁·mean′ / (√(c₂·square′) + ε) = (lr·c₁/√c₂)·mean′ / (√square′ + ε/√c₂),
 * so that single numbers are multiplied with one another first and arrays are passed over as rarely as can be.
 * @param gradientScale by which the gradient is multiplied, as when its norm is clipped
 */
export function adamW(
  { value, mean, square }: ParameterUpdate,
  gradient: Value,
  { learningRate, correction1, correction2 }: StepScalars,
  decays: boolean,
  { gradientScale, ...options }: AdamWOptions & { gradientScale?: Value | undefined },
): ParameterUpdate {
  const { beta1, beta2, epsilon, weightDecay } = { ...adamWDefaults, ...options };
  const scale = gradientScale ?? scalar(1);
  const nextMean = add(multiply(mean, beta1), multiply(gradient, multiply(scale, 1 - beta1)));
  const squared = multiply(multiply(gradient, gradient), multiply(multiply(scale, scale), 1 - beta2));
  const nextSquare = add(multiply(square, beta2), squared);
  const root = sqrt(correction2);
  const direction = divide(nextMean, add(sqrt(nextSquare), divide(epsilon, root)));
  const decayed =
    decays && weightDecay > 0 ? multiply(value, subtract(1, multiply(learningRate, weightDecay))) : value;
  const rate = multiply(learningRate, divide(correction1, root));
  return { value: subtract(decayed, multiply(direction, rate)), mean: nextMean, square: nextSquare };
}

/** The Euclidean norm of each gradient, [gradients], and of all together. */
export function gradientNorms(gradients: readonly Value[]): { each: Value; all: Value } {
  const squares = gradients.map((gradient) => {
    // The product of a row with itself as a column: one pass and nothing stored.
    const count = size(gradient.shape);
    return reshape(gemm(reshape(gradient, [1, count]), reshape(gradient, [count, 1])), [1]);
  });
  const together = concat(squares, 0);
  return { each: sqrt(together), all: sqrt(reduceSum(together, [0])) };
}

/** By what gradients are multiplied so that their norm stays within the limit (PyTorch's clip_grad_norm_). */
export function clippingFactor(norm: Value, limit: number): Value {
  return minimum(divide(limit, add(norm, 1e-6)), 1);
}

/** The numbers that AdamW needs beside the gradients, by the names of a program's inputs; steps count from 1. */
export function stepScalars(
  step: number,
  learningRate: number,
  { beta1 = adamWDefaults.beta1, beta2 = adamWDefaults.beta2 }: AdamWOptions = {},
): { learning_rate: number; correction_1: number; correction_2: number } {
  return {
    learning_rate: learningRate,
    correction_1: 1 / (1 - beta1 ** step),
    correction_2: 1 / (1 - beta2 ** step),
  };
}
