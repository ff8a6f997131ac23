/** CLIP's ModifiedResNet (Radford et al. 2021, section 2.4): anti-aliased strides and attention pooling. */
import { multiply as times } from '../../graph/dimension.ts';
import { normal } from '../../graph/initialise.ts';
import {
  add,
  averagePool,
  concat,
  parameter,
  reduceMean,
  relu,
  reshape,
  slice,
  transpose,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ResNetArchitecture } from '../architecture.ts';
import { attention } from '../layers/attention.ts';
import { type BatchNormOptions, batchNormLayer, convolution } from '../layers/convolution.ts';
import type { TowerHooks, Watch } from '../layers/transformer.ts';

export interface ResNetOptions extends BatchNormOptions, TowerHooks {}

/** Pixels [n, 3, side, side] → embeddings [n, embeddingSize], not normalised. */
export function modifiedResNet(
  architecture: ResNetArchitecture,
  embeddingSize: number,
  pixels: Value,
  { watch = (_, value) => value, branch = (_, value) => value, onStatistics }: ResNetOptions = {},
): Value {
  const { width, layers } = architecture;
  const norm = (name: string, x: Value): Value => batchNormLayer(name, x, { onStatistics });
  let x = pixels;
  for (const [i, channels, stride] of [
    [1, width / 2, 2],
    [2, width / 2, 1],
    [3, width, 1],
  ] as const) {
    x = convolution(`image.stem.conv_${i}`, x, channels, 3, { stride });
    x = relu(norm(`image.stem.norm_${i}`, x));
    if (i === 1) x = watch('image.stem.1', x);
  }
  x = watch('image.stem', averagePool(x, [2, 2])); // [n, width, side / 4, side / 4]
  layers.forEach((blocks, stage) => {
    for (let block = 0; block < blocks; block++) {
      const stride = stage > 0 && block === 0 ? 2 : 1;
      x = bottleneck(`image.stages.${stage}.${block}`, x, width * 2 ** stage, stride, { norm, branch });
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
  { norm, branch }: { norm: Watch; branch: Watch },
): Value {
  const smaller = (value: Value): Value => (stride > 1 ? averagePool(value, [stride, stride]) : value);
  let inner = relu(norm(`${name}.norm_1`, convolution(`${name}.conv_1`, x, planes, 1)));
  inner = relu(norm(`${name}.norm_2`, convolution(`${name}.conv_2`, inner, planes, 3)));
  inner = norm(`${name}.norm_3`, convolution(`${name}.conv_3`, smaller(inner), planes * 4, 1));
  const sameShape = stride === 1 && x.shape[1] === planes * 4;
  const shortcut = sameShape
    ? x
    : norm(`${name}.downsample.norm`, convolution(`${name}.downsample.conv`, smaller(x), planes * 4, 1));
  return relu(add(branch(name, inner), shortcut));
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
