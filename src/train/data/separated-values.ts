/** Records of tables with separated values (RFC 4180): fields in quotes may hold separators, quotes and line ends. */
import type { TextLine } from './text-lines.ts';

export interface TableRecord {
  /** The line where it begins, counted from 1. */
  line: number;
  /** Undefined where the bytes are no UTF-8, or a quote never ends. */
  fields: string[] | undefined;
}

/** More lines in one field are a quote that somebody forgot to close. */
const mostLinesOfField = 100;

/** Cuts lines into records; empty lines are passed over. */
export async function* tableRecords(
  lines: AsyncIterable<TextLine>,
  separator: string,
): AsyncGenerator<TableRecord, void, undefined> {
  let begun: { line: number; text: string; lines: number } | undefined;
  for await (const { number, text } of lines) {
    if (text === undefined) {
      yield { line: begun?.line ?? number, fields: undefined };
      begun = undefined;
      continue;
    }
    if (begun === undefined && text.trim() === '') continue;
    const record: { line: number; text: string; lines: number } =
      begun === undefined
        ? { line: number, text, lines: 1 }
        : { line: begun.line, text: `${begun.text}\n${text}`, lines: begun.lines + 1 };
    const fields = splitFields(record.text, separator);
    if (fields === undefined && record.lines < mostLinesOfField) {
      begun = record;
      continue;
    }
    yield { line: record.line, fields };
    begun = undefined;
  }
  if (begun !== undefined) yield { line: begun.line, fields: undefined };
}

/** The fields of a record; undefined where a quote is still open at its end. */
export function splitFields(text: string, separator: string): string[] | undefined {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] !== '"') {
      const end = text.indexOf(separator, at);
      fields.push(end < 0 ? text.slice(at) : text.slice(at, end));
      if (end < 0) return fields;
      at = end + 1;
      continue;
    }
    let field = '';
    for (at++; ; ) {
      const quote = text.indexOf('"', at);
      if (quote < 0) return undefined;
      field += text.slice(at, quote);
      at = quote + 1;
      if (text[at] !== '"') break;
      field += '"';
      at++;
    }
    // What stands between the closing quote and the separator belongs to the field, as spreadsheets read it.
    const end = text.indexOf(separator, at);
    fields.push(field + (end < 0 ? text.slice(at) : text.slice(at, end)));
    if (end < 0) return fields;
    at = end + 1;
  }
}
