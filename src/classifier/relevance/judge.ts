/**
 * Which pictures fit a query, told from their captions: the judgement that probabilities are calibrated against. People
 * describe the same thing in different words, so this is a rule of thumb: a picture fits when its captions together
 * have at least two thirds of the query's words that mean something; a single word must be in two of them.
 */

/** Captions of pictures as stems with the number of captions that have each. */
export type CaptionedPicture = ReadonlyMap<string, number>;

const little = new Set(
  'a an the of in on at to and or with without is are was were be been being has have had while by for from his her hers its their it he she they him them who which that this these those as up down out over under near into through off onto around front back next behind beside between there very some one two three four several many other another someone something standing looking wearing'.split(
    ' ',
  ),
);

/** The words of a sentence that mean something, without their usual endings. */
export function contentWords(sentence: string): Set<string> {
  const words = sentence.toLowerCase().match(/\p{Letter}+/gu) ?? [];
  return new Set(words.filter((word) => word.length > 1 && !little.has(word)).map(stem));
}

/** Crude and enough: dogs → dog, running → runn, jumped → jump. */
function stem(word: string): string {
  for (const ending of ['ing', 'ies', 'es', 'ed', 's', 'y']) {
    if (word.endsWith(ending) && word.length > ending.length + 2) return word.slice(0, -ending.length);
  }
  return word;
}

export function captionedPicture(captions: readonly string[]): CaptionedPicture {
  const counts = new Map<string, number>();
  for (const caption of captions) {
    for (const word of contentWords(caption)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** Whether a picture fits; undefined where one caption of it says so and the others do not. */
export function fits(query: ReadonlySet<string>, picture: CaptionedPicture): boolean | undefined {
  const [only] = query;
  if (only === undefined) return undefined;
  if (query.size === 1) {
    const count = picture.get(only) ?? 0;
    return count === 1 ? undefined : count > 1;
  }
  let covered = 0;
  for (const word of query) if (picture.has(word)) covered += 1;
  return covered / query.size >= 2 / 3;
}

/** Words that are usual but not everywhere, in the form in which they appear most: queries as people type them. */
export function wordQueries(
  captions: readonly (readonly string[])[],
  { least, most }: { least: number; most: number },
): string[] {
  const pictures = captions.map(captionedPicture);
  const forms = new Map<string, Map<string, number>>();
  for (const word of captions.flat().flatMap((text) => text.toLowerCase().match(/\p{Letter}+/gu) ?? [])) {
    const [key] = contentWords(word);
    if (key === undefined) continue;
    const own = forms.get(key) ?? new Map<string, number>();
    own.set(word, (own.get(word) ?? 0) + 1);
    forms.set(key, own);
  }
  return [...forms].flatMap(([key, own]) => {
    const fitting = pictures.filter((picture) => fits(new Set([key]), picture)).length;
    if (fitting < least || fitting > most) return [];
    return [[...own].sort((a, b) => b[1] - a[1])[0]![0]];
  });
}
