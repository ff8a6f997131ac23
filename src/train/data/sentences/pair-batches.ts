/** Batches of sentences that say the same in two languages; batch k follows from the data, the seed and k alone. */
import { EidosError } from '../../../errors.ts';
import { sentenceKey } from '../captions.ts';
import { pick, randomAt, seedAt } from '../chance.ts';
import { createDraws } from '../draws.ts';
import { sharingTargets } from '../targets.ts';
import type { SentenceSource } from './open-sentences.ts';
import type { SentenceBatchOptions, TextBatches } from './sentence-batches.ts';

/** A sentence: which one of its source. */
interface Pair {
  source: number;
  line: number;
  one: number;
  other: number;
}

/** Apart from the chance of other places, see chance.ts. */
const [ofLines, ofSides] = [22, 23];

/**
 * Batches of `translation_tokens` [2 · batch, context length], the one side of all pairs and then the other, and
 * `translation_targets` [batch, batch]: pairs that share a line or a sentence are right for each other. A pair is two
 * sentences of a line in two of its languages, each by chance; which of them stands first is chance, too, so that the
 * language alone tells nothing.
 * @throws EidosError `invalid_option` where no file has lines in two languages
 */
export function openPairBatches(
  sources: readonly SentenceSource[],
  { tokens, contextLength, batch, seed }: SentenceBatchOptions,
): TextBatches {
  const spoken = sources.map(linesInTwoLanguages);
  const drawable = spoken.map(({ length }, source) => ({
    size: length,
    weight: length === 0 ? 0 : sources[source]!.weight,
  }));
  if (drawable.every(({ weight }) => weight === 0)) {
    throw new EidosError(
      'invalid_option',
      'loss.pairs: no file of data.sentences with a weight above 0 has a line in two languages.',
    );
  }
  const draw = createDraws(drawable, seedAt(seed, ofLines));
  const pairAt = (number: number): Pair => {
    const { source, picture } = draw({ number });
    const { line, language } = sources[source]!;
    const first = spoken[source]![picture]!;
    const random = randomAt(seed, ofSides, number);
    const byLanguage = new Map<number, number[]>();
    for (let at = first; line[at] === line[first]; at++) {
      byLanguage.set(language[at]!, [...(byLanguage.get(language[at]!) ?? []), at]);
    }
    const languages = [...byLanguage.keys()];
    const one = pick(languages, random);
    const other = pick(
      languages.filter((code) => code !== one),
      random,
    );
    return {
      source,
      line: line[first]!,
      one: pick(byLanguage.get(one)!, random),
      other: pick(byLanguage.get(other)!, random),
    };
  };
  const drawn = (step: number): Pair[] =>
    Array.from({ length: batch }, (_, row) => pairAt(step * batch + row));
  const textAt = (source: number, sentence: number): string => sources[source]!.texts.at(sentence);
  return {
    async make(step) {
      // The network's step is sent on its way first.
      await new Promise(setImmediate);
      const ids = new BigInt64Array(2 * batch * contextLength);
      const keys = drawn(step).map(({ source, line, one, other }, row) => {
        tokens[source]!.write(one, ids, row);
        tokens[source]!.write(other, ids, batch + row);
        const said = [one, other].map((sentence) => sentenceKey(textAt(source, sentence)));
        return [`#${source}/${line}`, ...said];
      });
      return {
        translation_tokens: { type: 'int64', data: ids, shape: [2 * batch, contextLength] },
        translation_targets: { type: 'float32', data: sharingTargets(keys), shape: [batch, batch] },
      };
    },
    textsOf: (step) =>
      drawn(step).map(({ source, one, other }) => `${textAt(source, one)} = ${textAt(source, other)}`),
    close: () => undefined,
  };
}

/** The first sentence of every line that has sentences in two languages. */
function linesInTwoLanguages({ line, language }: SentenceSource): Uint32Array {
  const found: number[] = [];
  let first = 0;
  let isFound = false;
  for (let at = 0; at < line.length; at++) {
    if (line[at] !== line[first]) {
      first = at;
      isFound = false;
    }
    if (!isFound && language[at] !== language[first]) {
      found.push(first);
      isFound = true;
    }
  }
  return Uint32Array.from(found);
}
