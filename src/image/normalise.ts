/** From 8-bit pixels to the floats a model reads: [3, height, width], (value / 255 − mean) / deviation. */
import type { Sides } from '../models/architecture.ts';
import type { ImagePreprocessing } from '../models/preprocessing.ts';
import { heightAndWidth } from '../models/sides.ts';
import type { Square } from './resize.ts';

/** The 256 floats that a channel's values become. */
export type ChannelTables = readonly [Float32Array, Float32Array, Float32Array];

/** Every step is rounded to single precision, as PyTorch computes it. */
export function channelTables({
  mean,
  deviation,
}: Pick<ImagePreprocessing, 'mean' | 'deviation'>): ChannelTables {
  const table = (channel: 0 | 1 | 2) => {
    const centre = Math.fround(mean[channel]);
    const spread = Math.fround(deviation[channel]);
    return Float32Array.from({ length: 256 }, (_, value) =>
      Math.fround(Math.fround(Math.fround(value / 255) - centre) / spread),
    );
  };
  return [table(0), table(1), table(2)];
}

/** Writes the square into `target` at `offset`, which has room for 3 · height · width floats there. */
export function writeNormalised(
  square: Square,
  size: Sides,
  tables: ChannelTables,
  target: Float32Array,
  offset: number,
): void {
  const { data, channels, width, height, left, top, border } = square;
  const [rows, columns] = heightAndWidth(size);
  const plane = rows * columns;
  const covered = width === columns && height === rows;
  for (let channel = 0; channel < 3; channel++) {
    const table = tables[channel]!;
    const start = offset + channel * plane;
    if (!covered) target.fill(table[border[channel]!]!, start, start + plane);
    let from = channels === 1 ? 0 : channel;
    for (let y = 0; y < height; y++) {
      let to = start + (top + y) * columns + left;
      for (const end = to + width; to < end; to++) {
        target[to] = table[data[from]!]!;
        from += channels;
      }
    }
  }
}
