/** Which part of a source is trained on: the one made for it, and never one for measuring by accident. */
import { EidosError } from '../../errors.ts';
import { allSplits, splitNames } from '../../evaluate/splits.ts';

/** Parts for training, the likeliest first. */
const trained = ['train', 'training'];

/**
 * The part that is meant.
 * @param present the parts that the source has
 * @throws EidosError `not_found` for a part that it has not, and where it has parts but none for training
 */
export function chooseTrainingSplit(
  wanted: string | undefined,
  present: readonly string[],
  source: string,
): string {
  const known = [...new Set(present)];
  if (wanted === allSplits || (wanted !== undefined && known.includes(wanted))) return wanted;
  const choice = known.length === 0 ? 'no parts' : `the parts ${known.join(', ')}`;
  if (wanted !== undefined) {
    throw new EidosError(
      'not_found',
      `${source} has ${choice}, not "${wanted}"; split "${allSplits}" takes all.`,
    );
  }
  const own = trained.find((split) => known.includes(split));
  if (own !== undefined) return own;
  if (!known.some((split) => (splitNames as readonly string[]).includes(split))) return allSplits;
  throw new EidosError(
    'not_found',
    `${source} has ${choice}, and none is for training: name the one that is meant as split, or "${allSplits}".`,
  );
}
