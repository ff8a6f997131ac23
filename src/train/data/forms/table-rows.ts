/** The lines of a table as rows: values by the name of their column. */
import { EidosError } from '../../../errors.ts';
import { isNamedLikePicture } from '../../../image/paths.ts';
import { notUtf8, type Separator, splitFields, tableRecords } from '../separated-values.ts';
import { hasJsonLines, textLines } from '../text-lines.ts';
import type { BrokenSample } from './form.ts';

export type Row = Readonly<Record<string, unknown>>;

/** Names of the columns, as the first line gives them; none where it does not. */
export async function columnsOf(path: string): Promise<string[]> {
  const first = await firstLine(path);
  if (first === undefined) return [];
  if (hasJsonLines(path)) return Object.keys(recordOf(first) ?? {});
  const fields = splitFields(first, separatorOf(path, first));
  return typeof fields === 'string' ? [] : fields.map((name) => name.trim());
}

/**
 * All rows, with the names of all columns.
 * @param broken gets the lines that are none
 * @throws EidosError `invalid_option` for an empty file and for a first line that names no columns
 */
export async function readRows(path: string, broken: BrokenSample[]) {
  const rows: { row: Row; place: string }[] = [];
  const names = new Set<string>();
  let count = 0;
  for await (const { line, row } of hasJsonLines(path) ? jsonRows(path) : separatedRows(path, names)) {
    count++;
    const place = `${path}, line ${line}`;
    if (typeof row === 'string') broken.push({ name: place, reason: row });
    else {
      rows.push({ row, place });
      for (const name of Object.keys(row)) names.add(name);
    }
  }
  if (count > 0) return { rows, names };
  throw new EidosError('invalid_option', `${path} is empty: it needs a line for each picture.`);
}

function recordOf(text: string): Row | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Row) : undefined;
  } catch {
    return undefined;
  }
}

/** The first line with something in it. */
async function firstLine(path: string): Promise<string | undefined> {
  for await (const { text } of textLines(path)) if (text?.trim() !== '') return text;
  return undefined;
}

/** Of the header: semicolons where there are no commas. */
function separatorOf(path: string, header: string): Separator {
  if (/\.tsv(\.gz)?$/i.test(path)) return '\t';
  return header.includes(';') && !header.includes(',') ? ';' : ',';
}

/** Rows, or what is wrong with them. */
async function* jsonRows(path: string): AsyncGenerator<{ line: number; row: Row | string }> {
  for await (const { number: line, text } of textLines(path)) {
    if (text?.trim() === '') continue;
    if (text === undefined) yield { line, row: notUtf8 };
    else yield { line, row: recordOf(text) ?? 'it is no JSON object' };
  }
}

/** @throws EidosError `invalid_option` where the first line is a picture's already */
function requireNames(path: string, line: number, header: readonly string[]): void {
  const picture = header.find(isNamedLikePicture);
  if (picture === undefined) return;
  throw new EidosError(
    'invalid_option',
    `${path}, line ${line} should name the columns, as in "file,caption", and has "${picture}": put such a line before it.`,
  );
}

async function* separatedRows(
  path: string,
  names: Set<string>,
): AsyncGenerator<{ line: number; row: Row | string }> {
  const separator = separatorOf(path, (await firstLine(path)) ?? '');
  let header: string[] | undefined;
  for await (const { line, fields, problem } of tableRecords(textLines(path), separator)) {
    if (header === undefined) {
      if (fields === undefined) {
        throw new EidosError('invalid_option', `${path}, line ${line} should name the columns: ${problem}.`);
      }
      header = fields.map((name) => name.trim());
      requireNames(path, line, header);
      for (const name of header) names.add(name);
    } else if (fields === undefined) yield { line, row: problem };
    else if (fields.length > header.length) {
      yield { line, row: `it has ${fields.length} fields, and there are ${header.length} columns` };
    } else yield { line, row: Object.fromEntries(header.map((name, at) => [name, fields[at] ?? ''])) };
  }
}
