/**
 * Records of tables with separated values. With commas (RFC 4180) or semicolons (as spreadsheets write where a comma
 * parts a number) fields in quotes may hold separators, doubled quotes and line ends. With tabs a record is a line, and
 * quotes that do not enclose a field are text like any other: captions often begin with one.
 */
import type { TextLine } from './text-lines.ts';

export type Separator = ',' | ';' | '\t';

/** A record, or what is wrong with the line where it begins; lines are counted from 1. */
export type TableRecord =
  | { line: number; fields: string[]; problem?: undefined }
  | { line: number; fields?: undefined; problem: string };

/** More lines in one field are a quote that somebody forgot to close. */
const mostLinesOfField = 100;

/** Of a line in another encoding. */
export const notUtf8 = 'it is no UTF-8: save the file as UTF-8';

const misquoted =
  'a quoted field in it never ends, or goes on after its closing quote (quotes inside are doubled: "")';

/** Cuts lines into records; empty lines are passed over. A broken line costs itself alone, whatever it seems to open. */
export async function* tableRecords(
  lines: AsyncIterable<TextLine>,
  separator: Separator,
): AsyncGenerator<TableRecord, void, undefined> {
  const reader = lines[Symbol.asyncIterator]();
  /** Lines that are read and belong to no record yet. */
  const ahead: TextLine[] = [];
  const lineAt = async (at: number): Promise<TextLine | undefined> => {
    while (ahead.length <= at) {
      const { done, value } = await reader.next();
      if (done) return undefined;
      ahead.push(value);
    }
    return ahead[at];
  };
  try {
    for (let first = await lineAt(0); first !== undefined; first = await lineAt(0)) {
      const line = first.number;
      let { text } = first;
      let count = 1;
      if (text === undefined) yield { line, problem: notUtf8 };
      else if (text.trim() !== '') {
        let fields = splitFields(text, separator);
        while (fields === 'open' && count < mostLinesOfField) {
          const next = (await lineAt(count))?.text;
          if (next === undefined) break;
          text += `\n${next}`;
          count++;
          fields = splitFields(text, separator);
        }
        if (typeof fields === 'string') {
          count = 1;
          yield { line, problem: misquoted };
        } else yield { line, fields };
      }
      ahead.splice(0, count);
    }
  } finally {
    await reader.return?.();
  }
}

/** The fields of a record; `open` where a quote is not closed at its end, `malformed` where a field goes on after one. */
export function splitFields(text: string, separator: Separator): string[] | 'open' | 'malformed' {
  const fields: string[] = [];
  for (let at = 0; at <= text.length; ) {
    const quoted = text[at] === '"' ? quotedField(text, at, separator) : undefined;
    if (typeof quoted === 'object') {
      fields.push(quoted.field);
      at = quoted.end + 1;
      continue;
    }
    if (quoted !== undefined && separator !== '\t') return quoted;
    const separated = text.indexOf(separator, at);
    const end = separated < 0 ? text.length : separated;
    fields.push(text.slice(at, end));
    at = end + 1;
  }
  return fields;
}

/** A field that begins with a quote, and the place behind its closing one. */
function quotedField(
  text: string,
  start: number,
  separator: Separator,
): { field: string; end: number } | 'open' | 'malformed' {
  let field = '';
  for (let at = start + 1; ; ) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return 'open';
    field += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') {
      return at === text.length || text[at] === separator ? { field, end: at } : 'malformed';
    }
    field += '"';
    at++;
  }
}
