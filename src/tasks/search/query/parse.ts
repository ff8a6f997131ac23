/** The command line's way to write a query: `+beach -people 2:golden retriever`. */
import { EidosError } from '../../../errors.ts';
import type { QueryPart, SearchQuery } from '../types.ts';

/**
 * A part begins with + or − before a word, and reaches to the next one; a number and a colon before its words weigh
 * it. Without signs all is one part: words that belong together stay together. Between double quotes nothing of this
 * is special. `dog -leash 0.5:grass`: the last part needs its sign, `dog -leash +0.5:grass`.
 * @throws EidosError `invalid_option` where nothing is left, or nothing has a positive weight
 */
export function parseQuery(text: string): SearchQuery {
  const parts: QueryPart[] = [];
  for (const { sign, words } of split(text)) {
    const [, number, rest] = /^(\d+(?:\.\d+)?|\.\d+):\s*(.*)$/s.exec(words) ?? [undefined, undefined, words];
    const plain = rest!.replaceAll('"', '').trim();
    if (plain !== '') parts.push({ text: plain, weight: sign * Number(number ?? 1) });
  }
  checkParts(parts);
  return { parts };
}

/** @throws EidosError `invalid_option` */
export function checkParts(parts: readonly QueryPart[]): void {
  for (const { weight = 1 } of parts) {
    if (!Number.isFinite(weight)) {
      throw new EidosError(
        'invalid_option',
        `A part of the query has the weight ${weight}: give it a number.`,
      );
    }
  }
  if (parts.some(({ weight = 1 }) => weight > 0)) return;
  throw new EidosError(
    'invalid_option',
    parts.length === 0
      ? 'The query is empty: say what to look for, in words or by a picture.'
      : 'The query only says what is not wanted: add what is, "+beach -people".',
  );
}

/** Runs of text from one sign to the next, outside of quotes. */
function split(text: string): { sign: 1 | -1; words: string }[] {
  const runs: { sign: 1 | -1; words: string }[] = [{ sign: 1, words: '' }];
  let isQuoted = false;
  let before = ' ';
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!;
    const next = /^\s*\S/.test(text.slice(at + 1));
    if (letter === '"') isQuoted = !isQuoted;
    if (!isQuoted && /\s/.test(before) && /[+\-−]/.test(letter) && next) {
      runs.push({ sign: letter === '+' ? 1 : -1, words: '' });
    } else runs.at(-1)!.words += letter;
    before = letter;
  }
  return runs.map(({ sign, words }) => ({ sign, words: words.trim() }));
}
