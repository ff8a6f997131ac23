/** What a claim of parity is: one number, computed by the original code and by eidos, and how far apart they may be. */

/** One row of docs/parity.md, and one test. */
export interface ParityCheck {
  /** The fixture folder whose numbers are the truth. */
  folder: string;
  /** What is compared. */
  what: string;
  /** The largest difference that the folder's README allows. */
  tolerance: number;
  /** What `tolerance` and the difference count. @default 'absolute' */
  unit?: Unit;
  /** Files and folders that it reads, relative to the fixtures. */
  needs: readonly string[];
  /** The largest difference that there is. */
  difference(): Promise<number>;
  /** Why the fixture cannot be met, where it cannot: the difference is then reported beside the reason. */
  unmet?: string;
}

/**
 * - `absolute`: numbers differ by so much at most.
 * - `of the largest`: by so much, divided by the largest expected number of the whole file.
 * - `relative`: by so much, each divided by the expected number.
 * - `of 255`: steps of a byte, the largest of all; `of 255 on average`: the mean over a picture's bytes.
 * - `cases`: so many cases are not exactly equal.
 */
export type Unit = 'absolute' | 'of the largest' | 'relative' | 'of 255' | 'of 255 on average' | 'cases';

/** Numbers with a shape; a shape that differs is a difference without bound. */
export interface Numbers {
  data: ArrayLike<number>;
  shape: readonly number[];
}

/** The largest absolute difference; without bound where shapes differ or something is not a number. */
export function largestDifference(actual: Numbers, expected: Numbers): number {
  if (`${actual.shape}` !== `${expected.shape}` || actual.data.length !== expected.data.length) {
    return Number.POSITIVE_INFINITY;
  }
  let largest = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const difference = Math.abs(actual.data[i]! - expected.data[i]!);
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, difference);
  }
  return largest;
}

/**
 * The largest difference in a set of named arrays, which must be the same set.
 * @param unit `of the largest` divides by the largest number expected anywhere in the set.
 */
export function largestDifferenceOfAll(
  actual: ReadonlyMap<string, Numbers>,
  expected: ReadonlyMap<string, Numbers>,
  unit: 'absolute' | 'of the largest' = 'absolute',
): number {
  if (`${[...actual.keys()].sort()}` !== `${[...expected.keys()].sort()}`) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let largest = 0;
  for (const [name, numbers] of expected) {
    difference = Math.max(difference, largestDifference(actual.get(name)!, numbers));
    for (let i = 0; i < numbers.data.length; i++) largest = Math.max(largest, Math.abs(numbers.data[i]!));
  }
  return unit === 'absolute' ? difference : difference / largest;
}

/** Computes once, however many checks look at the result. */
export function once<T>(compute: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= compute();
    return result;
  };
}
