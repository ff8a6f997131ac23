/** Which part of a source is trained on: the one made for it, and never one for measuring by accident. */
import { EidosError } from '../../errors.ts';
import { allSplits, isInSplit, splitNames } from '../../evaluate/splits.ts';

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
  const own = trained.flatMap((name) => known.filter((split) => partCalled(split) === name))[0];
  if (own !== undefined) return own;
  if (known.every((split) => partCalled(split) === undefined)) return allSplits;
  throw new EidosError(
    'not_found',
    `${source} has ${choice}, and none is for training: name the one that is meant as split, or "${allSplits}".`,
  );
}

/**
 * The shards or pictures that are trained on, where names alone tell the parts. What is named after no part goes with
 * the part for training, or is that part: only parts for measuring are kept out.
 * @param partOf see partCalled
 * @throws EidosError `not_found` as chooseTrainingSplit does
 */
export function keepTrainingSplit<Item>(
  items: readonly Item[],
  partOf: (item: Item) => string | undefined,
  wanted: string | undefined,
  source: string,
): Item[] {
  const parts = items.map(partOf);
  const present = parts.filter((part) => part !== undefined);
  const unnamed = items.filter((_, at) => parts[at] === undefined);
  const isMeasuredBeside = unnamed.length > 0 && !present.some((part) => trained.includes(part));
  if (wanted === undefined && isMeasuredBeside) return unnamed;
  const split = chooseTrainingSplit(wanted, present, source);
  const isTrained = trained.includes(split);
  return items.filter((_, at) => isInSplit(parts[at], split) || (isTrained && parts[at] === undefined));
}

/** The part that a word of a name means: `Test` is `test`, and `tests` is none. */
export function partCalled(word: string | undefined): string | undefined {
  return splitNames.find((split) => split === word?.toLowerCase());
}
