/** How a cleaned text is cut into the pieces that byte pairs are merged in: the published patterns, by name. */

/** Patterns that published vocabularies name; others are left to the general library. */
export type PiecePattern = 'clip' | 'openAi' | 'gpt2';

const contractions = "'s|'t|'re|'ve|'m|'ll|'d";
// Unicode's white space, because JavaScript's \s has U+FEFF and lacks U+0085.
const other = '[^\\p{White_Space}\\p{L}\\p{N}]+';

const sources: { readonly [P in PiecePattern]: string } = {
  clip: `${contractions}|\\p{L}+|\\p{N}|${other}`,
  // OpenAI's own code ignores case, which after lower-casing means only the long s, and lets the tokens of start and end through.
  openAi: `<\\|startoftext\\|>|<\\|endoftext\\|>|'[sſ]|${contractions}|\\p{L}+|\\p{N}|${other}`,
  gpt2: `${contractions}| ?\\p{L}+| ?\\p{N}+| ?${other}|\\p{White_Space}+(?!\\P{White_Space})|\\p{White_Space}+`,
};

const compiled = new Map<PiecePattern, RegExp>();

/** The pieces of a text in order. */
export function cutPieces(text: string, pattern: PiecePattern): readonly string[] {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    expression = new RegExp(sources[pattern], 'gu');
    compiled.set(pattern, expression);
  }
  return text.match(expression) ?? [];
}

/** The patterns as vocabulary files write them (Oniguruma's syntax). */
export const clipPatternSource = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";

/** The name of a pattern written in a vocabulary file, if it is one of those known here. */
export function knownPattern(source: string): PiecePattern | undefined {
  const plain = source.replace(/\[(\\p\{[LN]\})\]/g, '$1').replace(/\s*$/, '');
  if (plain === "'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^\\s\\p{L}\\p{N}]+") return 'clip';
  if (
    plain ===
    "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^\\s\\p{L}\\p{N}]+"
  ) {
    return 'clip';
  }
  const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
  return plain === gpt2 ? 'gpt2' : undefined;
}
