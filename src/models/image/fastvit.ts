/**
 * FastViT (Vasu et al. 2023), the image tower of MobileCLIP: convolutions that train in several branches and work as one
 * (Ding et al. 2021, RepVGG), and attention where the maps are small.
 */
import { gelu } from '../../graph/derived.ts';
import { multiply as times } from '../../graph/dimension.ts';
import {
  add,
  multiply,
  parameter,
  reduceMean,
  relu,
  reshape,
  sigmoid,
  subtract,
  transpose,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { FastVitArchitecture, FastVitStage } from '../architecture.ts';
import { attention } from '../layers/attention.ts';
import {
  type BatchNormOptions,
  batchNormLayer,
  channelNormLayer,
  convolution,
} from '../layers/convolution.ts';
import type { TowerHooks } from '../layers/transformer.ts';

/** Where the factors of what blocks add begin (Touvron et al. 2021). */
const firstScale = { kind: 'constant', value: 1e-5 } as const;

export interface FastVitOptions extends TowerHooks, BatchNormOptions {}

/** Pixels [n, 3, side, side] → the mean of the last map, [n, headWidth]. */
export function fastVit(
  architecture: FastVitArchitecture,
  pixels: Value,
  { watch = (_, value) => value, branch = (_, value) => value, onStatistics }: FastVitOptions = {},
): Value {
  const { stages, headWidth, headSqueeze, folded, stemPoints } = architecture;
  const norms = { onStatistics, epsilon: architecture.normEpsilon };
  const [first] = stages;
  const stem = (index: number, x: Value, kernel: number, stride: number, groups: number): Value =>
    gelu(
      branched(`image.stem.${index}`, x, first!.width, kernel, {
        stride,
        groups,
        points: kernel > 1 && stemPoints,
      }),
    );
  let x = stem(0, pixels, 3, 2, 1);
  x = stem(1, x, 3, 2, first!.width);
  x = watch('image.stem', stem(2, x, 1, 1, 1));
  stages.forEach((stage, index) => {
    const name = `image.stages.${index}`;
    if (stage.downsample) x = downsampled(`${name}.downsample`, x, stage);
    if (stage.positions) {
      const seen = convolution(`${name}.positions`, x, stage.width, stage.positions, {
        groups: stage.width,
        bias: true,
      });
      x = folded ? seen : add(seen, x);
    }
    for (let block = 0; block < stage.blocks; block++) x = mixed(`${name}.${block}`, x, stage);
    x = watch(`image.stage.${index}`, x);
  });
  x = gelu(
    branched('image.head', x, headWidth, 3, {
      groups: Number(x.shape[1]),
      points: true,
      squeeze: headSqueeze,
    }),
  );
  return watch('image.pool', reduceMean(x, [2, 3]));

  /** A convolution, as the sum of its branches or folded into one; then squeeze and excitation where it has them. */
  function branched(
    name: string,
    maps: Value,
    channels: number,
    kernel: number,
    { stride = 1, groups = 1, points = false, squeeze }: BranchedOptions,
  ): Value {
    if (folded) {
      const seen = convolution(`${name}.folded`, maps, channels, kernel, { stride, groups, bias: true });
      return squeezed(`${name}.squeeze`, seen, squeeze);
    }
    let sum = normedConvolution(`${name}.kernel`, maps, channels, kernel, { stride, groups });
    if (points) sum = add(sum, normedConvolution(`${name}.points`, maps, channels, 1, { stride, groups }));
    if (stride === 1 && maps.shape[1] === channels) {
      sum = add(sum, batchNormLayer(`${name}.identity`, maps, norms));
    }
    return squeezed(`${name}.squeeze`, sum, squeeze);
  }

  function normedConvolution(
    name: string,
    maps: Value,
    channels: number,
    kernel: number,
    options: { stride?: number; groups?: number },
  ): Value {
    return batchNormLayer(`${name}.norm`, convolution(name, maps, channels, kernel, options), norms);
  }

  /** Half the sides: a large kernel and a small one over each channel, then a map of each place. */
  function downsampled(name: string, maps: Value, { width, kernelSize, squeeze }: FastVitStage): Value {
    const options = { stride: 2, groups: Number(maps.shape[1]) };
    let seen: Value;
    if (folded) {
      seen = convolution(`${name}.folded`, maps, width, kernelSize, { ...options, bias: true });
    } else {
      seen = add(
        normedConvolution(`${name}.large`, maps, width, kernelSize, options),
        normedConvolution(`${name}.small`, maps, width, 3, options),
      );
    }
    const bent = gelu(squeezed(`${name}.squeeze`, seen, squeeze));
    return gelu(branched(`${name}.map`, bent, width, 1, {}));
  }

  /** A block: places see their neighbours or each other, then a perceptron on each of them. */
  function mixed(name: string, maps: Value, stage: FastVitStage): Value {
    const { width, mixer, mlpWidth } = stage;
    const scale = (index: 1 | 2, value: Value): Value =>
      multiply(value, parameter(`${name}.scale_${index}`, [width, 1, 1], firstScale));
    let whole = maps;
    if (mixer === 'attention') {
      const normed =
        architecture.attentionNorm === 'batch'
          ? batchNormLayer(`${name}.norm`, maps, norms)
          : channelNormLayer(`${name}.norm`, maps, architecture.normEpsilon);
      whole = add(maps, branch(`${name}.attention`, scale(1, attended(`${name}.attention`, normed))));
    } else if (folded) {
      whole = convolution(`${name}.mixer`, maps, width, 3, { groups: width, bias: true });
    } else {
      const seen = branched(`${name}.mixer`, maps, width, 3, { groups: width, points: true });
      const change = subtract(seen, batchNormLayer(`${name}.mixer_norm`, maps, norms));
      whole = add(maps, branch(`${name}.mixer`, scale(1, change)));
    }
    let inner = normedConvolution(`${name}.mlp.look`, whole, width, 7, { groups: width });
    inner = gelu(convolution(`${name}.mlp.up`, inner, mlpWidth, 1, { bias: true }));
    inner = convolution(`${name}.mlp.down`, inner, width, 1, { bias: true });
    return add(whole, branch(`${name}.mlp`, scale(2, inner)));
  }

  function attended(name: string, maps: Value): Value {
    const [n, channels, rows, columns] = maps.shape;
    const length = Number(rows) * Number(columns);
    const places = reshape(transpose(maps, [0, 2, 3, 1]), [times(n!, length), channels!]);
    const tokens = { value: places, batch: n!, length };
    const heads = Number(channels) / architecture.attentionHeadWidth;
    const { value } = attention(name, tokens, tokens, { heads, biases: 'output' });
    return transpose(reshape(value, [n!, rows!, columns!, channels!]), [0, 3, 1, 2]);
  }
}

interface BranchedOptions {
  stride?: number;
  groups?: number;
  /** Whether a branch with a kernel of one place stands beside. */
  points?: boolean;
  squeeze?: number | undefined;
}

/** Channels weighed by what all places of them say (Hu et al. 2018); as it is where no width inside is given. */
function squeezed(name: string, maps: Value, inside: number | undefined): Value {
  if (inside === undefined) return maps;
  const mean = reduceMean(maps, [2, 3], true);
  const bent = relu(convolution(`${name}.down`, mean, inside, 1, { bias: true }));
  const weight = sigmoid(convolution(`${name}.up`, bent, Number(maps.shape[1]), 1, { bias: true }));
  return multiply(maps, weight);
}
