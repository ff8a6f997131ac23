/** Sentences in English and German for tests, made from a few words by a fixed rule. */

const subjects = [
  'A brown dog',
  'Two children',
  'The old woman',
  'Ein kleiner Junge',
  'Zwei Männer',
  'Die Straßenbahn',
  'Some people',
];
const verbs = [
  'is jumping over',
  'are waiting beside',
  'looks at',
  'läuft über',
  'sitzen auf',
  "doesn't like",
  'fährt durch',
];
const objects = [
  'the wooden bridge',
  'a red umbrella',
  'das grüne Fahrrad',
  'eine verschneite Wiese',
  '12 hot-air balloons',
  'the café',
];
const endings = ['.', '!', ' in the rain.', ' im Regen.', ' at night, alone', ' (wieder einmal)'];

/** `count` sentences; another seed gives others. */
export function sampleSentences(count: number, seed = 1): string[] {
  let state = seed;
  const pick = (list: readonly string[]): string => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return list[(state >> 8) % list.length]!;
  };
  return Array.from(
    { length: count },
    () => `${pick(subjects)} ${pick(verbs)} ${pick(objects)}${pick(endings)}`,
  );
}
