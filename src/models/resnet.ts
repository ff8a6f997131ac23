/** CLIP's ModifiedResNet (Radford et al. 2021, section 2.4): anti-aliased strides and attention pooling. */
import { multiply as times } from '../graph/dimension.ts';
import { normal, ones, zeros } from '../graph/initialise.ts';
import {
  add,
  averagePool,
  batchNorm,
  batchNormTraining,
  concat,
  conv,
  multiply,
  parameter,
  reduceMean,
  relu,
  reshape,
  slice,
  transpose,
} from '../graph/operations.ts';
import type { Value } from '../graph/value.ts';
import type { ResNetArchitecture } from './architecture.ts';
import { attention } from './attention.ts';
import type { Watch } from './transformer.ts';

const epsilon = 1e-5;
const momentum = 0.1;

/** How batch norms get their statistics. */
export interface ResNetOptions {
  watch?: Watch | undefined;
  /**
   * Given: the norms use the statistics of the batch, and each reports its next running statistics
   * by the parameter's name. Missing: they use the running statistics.
   */
  onStatistics?: ((name: string, next: Value) => void) | undefined;
}

/** Pixels [n, 3, side, side] → embeddings [n, embeddingSize], not normalised. */
export function modifiedResNet(
  architecture: ResNetArchitecture,
  embeddingSize: number,
  pixels: Value,
  { watch = (_, value) => value, onStatistics }: ResNetOptions = {},
): Value {
  const { width, layers } = architecture;
  const norm = (name: string, x: Value): Value => batchNormLayer(name, x, onStatistics);
  let x = pixels;
  for (const [i, channels, stride] of [
    [1, width / 2, 2],
    [2, width / 2, 1],
    [3, width, 1],
  ] as const) {
    x = convolution(`image.stem.conv_${i}`, x, channels, 3, stride);
    x = relu(norm(`image.stem.norm_${i}`, x));
    if (i === 1) x = watch('image.stem.1', x);
  }
  x = watch('image.stem', averagePool(x, [2, 2])); // [n, width, side / 4, side / 4]
  layers.forEach((blocks, stage) => {
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      x = bottleneck(`image.stages.${stage}.${block}`, x, width * 2 ** stage, stride, norm);
    }
    x = watch(`image.stage.${stage}`, x);
  });
  return watch('image.pool', attentionPool(architecture, embeddingSize, x));
}

/** Narrow, look around, widen to four times the planes; a stride is an average before a convolution. */
function bottleneck(
  name: string,
  x: Value,
  planes: number,
  stride: number,
  norm: (name: string, x: Value) => Value,
): Value {
  const smaller = (value: Value): Value => (stride > 1 ? averagePool(value, [stride, stride]) : value);
  let inner = relu(norm(`${name}.norm_1`, convolution(`${name}.conv_1`, x, planes, 1)));
  inner = relu(norm(`${name}.norm_2`, convolution(`${name}.conv_2`, inner, planes, 3)));
  inner = norm(`${name}.norm_3`, convolution(`${name}.conv_3`, smaller(inner), planes * 4, 1));
  const sameShape = stride === 1 && x.shape[1] === planes * 4;
  const shortcut = sameShape
    ? x
    : norm(`${name}.downsample.norm`, convolution(`${name}.downsample.conv`, smaller(x), planes * 4, 1));
  return relu(add(inner, shortcut));
}

function convolution(name: string, x: Value, channels: number, kernel: number, stride = 1): Value {
  const from = Number(x.shape[1]);
  const weight = parameter(
    `${name}.weight`,
    [channels, from, kernel, kernel],
    normal((2 / (from * kernel ** 2)) ** 0.5),
  );
  const margin = (kernel - 1) / 2;
  return conv(x, weight, undefined, { strides: [stride, stride], padding: [margin, margin, margin, margin] });
}

function batchNormLayer(name: string, x: Value, onStatistics: ResNetOptions['onStatistics']): Value {
  const channels = Number(x.shape[1]);
  const gain = parameter(`${name}.weight`, [channels], ones);
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

/** The mean of all places attends to all places and to itself: [n, channels, h, w] → [n, embeddingSize]. */
function attentionPool({ heads }: ResNetArchitecture, embeddingSize: number, x: Value): Value {
  const [batch, channels, height, width] = x.shape;
  const places = Number(height) * Number(width);
  const tokens = transpose(reshape(x, [batch!, channels!, places]), [0, 2, 1]); // [n, places, channels]
  const mean = reduceMean(tokens, [1], true); // [n, 1, channels]
  const positions = parameter(
    'image.pool.position_embedding',
    [places + 1, Number(channels)],
    normal(Number(channels) ** -0.5),
  );
  const all = add(concat([mean, tokens], 1), positions);
  const query = reshape(slice(all, 1, 0, 1), [batch!, channels!]);
  const keys = reshape(all, [times(batch!, places + 1), channels!]);
  return attention(
    'image.pool.attention',
    { value: query, batch: batch!, length: 1 },
    { value: keys, batch: batch!, length: places + 1 },
    { heads, outputWidth: embeddingSize },
  ).value;
}
