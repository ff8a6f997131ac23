/** Convolutions and batch norms as the convolutional towers use them; each declares its parameters under its name. */
import { type Initialiser, normal, ones, zeros } from '../../graph/initialise.ts';
import {
  add,
  batchNorm,
  batchNormTraining,
  conv,
  multiply,
  parameter,
  transpose,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import { normLayer } from './linear.ts';

/** Told the next running statistics of a batch norm by the parameter's name. */
export type StatisticsReport = (parameter: string, next: Value) => void;

/** How batch norms get their statistics. */
export interface BatchNormOptions {
  /**
   * Asked about each norm by its name. Where it gives a function, the norm uses the statistics of the batch and reports
   * its next running ones to it, by the parameter's name. Where it gives none or is missing, the running ones are used.
   */
  onStatistics?: ((norm: string) => StatisticsReport | undefined) | undefined;
}

/** Zeros before and after the numbers along an axis of such a length. */
type Padding = (length: number, kernel: number, stride: number) => readonly [before: number, after: number];

export interface ConvolutionLayerOptions {
  /** @default 1 */
  stride?: number;
  /** Groups of channels that see only each other. @default 1 */
  groups?: number;
  /** @default as many on both sides as leave the kernel's middle inside */
  padding?: Padding;
  /** @default false */
  bias?: boolean;
}

/** A square kernel; begun as He et al. 2015 for rectified units. */
export function convolution(
  name: string,
  x: Value,
  channels: number,
  kernel: number,
  { stride = 1, groups = 1, padding = middle, bias = false }: ConvolutionLayerOptions = {},
): Value {
  const from = Number(x.shape[1]) / groups;
  const weight = parameter(
    `${name}.weight`,
    [channels, from, kernel, kernel],
    normal((2 / (from * kernel ** 2)) ** 0.5),
  );
  const [top, bottom] = padding(Number(x.shape[2]), kernel, stride);
  const [left, right] = padding(Number(x.shape[3]), kernel, stride);
  const shift = bias ? parameter(`${name}.bias`, [channels], zeros) : undefined;
  return conv(x, weight, shift, {
    strides: [stride, stride],
    padding: [top, left, bottom, right],
    groups,
  });
}

const middle: Padding = (_, kernel) => [(kernel - 1) / 2, (kernel - 1) / 2];

/** No zeros around: windows lie within. */
export const noPadding: Padding = () => [0, 0];

/** TensorFlow's "SAME": ⌈length / stride⌉ windows, and where the zeros are odd in number, one more at the end. */
export const samePadding: Padding = (length, kernel, stride) => {
  const windows = Math.ceil(length / stride);
  const missing = Math.max(0, (windows - 1) * stride + kernel - length);
  return [Math.floor(missing / 2), Math.ceil(missing / 2)];
};

export interface BatchNormLayerOptions extends BatchNormOptions {
  firstGain?: Initialiser | undefined;
  /** Added to the variance. @default 1e-5 */
  epsilon?: number;
  /** The share of the batch's statistics in the next running ones. @default 0.1 */
  momentum?: number;
}

/** Batch norm over the channels of [n, channels, h, w] with a learned gain and bias (Ioffe and Szegedy 2015). */
export function batchNormLayer(
  name: string,
  x: Value,
  { onStatistics, firstGain = ones, epsilon = 1e-5, momentum = 0.1 }: BatchNormLayerOptions = {},
): Value {
  const channels = Number(x.shape[1]);
  const gain = parameter(`${name}.weight`, [channels], firstGain);
  const bias = parameter(`${name}.bias`, [channels], zeros);
  const running = {
    mean: parameter(`${name}.running_mean`, [channels], zeros, { trainable: false }),
    variance: parameter(`${name}.running_variance`, [channels], ones, { trainable: false }),
  };
  const report = onStatistics?.(name);
  if (report === undefined) return batchNorm(x, { gain, bias, ...running }, epsilon);
  const { y, mean, variance } = batchNormTraining(x, { gain, bias }, epsilon);
  const [n, , height, width] = x.shape.map(Number);
  const count = n! * height! * width!;
  // The running variance is the unbiased one, as PyTorch keeps it.
  const unbiased = multiply(variance, count / (count - 1));
  const mix = (old: Value, now: Value): Value => add(multiply(old, 1 - momentum), multiply(now, momentum));
  report(`${name}.running_mean`, mix(running.mean, mean));
  report(`${name}.running_variance`, mix(running.variance, unbiased));
  return y;
}

/** Layer norm over the channels of each place of [n, channels, h, w], as ConvNeXt has it. */
export function channelNormLayer(name: string, x: Value, epsilon: number): Value {
  return transpose(normLayer(name, transpose(x, [0, 2, 3, 1]), epsilon), [0, 3, 1, 2]);
}
