/** ConvNeXt (Liu et al. 2022, "A ConvNet for the 2020s"): depthwise convolutions and MLPs in the shape of a Transformer. */
import { multiply as times } from '../../graph/dimension.ts';
import { normal, zeros } from '../../graph/initialise.ts';
import { add, conv, multiply, parameter, reduceMean, reshape, transpose } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ConvNextArchitecture } from '../architecture.ts';
import { linearLayer, normLayer } from '../layers/linear.ts';
import { mlp } from '../layers/mlp.ts';
import type { TowerHooks } from '../layers/transformer.ts';

/** Where the first branch weights of a block begin (section A.1). */
const firstScale = { kind: 'constant', value: 1e-2 } as const;

/** Pixels [n, 3, side, side] → the mean of the last map, normed, [n, last width]. */
export function convNext(
  architecture: ConvNextArchitecture,
  pixels: Value,
  { watch = (_, value) => value, branch = (_, value) => value }: TowerHooks = {},
): Value {
  const { imageSize, patchSize, widths, blocks, kernelSize, activation, normEpsilon, patchNumbers } =
    architecture;
  const norm = (name: string, x: Value): Value => normLayer(name, x, normEpsilon);
  const n = pixels.shape[0]!;
  let side = imageSize / patchSize;
  // Places are rows and channels columns throughout: [n · side · side, width]; only the convolutions see maps.
  let x = patchRows(transpose(pixels, [0, 2, 3, 1]), patchSize, patchNumbers);
  x = norm('image.stem.norm', linearLayer('image.stem', x, widths[0]!));
  widths.forEach((width, stage) => {
    const name = `image.stages.${stage}`;
    if (stage > 0) {
      const normed = norm(`${name}.downsample.norm`, x);
      x = linearLayer(
        `${name}.downsample`,
        patchRows(reshape(normed, [n, side, side, widths[stage - 1]!]), 2, patchNumbers),
        width,
      );
      side /= 2;
    }
    for (let block = 0; block < blocks[stage]!; block++) {
      x = add(x, branch(`${name}.${block}`, inner(`${name}.${block}`, x, width)));
    }
    x = watch(`image.stage.${stage}`, x);
  });
  const last = widths[widths.length - 1]!;
  const pooled = reduceMean(reshape(x, [n, side * side, last]), [1]);
  return norm('image.norm_after', watch('image.pool', pooled));

  /** What a block adds: a look around in each channel, then an MLP on each place, then a weight for each channel. */
  function inner(name: string, rows: Value, width: number): Value {
    const margin = (kernelSize - 1) / 2;
    const kernel = parameter(
      `${name}.depthwise.weight`,
      [width, 1, kernelSize, kernelSize],
      normal(1 / kernelSize),
    );
    const bias = parameter(`${name}.depthwise.bias`, [width], zeros);
    const maps = transpose(reshape(rows, [n, side, side, width]), [0, 3, 1, 2]);
    const seen = conv(maps, kernel, bias, {
      padding: [margin, margin, margin, margin],
      groups: width,
    });
    const back = reshape(transpose(seen, [0, 2, 3, 1]), [times(n, side * side), width]);
    const scale = parameter(`${name}.scale`, [width], firstScale);
    return multiply(mlp(`${name}.mlp`, norm(`${name}.norm`, back), { hidden: 4 * width, activation }), scale);
  }
}

/** [n, h, w, c] → [n · h / p · w / p, p² · c]: a row for each square patch. */
function patchRows(maps: Value, patch: number, order: ConvNextArchitecture['patchNumbers']): Value {
  const [n, height, width, channels] = maps.shape;
  const rows = Number(height) / patch;
  const columns = Number(width) / patch;
  const cut = reshape(maps, [n!, rows, patch, columns, patch, channels!]);
  const numbers = patch ** 2 * Number(channels);
  const axes = order === 'channels' ? [0, 1, 3, 5, 2, 4] : [0, 1, 3, 2, 4, 5];
  return reshape(transpose(cut, axes), [times(n!, rows * columns), numbers]);
}
