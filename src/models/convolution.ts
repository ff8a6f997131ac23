/** Convolutions and batch norms as the convolutional towers use them; each declares its parameters under its name. */
import { type Initialiser, normal, ones, zeros } from '../graph/initialise.ts';
import { add, batchNorm, batchNormTraining, conv, multiply, parameter } from '../graph/operations.ts';
import type { Value } from '../graph/value.ts';

const epsilon = 1e-5;
const momentum = 0.1;

/** How batch norms get their statistics. */
export interface BatchNormOptions {
  /**
   * Given: the norms use the statistics of the batch, and each reports its next running statistics
   * by the parameter's name. Missing: they use the running statistics.
   */
  onStatistics?: ((name: string, next: Value) => void) | undefined;
}

/** A square kernel in the middle of its window, without bias; begun as He et al. 2015 for rectified units. */
export function convolution(name: string, x: Value, channels: number, kernel: number, stride = 1): Value {
  const from = Number(x.shape[1]);
  const weight = parameter(
    `${name}.weight`,
    [channels, from, kernel, kernel],
    normal((2 / (from * kernel ** 2)) ** 0.5),
  );
  const margin = (kernel - 1) / 2;
  return conv(x, weight, undefined, { strides: [stride, stride], padding: [margin, margin, margin, margin] });
}

/** Batch norm over the channels of [n, channels, h, w] with a learned gain and bias (Ioffe and Szegedy 2015). */
export function batchNormLayer(
  name: string,
  x: Value,
  { onStatistics, firstGain = ones }: BatchNormOptions & { firstGain?: Initialiser } = {},
): Value {
  const channels = Number(x.shape[1]);
  const gain = parameter(`${name}.weight`, [channels], firstGain);
  const bias = parameter(`${name}.bias`, [channels], zeros);
  const running = {
    mean: parameter(`${name}.running_mean`, [channels], zeros, { trainable: false }),
    variance: parameter(`${name}.running_variance`, [channels], ones, { trainable: false }),
  };
  if (onStatistics === undefined) return batchNorm(x, { gain, bias, ...running }, epsilon);
  const { y, mean, variance } = batchNormTraining(x, { gain, bias }, epsilon);
  const [n, , height, width] = x.shape.map(Number);
  const count = n! * height! * width!;
  // The running variance is the unbiased one, as PyTorch keeps it.
  const unbiased = multiply(variance, count / (count - 1));
  const mix = (old: Value, now: Value): Value => add(multiply(old, 1 - momentum), multiply(now, momentum));
  onStatistics(`${name}.running_mean`, mix(running.mean, mean));
  onStatistics(`${name}.running_variance`, mix(running.variance, unbiased));
  return y;
}
