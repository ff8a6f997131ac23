/** Convolutions that make a Vision Transformer's patches, where no single linear map does. */
import { gelu } from '../../graph/derived.ts';
import { add, averagePool } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { VitStem } from '../architecture.ts';
import {
  type BatchNormOptions,
  batchNormLayer,
  channelNormLayer,
  convolution,
  noPadding,
} from '../layers/convolution.ts';

const name = 'image.stem';

/** Pixels [n, 3, height, width] → maps [n, width, rows, columns], a place for each patch. */
export function stemMaps(
  stem: VitStem,
  width: number,
  pixels: Value,
  normEpsilon: number,
  norms: BatchNormOptions,
): Value {
  switch (stem.kind) {
    case 'convolutions':
      return stem.kernels.reduce((x, kernel, index) => {
        const last = index === stem.kernels.length - 1;
        const channels = last ? width : stem.widths[index]!;
        const to = `${name}.${index}`;
        const seen = convolution(`${to}.conv`, x, channels, kernel, {
          stride: kernel,
          padding: noPadding,
          bias: last,
        });
        return last ? seen : gelu(batchNormLayer(`${to}.norm`, seen, norms));
      }, pixels);
    case 'inverted_residuals':
      return invertedResiduals(stem, width, pixels, normEpsilon);
  }
}

function invertedResiduals(
  { stemWidth, stages }: Extract<VitStem, { kind: 'inverted_residuals' }>,
  width: number,
  pixels: Value,
  epsilon: number,
): Value {
  let x = convolution(`${name}.conv_1`, pixels, stemWidth, 3, { stride: 2, bias: true });
  x = gelu(channelNormLayer(`${name}.norm`, x, epsilon));
  x = convolution(`${name}.conv_2`, x, stemWidth, 3, { bias: true });
  stages.forEach((stage, index) => {
    for (let block = 0; block < stage.blocks; block++) {
      x = invertedResidual(`${name}.stages.${index}.${block}`, x, stage, block === 0 ? 2 : 1);
    }
  });
  x = channelNormLayer(`${name}.pool.norm`, x, epsilon);
  return convolution(`${name}.pool.conv`, x, width, 3, { stride: 2, bias: true });

  /** Norm, widen, look around in each channel, narrow; the shortcut of a stride is an average. */
  function invertedResidual(
    to: string,
    whole: Value,
    { width: channels, expansion }: { width: number; expansion: number },
    stride: number,
  ): Value {
    const inside = channels * expansion;
    let inner = channelNormLayer(`${to}.norm`, whole, epsilon);
    inner = gelu(convolution(`${to}.widen`, inner, inside, 1, { bias: true }));
    inner = gelu(convolution(`${to}.depthwise`, inner, inside, 3, { stride, groups: inside, bias: true }));
    inner = convolution(`${to}.narrow`, inner, channels, 1, { bias: true });
    let shortcut = whole;
    if (stride > 1)
      shortcut = averagePool(shortcut, [3, 3], { strides: [stride, stride], padding: [1, 1, 1, 1] });
    if (whole.shape[1] !== channels) {
      shortcut = convolution(`${to}.shortcut`, shortcut, channels, 1, { bias: true });
    }
    return add(inner, shortcut);
  }
}
