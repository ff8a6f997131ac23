/** What classes are called by their folders, whose names data sets number: `001.Black_footed_Albatross`. */
import { wordsOf } from './form.ts';

/** Counting, or WordNet's number, and what parts it from the words. */
const numberings = [/^\d+[._\s-]+(?=.*\p{Letter})/u, /^n\d{8}[._\s-]+(?=.*\p{Letter})/u];

/**
 * The words for each folder, in their order. A number that all classes of a set begin with is no word; where some have
 * none, or two would then be called alike, every name is taken whole.
 */
export function wordsOfFolders(names: readonly string[]): string[] {
  const numbering = numberings.find((one) => names.length > 1 && names.every((name) => one.test(name)));
  const whole = names.map(wordsOf);
  if (numbering === undefined) return whole;
  const words = names.map((name) => wordsOf(name.replace(numbering, '')));
  return new Set(words).size === words.length ? words : whole;
}
