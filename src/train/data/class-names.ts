/** The names of a classifier's classes, in its own order, and what of them a step is told. */
import { EidosError } from '../../errors.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import { type Concept, createCaptioner } from './captions.ts';
import { randomAt } from './chance.ts';
import type { CaptionsConfig } from './config.ts';
import { conceptOf, readNames } from './names.ts';

/**
 * The classes of a file of names (see readNames), by their `index` where all have one, else in the file's order.
 * @throws EidosError `not_found`, `invalid_option` for malformed files and classes without a name in these languages
 */
export async function readClassNames(file: string, languages: readonly string[]): Promise<Concept[]> {
  const names = [...(await readNames(file, languages))];
  if (names.length === 0) {
    throw new EidosError('invalid_option', `loss.distillation.names: ${file} has no class.`);
  }
  const isNumbered = names.every(([, { imageNetIndex }]) => imageNetIndex !== undefined);
  if (isNumbered) names.sort(([, one], [, other]) => one.imageNetIndex! - other.imageNetIndex!);
  return names.map(([label, { words }]) => {
    if (Object.keys(words).length > 0) return conceptOf(words);
    throw new EidosError(
      'invalid_option',
      `loss.distillation.names: ${file} has no name for "${label}" in ${languages.join(' or ')} (data.captions.languages).`,
    );
  });
}

/** Makes `name_tokens` [classes, context length] of a step, counted from 0: the same for the same seed. */
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
