/** What people type, paste or dictate, as it is meant: one kind of apostrophe and quote, and nothing that cannot be seen. */

/** Apostrophes and single quotes, accents that are typed for them, and primes. */
const apostrophes = /['’‘‛‚ʼʻʹ′‵´`＇՚ꞌ❛❜❟]/gu;
/** Double quotes: curly, low, angle, those of Chinese and Japanese, and double primes. */
const quotes = /["“”„‟«»‹›″‶＂〝〞〟❝❞❠「」『』｢｣《》〈〉⟨⟩]/gu;

/** Line ends and tabs are spaces; other control characters are nothing, as is the mark of byte order. */
const controls = /(?!\s)\p{Cc}/gu;
const spaces = /(?:(?!\ufeff)[\s\u0085])+/gu;

/**
 * Emoji that are joined of several, and flags of regions, which are spelled with invisible letters; or any other
 * character that cannot be seen: soft hyphens, zero-width spaces and joiners, byte order marks, marks of direction,
 * selectors of a variant (Unicode's Default_Ignorable_Code_Point), and marks of annotations.
 */
const invisible =
  /(\u{1F3F4}[\u{E0061}-\u{E007A}\u{E0030}-\u{E0039}]+\u{E007F})|(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}]\ufe0f?)(\u200d)(?=\p{Extended_Pictographic})|[\p{Default_Ignorable_Code_Point}\ufff9-\ufffb]/gu;

/** The same words for all ways to type them, with single spaces between them. */
export function typedText(text: string): string {
  return text
    .replace(spaces, ' ')
    .replace(controls, '')
    .replace(invisible, (_, flag?: string, joiner?: string) => flag ?? joiner ?? '')
    .replace(apostrophes, "'")
    .replace(quotes, '"')
    .replace(/ {2,}/g, ' ')
    .trim();
}
