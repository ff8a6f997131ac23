/** A line of `index.jsonl`: what every reader of such an index knows of a picture. */
import { z } from 'zod';
import { EidosError } from '../../errors.ts';
import { isBelow } from './form.ts';

/** The name of the file. */
export const indexName = 'index.jsonl';

const text = z.union([z.string(), z.number()]).transform(String);

/** Captions are the reader's own fields; all others can be chosen by. */
export const indexRowSchema = z.looseObject({
  file: z.string().refine(isBelow, 'must lie below the folder'),
  split: text.optional(),
  label: text.optional(),
  wnid: z.string().optional(),
  name: z.string().optional(),
});
export type IndexRow = z.infer<typeof indexRowSchema>;

/**
 * @param place of the line, for messages
 * @throws EidosError `invalid_option` naming the place and the wrong field
 */
export function parseRow<Schema extends z.ZodType>(
  schema: Schema,
  content: string,
  place: string,
): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw new EidosError('invalid_option', `${place} is no JSON: ${(cause as Error).message}.`, { cause });
  }
  const { data, error } = schema.safeParse(value);
  if (data !== undefined) return data;
  const { path, message } = error!.issues[0]!;
  throw new EidosError('invalid_option', `${place}: "${path.join('.')}" ${message}.`);
}

/** The set's own name of a picture's class. */
export function labelOf(row: IndexRow): string | undefined {
  return row.label ?? row.wnid;
}

/** What tells pictures of an index apart: parts may have files of the same name. */
export function pictureKey({ file, split }: IndexRow): string {
  return `${split ?? ''}\n${file}`;
}

/**
 * Some indices have a line a caption: of one picture, which has one class.
 * @throws EidosError `invalid_option` where the lines contradict each other
 */
export function requireOneLabel(before: IndexRow, row: IndexRow, place: string): void {
  if (labelOf(before) === labelOf(row)) return;
  throw new EidosError('invalid_option', `${place} gives ${row.file} another label than a line before.`);
}
