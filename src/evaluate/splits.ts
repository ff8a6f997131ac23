/** Parts of a data set: which one is measured, and the lists of pictures that must not be. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EidosError } from '../errors.ts';
import { linesOf } from '../text/lines.ts';

/** Every picture, whatever its part. */
export const allSplits = 'all';

/** Folders with these names are parts of a set, where all folders beside them are too. */
export const splitNames = [
  'train',
  'training',
  'val',
  'valid',
  'validation',
  'dev',
  'test',
  'testing',
] as const;

/** Parts that sets keep for measuring, the likeliest first. */
const measured = ['test', 'val', 'validation', 'valid'];

/**
 * The part that is meant.
 * @param present the parts that the set has
 * @throws EidosError `not_found` for a part that it has not; the message lists those that it has
 */
export function chooseSplit(wanted: string | undefined, present: readonly string[], folder: string): string {
  const known = [...new Set(present)];
  if (wanted === undefined) {
    return measured.find((split) => known.includes(split)) ?? (known.length === 1 ? known[0]! : allSplits);
  }
  if (wanted === allSplits || known.includes(wanted)) return wanted;
  const message =
    known.length === 0
      ? `${folder} has no parts, not "${wanted}": "${allSplits}" takes all; folders "train" and "test" in it would be parts.`
      : `${folder} has the parts ${known.join(', ')}, not "${wanted}"; "${allSplits}" takes all.`;
  throw new EidosError('not_found', message);
}

/** Whether a picture of a part is wanted. */
export function isInSplit(part: string | undefined, wanted: string): boolean {
  return wanted === allSplits || part === wanted;
}

/** Whether a shard is named after a part: `test.tar`, `test-000.tar`, but not `testing.tar`. */
export function isShardOf(file: string, part: string | undefined): boolean {
  return part !== undefined && file.startsWith(part) && !/^[a-z]/i.test(file.slice(part.length));
}

/** Decides and counts what is left out. */
export interface Exclusions {
  /** Whether the picture stands in the list of its part. */
  excludes(part: string | undefined, file: string): boolean;
  /** How many pictures each list has taken away so far. */
  counts(): { file: string; pictures: number }[];
}

/**
 * Reads `exclude-PART.txt` files beside the set: a picture a line, by the name that the set knows it by. They name
 * pictures of one part that also stand in another, so that figures on them would flatter.
 */
export async function readExclusions(folder: string): Promise<Exclusions> {
  const lists = new Map<string, { file: string; names: Set<string>; pictures: number }>();
  for (const file of await readdir(folder)) {
    const part = /^exclude-(.+)\.txt$/.exec(file)?.[1];
    if (part === undefined) continue;
    const lines = linesOf((await readFile(join(folder, file), 'utf8')).replace(/^\uFEFF/, '')).map((line) =>
      line.trim(),
    );
    lists.set(part, { file, names: new Set(lines.filter((line) => line !== '')), pictures: 0 });
  }
  return {
    excludes(part, file) {
      const list = part === undefined ? undefined : lists.get(part);
      if (!list?.names.has(file)) return false;
      list.pictures++;
      return true;
    },
    counts: () =>
      [...lists.values()]
        .filter(({ pictures }) => pictures > 0)
        .map(({ file, pictures }) => ({ file, pictures })),
  };
}
