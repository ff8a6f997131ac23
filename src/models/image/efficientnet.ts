/** EfficientNet-Lite (Tan and Le 2019): inverted residuals with depthwise convolutions, rectified units that end at six. */
import { zeros } from '../../graph/initialise.ts';
import { add, clamp, concat, reduceMax, reduceMean } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { EfficientNetArchitecture, InvertedResidualStage } from '../architecture.ts';
import { batchNormLayer, convolution, samePadding } from '../layers/convolution.ts';
import type { ResNetOptions } from './resnet.ts';

/** What of the new statistics enters the running ones at a step, as Lite was trained. */
const momentum = 0.01;

/** Pixels [n, 3, side, side] → pooled features: [n, headWidth], twice that where mean and maximum are taken. */
export function efficientNet(
  { stemWidth, stages, headWidth, normEpsilon, pool }: EfficientNetArchitecture,
  pixels: Value,
  { watch = (_, value) => value, branch = (_, value) => value, onStatistics }: ResNetOptions = {},
): Value {
  const normed = (name: string, x: Value, firstGain?: typeof zeros): Value =>
    batchNormLayer(name, x, { onStatistics, epsilon: normEpsilon, momentum, firstGain });
  const activated = (name: string, x: Value): Value => clamp(normed(name, x), 0, 6);

  let x = convolution('image.stem.conv', pixels, stemWidth, 3, { stride: 2, padding: samePadding });
  x = watch('image.stem', activated('image.stem.norm', x)); // [n, stemWidth, ⌈side / 2⌉, ⌈side / 2⌉]
  for (const [index, stage] of stages.entries()) {
    for (let block = 0; block < stage.blocks; block++) {
      const stride = block === 0 ? stage.stride : 1;
      x = invertedResidual(`image.stages.${index}.${block}`, x, { ...stage, stride });
    }
    x = watch(`image.stage.${index}`, x);
  }
  x = activated('image.head.norm', convolution('image.head.conv', x, headWidth, 1));
  x = watch('image.head', x);
  const mean = reduceMean(x, [2, 3]);
  return watch('image.pool', pool === 'average' ? mean : concat([mean, reduceMax(x, [2, 3])], 1));

  /** Where the shape stays, a block is added to what came in; then its last gain begins at zero, as the identity. */
  function invertedResidual(
    name: string,
    whole: Value,
    { kernelSize, stride, expansion, width }: InvertedResidualStage,
  ): Value {
    const from = Number(whole.shape[1]);
    const inside = from * expansion;
    let inner = whole;
    if (expansion > 1) {
      inner = activated(`${name}.expand.norm`, convolution(`${name}.expand.conv`, inner, inside, 1));
    }
    const seen = convolution(`${name}.depthwise.conv`, inner, inside, kernelSize, {
      stride,
      padding: samePadding,
      groups: inside,
    });
    inner = activated(`${name}.depthwise.norm`, seen);
    const isResidual = stride === 1 && from === width;
    const narrow = convolution(`${name}.narrow.conv`, inner, width, 1);
    const outer = normed(`${name}.narrow.norm`, narrow, isResidual ? zeros : undefined);
    return isResidual ? add(whole, branch(name, outer)) : outer;
  }
}
