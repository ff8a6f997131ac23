/** The fixed crops of a picture whose features a teacher is asked for. */

import { randomAt } from '../chance.ts';
import type { View } from '../views.ts';
import { randomView } from '../views.ts';

export type Crop = Omit<View, 'mirrored'>;

/** Makes the crops' chance another one than that of every training. */
const seedOfCrops = 0x5eed;

/**
 * A crop as shares of the square's side; the same for every training, since features belong to it.
 * @param row the picture's line in its index
 * @param number from 1 on
 */
export function fixedCrop(row: number, number: number, area: readonly [number, number]): Crop {
  const { left, top, width, height } = randomView(1, randomAt(seedOfCrops, row, number), {
    area,
    proportion: 4 / 3,
    flip: 0,
  });
  return { left, top, width, height };
}
