/** What stands between quotes in a query: quotes begin before a word and end behind one, so that inches and apostrophes are none. */

/** From the opening quote to the closing one, both included. */
export interface QuotedRange {
  start: number;
  end: number;
}

/** What may stand before an opening quote, and behind a closing one; nothing may, too. */
const before = /^[\s+＋﹢\p{Dash}−:([{"']?$/u;
const behind = /^[\s.,;:!?)\]}"']?$/u;

/**
 * Text between double quotes, and between single ones where it holds what would be special outside: an apostrophe at
 * the beginning of one word and at the end of another may be just that.
 * @param text as `typedText` leaves it, with one kind of quotes each
 */
export function quotedRanges(text: string, isSpecial: (inside: string) => boolean): QuotedRange[] {
  const ranges: QuotedRange[] = [];
  for (let start = 0; start < text.length; start++) {
    const mark = text[start]!;
    if ((mark !== '"' && mark !== "'") || !before.test(text.charAt(start - 1))) continue;
    const end = closing(text, start, mark);
    if (end === undefined || (mark === "'" && !isSpecial(text.slice(start + 1, end)))) continue;
    ranges.push({ start, end });
    start = end;
  }
  return ranges;
}

function closing(text: string, start: number, mark: string): number | undefined {
  for (let end = text.indexOf(mark, start + 1); end >= 0; end = text.indexOf(mark, end + 1)) {
    if (behind.test(text.charAt(end + 1))) return end;
  }
  return undefined;
}

export function isQuoted(ranges: readonly QuotedRange[], at: number): boolean {
  return ranges.some(({ start, end }) => start < at && at < end);
}

/** Words of a piece of the text without the quotes around them. Double quotes that belong to none go, but for inches. */
export function withoutQuotes(
  text: string,
  ranges: readonly QuotedRange[],
  from: number,
  to: number,
): string {
  const marks = new Set(ranges.flatMap(({ start, end }) => [start, end]));
  const letters = [...text.slice(from, to)];
  let at = from;
  const kept = letters.filter((letter) => {
    const place = at;
    at += letter.length;
    if (marks.has(place)) return false;
    return letter !== '"' || isQuoted(ranges, place) || /\d/.test(text.charAt(place - 1));
  });
  return kept.join('').replace(/ {2,}/g, ' ').trim();
}
