/** The command line's way to write a query: `+beach -people +2:golden retriever`. */
import { EidosError } from '../../../errors.ts';
import { typedText } from '../../../text/typed.ts';
import type { QueryPart, SearchQuery } from '../types.ts';
import { isQuoted, quotedRanges, withoutQuotes } from './quotes.ts';

/**
 * A part begins with + or − before a word, and reaches to the next one; a number and a colon before its words weigh
 * it, where the part has a sign or is one of several: `16:9 monitor` is searched as it is typed. Without signs all is
 * one part: words that belong together stay together. Between quotes of any kind nothing of this is special, and any
 * dash is a minus. `dog -leash 0.5:grass`: the last part needs its sign, `dog -leash +0.5:grass`.
 * @throws EidosError `invalid_option` where nothing is left, or nothing has a positive weight
 */
export function parseQuery(text: string): SearchQuery {
  const runs = split(typedText(text));
  const parts = runs.map((run) => partOf(run, runs.length > 1)).filter(({ text: words }) => words !== '');
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

/** Text from one sign to the next, outside of quotes. */
interface Run {
  /** Undefined before the first sign. */
  sign: 1 | -1 | undefined;
  words: string;
}

/** A sign before a word; several that follow each other are one. */
const sign = /(?<=^|\s)([+＋﹢]|[\p{Dash}−])(?=\s*\S)[+＋﹢\p{Dash}−]*/gu;

function split(text: string): Run[] {
  const ranges = quotedRanges(text, (inside) => inside.search(sign) >= 0);
  const runs: Run[] = [];
  let from = 0;
  let own: Run['sign'];
  for (const found of text.matchAll(sign)) {
    if (isQuoted(ranges, found.index)) continue;
    runs.push({ sign: own, words: withoutQuotes(text, ranges, from, found.index) });
    own = /[+＋﹢]/u.test(found[1]!) ? 1 : -1;
    from = found.index + found[0].length;
  }
  runs.push({ sign: own, words: withoutQuotes(text, ranges, from, text.length) });
  return runs.filter(({ words }) => words !== '');
}

const weightAndWords = /^(\d+(?:\.\d+)?|\.\d+):\s*(.*)$/s;

function partOf({ sign: own, words }: Run, isOneOfSeveral: boolean): { text: string; weight: number } {
  const [, number, rest = ''] = weightAndWords.exec(words) ?? [];
  // What has no sign and goes on with a digit is a time or a ratio, `16:9 monitor -desk`.
  const isWeight = number !== undefined && (own !== undefined || (isOneOfSeveral && !/^\d/.test(rest)));
  return isWeight
    ? { text: rest.trim(), weight: (own ?? 1) * Number(number) }
    : { text: words, weight: own ?? 1 };
}
