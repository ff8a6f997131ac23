/**
 * Looks whether numbers are numbers: at each embedding where it leaves the network, and at weights that a network may
 * swallow. A NaN would otherwise go through cosines, probabilities and indices without anybody being told.
 */
import { basename } from 'node:path';
import { findUnsoundNumber, type UnsoundNumber } from '../checkpoint/index.ts';
import type { NumberType } from '../engine/devices.ts';
import { EidosError } from '../errors.ts';
import type { BoundTensor, FloatTensor } from '../graph/tensor.ts';

/** A tower as messages name it. */
export interface NamedTower {
  /** What was asked for when the model was opened. */
  model: string;
  tower: 'image' | 'text';
  dtype: NumberType;
  /** The parameters of this tower alone. */
  weights: readonly BoundTensor[];
}

/** The largest half float; what is larger becomes infinite. */
const largestHalf = 65_504;

/** The first row that holds a number that is none (NaN or infinite), or undefined where all are sound. */
export function firstUnsoundRow(data: Float32Array, width: number): number | undefined {
  for (let start = 0; start < data.length; start += width) {
    let sum = 0;
    // Nought times a number is nought; times anything else it is NaN, and stays so.
    for (let i = start; i < start + width; i++) sum += data[i]! * 0;
    if (sum !== 0) return start / width;
  }
  return undefined;
}

/**
 * Lets embeddings pass whose numbers are all finite.
 * @throws EidosError `not_finite` naming model, tower and, where one is to blame, the weight
 */
export async function requireFiniteRows({ data, shape }: FloatTensor, tower: NamedTower): Promise<void> {
  if (firstUnsoundRow(data, shape[1]!) === undefined) return;
  const found = await findUnsoundNumber(tower.weights, largestOf(tower));
  if (found !== undefined) throw unsoundTower(tower, reasonOf(found, tower));
  throw unsoundTower(
    tower,
    tower.dtype === 'fp16'
      ? 'Its sums are too large for fp16: open it with dtype fp32.'
      : `Each of its weights is a number, but their sums are too large. ${anotherCopy}`,
  );
}

/**
 * Looks at the vectors among the weights (gains, biases, statistics of batch norms), a few hundred kilobytes. An infinite
 * variance, as a training that diverged leaves it, makes a channel zero, and rectifiers make minus infinity zero: such
 * embeddings are finite and wrong. In half floats the same happens to what is over 65,504.
 * @throws EidosError `not_finite` naming model, tower and weight
 */
export async function requireFiniteVectors(tower: NamedTower): Promise<void> {
  const vectors = tower.weights.filter(({ shape }) => shape.length <= 1);
  const found = await findUnsoundNumber(vectors, largestOf(tower));
  if (found !== undefined) throw unsoundTower(tower, reasonOf(found, tower));
}

/** The error for a tower whose numbers are none. */
export function unsoundTower(
  { model, tower }: Pick<NamedTower, 'model' | 'tower'>,
  reason: string,
  options?: { cause: unknown },
): EidosError {
  return new EidosError(
    'not_finite',
    `The ${tower} tower of ${model} gives numbers that are none (NaN or infinite). ${reason}`,
    options,
  );
}

/** What to do about weights that are none. */
export const anotherCopy = 'Take another copy of it, or a checkpoint from before its training diverged.';

function largestOf({ dtype }: NamedTower): number {
  return dtype === 'fp16' ? largestHalf : Number.MAX_VALUE;
}

function reasonOf({ tensor, value }: UnsoundNumber, { dtype }: NamedTower): string {
  const file = 'file' in tensor.location ? ` in ${basename(tensor.location.file)}` : '';
  const holds = `Its weight '${tensor.name}'${file} holds ${value}`;
  return Number.isFinite(value)
    ? `${holds}, more than ${dtype} can (${largestHalf}): open it with dtype fp32.`
    : `${holds}. ${anotherCopy}`;
}
