/** A residual net of basic blocks (He et al. 2016) over patches: two 3 × 3 convolutions a block, batch norms, rectified units. */
import { zeros } from '../../graph/initialise.ts';
import { add, reduceMean, relu, reshape, transpose } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { BasicResNetArchitecture } from '../architecture.ts';
import { batchNormLayer, convolution } from '../layers/convolution.ts';
import type { ResNetOptions } from './resnet.ts';

/** Pixels [n, 3, side, side] → the mean of the last map, [n, last width]. */
export function basicResNet(
  { patchSize, widths, blocks }: BasicResNetArchitecture,
  pixels: Value,
  { watch = (_, value) => value, branch = (_, value) => value, onStatistics }: ResNetOptions = {},
): Value {
  const activated = (name: string, x: Value): Value => relu(batchNormLayer(name, x, { onStatistics }));
  let x = patchChannels(pixels, patchSize);
  x = activated('image.stem.norm', convolution('image.stem.conv', x, widths[0]!, 3));
  x = watch('image.stem', x); // [n, widths[0], side / patchSize, side / patchSize]
  widths.forEach((width, stage) => {
    const name = `image.stages.${stage}`;
    if (stage > 0) {
      const halved = convolution(`${name}.downsample.conv`, patchChannels(x, 2), width, 1);
      x = activated(`${name}.downsample.norm`, halved);
    }
    for (let block = 0; block < blocks[stage]!; block++) x = basicBlock(`${name}.${block}`, x);
    x = watch(`image.stage.${stage}`, x);
  });
  return watch('image.pool', reduceMean(x, [2, 3]));

  /** The second norm's gain begins at zero, so that a block begins as the identity (Goyal et al. 2017, section 5.1). */
  function basicBlock(name: string, whole: Value): Value {
    const width = Number(whole.shape[1]);
    const inner = activated(`${name}.norm_1`, convolution(`${name}.conv_1`, whole, width, 3));
    const outer = convolution(`${name}.conv_2`, inner, width, 3);
    const normed = batchNormLayer(`${name}.norm_2`, outer, { onStatistics, firstGain: zeros });
    return relu(add(whole, branch(name, normed)));
  }
}

/** [n, c, h, w] → [n, c · p², h / p, w / p]: the numbers of a square patch become channels of one place. */
function patchChannels(x: Value, patch: number): Value {
  const [n, channels, height, width] = x.shape;
  const rows = Number(height) / patch;
  const columns = Number(width) / patch;
  const cut = reshape(x, [n!, channels!, rows, patch, columns, patch]);
  return reshape(transpose(cut, [0, 1, 3, 5, 2, 4]), [n!, Number(channels) * patch ** 2, rows, columns]);
}
