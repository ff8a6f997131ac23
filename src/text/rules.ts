/** How a text is cleaned before it is cut into words, as data: each published tokenizer has its own rules. */

import { unescapeHtml } from './html.ts';

/** What happens to a text, in this order. */
export interface TextRules {
  /** HTML entities become characters, twice, as captions from the web need it (`&amp;lt;` → `<`). */
  unescapeHtml: boolean;
  /** Unicode's composed form (NFC). */
  compose: boolean;
  /** ASCII punctuation is dropped. */
  removePunctuation: boolean;
  /** Every run of white space becomes one space. */
  collapseWhitespace: boolean;
  /** White space and U+001C to U+001F are cut off at both ends. */
  trim: boolean;
  /** `letters`: each letter for itself, as Rust does; otherwise a capital sigma at the end of a word becomes ς. */
  lowerCase: boolean | 'letters';
}

/**
 * OpenAI's and open_clip's rules, but for `ftfy`, which eidos does not have: curly quotes, ligatures, full-width and
 * decomposed letters and wrongly decoded bytes give other tokens (docs/parity.md counts them).
 */
export const openAiRules: TextRules = {
  unescapeHtml: true,
  compose: false,
  removePunctuation: false,
  collapseWhitespace: true,
  trim: true,
  lowerCase: true,
};

/** The rules of CLIP's `tokenizer.json`, by which most published uses of Hugging Face's CLIP work. */
export const huggingFaceRules: TextRules = {
  ...openAiRules,
  unescapeHtml: false,
  compose: true,
  trim: false,
  lowerCase: 'letters',
};

/** SigLIP's processor. */
export const siglipRules: TextRules = {
  ...openAiRules,
  unescapeHtml: false,
  removePunctuation: true,
};

/** Nothing is changed: the vocabulary itself says what happens. */
export const plainRules: TextRules = {
  unescapeHtml: false,
  compose: false,
  removePunctuation: false,
  collapseWhitespace: false,
  trim: false,
  lowerCase: false,
};

/** The text as the vocabulary was made for it; lone surrogates become U+FFFD. */
export function normalizeText(text: string, rules: TextRules): string {
  let result = isAscii(text) ? text : text.replace(/\p{Surrogate}/gu, '\uFFFD');
  if (rules.unescapeHtml) result = unescapeHtml(unescapeHtml(result));
  const isPlain = isAscii(result);
  if (rules.compose && !isPlain) result = result.normalize('NFC');
  if (rules.removePunctuation) result = result.replace(/[!-/:-@[-`{-~]/g, '');
  // Unicode's white space: JavaScript's \s has U+FEFF and lacks U+0085.
  if (rules.collapseWhitespace && !(isPlain && !result.includes('  ')))
    result = result.replace(/\p{White_Space}+/gu, ' ');
  if (rules.trim) result = trim(result);
  if (rules.lowerCase === 'letters') return lowerCase(result);
  return rules.lowerCase ? result.toLowerCase() : result;
}

/** Letter by letter, so that no letter sees its neighbours: a capital sigma at the end of a word becomes σ. */
export function lowerCase(text: string): string {
  return text.replaceAll('Σ', 'σ').toLowerCase();
}

/** Whether a text holds ASCII's visible characters and spaces only, as most do: less is to be looked at in them. */
function isAscii(text: string): boolean {
  return !/[^ -~]/.test(text);
}

/** Written as loops because a pattern anchored at the end takes quadratic time on long runs inside. */
function trim(text: string): string {
  const isSpace = (unit: string): boolean =>
    /\p{White_Space}/u.test(unit) || (unit >= '\x1c' && unit <= '\x1f');
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start]!)) start++;
  while (end > start && isSpace(text[end - 1]!)) end--;
  return text.slice(start, end);
}
