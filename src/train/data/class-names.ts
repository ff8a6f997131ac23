/** The names of a classifier's classes, in its own order, and what of them a step is told. */
import { EidosError } from '../../errors.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import { type Concept, createCaptioner } from './captions.ts';
import { randomAt } from './chance.ts';
import type { CaptionsConfig } from './config.ts';
import { kindsOfImageNet } from './kinds.ts';
import { conceptOf, readNames } from './names.ts';

/** What an image net's own classifier is foretold by. */
export interface ClassNames {
  /** Its classes in its own order, and behind them what they are kinds of. */
  concepts: readonly Concept[];
  /** Classes of the classifier. */
  classes: number;
  /**
   * How each class's probability is shared among the concepts, [classes, concepts]; left out where each class is foretold
   * by its own name alone.
   */
  shares?: Float32Array<ArrayBuffer>;
}

/**
 * The classes of a file of names (see readNames), by their `index` where all have one, else in the file's order.
 * @param kinds the share of a class that goes to what it is a kind of, each as much; a class of no kind keeps all
 * @throws EidosError `not_found`, `invalid_option` for malformed files and classes without a name in these languages
 */
export async function readClassNames(
  file: string,
  languages: readonly string[],
  kinds = 0,
): Promise<ClassNames> {
  const names = [...(await readNames(file, languages))];
  if (names.length === 0) {
    throw new EidosError('invalid_option', `loss.distillation.names: ${file} has no class.`);
  }
  const isNumbered = names.every(([, { imageNetIndex }]) => imageNetIndex !== undefined);
  if (isNumbered) names.sort(([, one], [, other]) => one.imageNetIndex! - other.imageNetIndex!);
  const classes = names.map(([label, { words }]) => {
    if (Object.keys(words).length > 0) return conceptOf(words);
    throw new EidosError(
      'invalid_option',
      `loss.distillation.names: ${file} has no name for "${label}" in ${languages.join(' or ')} (data.captions.languages).`,
    );
  });
  if (kinds === 0) return { concepts: classes, classes: classes.length };
  if (!isNumbered) {
    throw new EidosError(
      'invalid_option',
      `loss.distillation.kinds: only of ImageNet's classes is it known what they are kinds of, and ${file} gives no "index" for each class: leave it away.`,
    );
  }
  return withKinds(
    classes,
    names.map(([, { imageNetIndex }]) =>
      kindsOfImageNet(imageNetIndex!).map(({ en, de }) => conceptOf({ en, de })),
    ),
    kinds,
  );
}

/** @param kindsOf of each class */
function withKinds(
  classes: readonly Concept[],
  kindsOf: readonly (readonly Concept[])[],
  share: number,
): ClassNames {
  const concepts = [...classes];
  const places = new Map(classes.map(({ key }, place) => [key, place]));
  for (const kind of kindsOf.flat()) {
    if (!places.has(kind.key)) places.set(kind.key, concepts.push(kind) - 1);
  }
  const shares = new Float32Array(classes.length * concepts.length);
  for (const [at, kinds] of kindsOf.entries()) {
    const row = shares.subarray(at * concepts.length, (at + 1) * concepts.length);
    row[at] = kinds.length > 0 ? 1 - share : 1;
    for (const { key } of kinds) row[places.get(key)!]! += share / kinds.length;
  }
  return { concepts, classes: classes.length, shares };
}

/** Makes `name_tokens` [concepts, context length] of a step, counted from 0: the same for the same seed. */
export type NameBatches = (step: number) => BigInt64Array<ArrayBuffer>;

/** Apart from the chance of other places, see chance.ts. */
const ofNames = 16;

/** Each class in a language, by a name and in a template that chance draws anew in every step. */
export function createNameBatches(
  classes: readonly Concept[],
  captions: CaptionsConfig,
  tokenizer: Tokenizer,
  seed: number,
): NameBatches {
  const captionOf = createCaptioner({ ...captions, kinds: 0, descriptions: 0, joined: 0 });
  const descriptions = classes.map((concept) => ({
    captions: {},
    concepts: [concept],
    features: [],
    sentences: [],
  }));
  const { contextLength } = tokenizer;
  /** Names in templates come again and again, and cutting a thousand of them takes longer than a small step. */
  const rows = new Map<string, BigInt64Array>();
  const rowOf = (text: string): BigInt64Array => {
    const known = rows.get(text);
    if (known !== undefined) return known;
    const row = tokenizer.tokenize([text]).data;
    rows.set(text, row);
    return row;
  };
  return (step) => {
    const random = randomAt(seed, ofNames, step);
    const tokens = new BigInt64Array(classes.length * contextLength);
    for (const [at, description] of descriptions.entries()) {
      const { text } = captionOf(description, '', random);
      tokens.set(rowOf(text), at * contextLength);
    }
    return tokens;
  };
}
