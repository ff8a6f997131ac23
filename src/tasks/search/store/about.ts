/** What an index is: by which model, of which folders, in which table. */
import { z } from 'zod';
import { EidosError } from '../../../errors.ts';
import type { Arrow } from './lance.ts';
import { plainTable } from './rows.ts';

const folderSchema = z.object({
  path: z.string(),
  hidden: z.boolean(),
  followLinks: z.boolean(),
  exclude: z.array(z.string()),
});

const aboutSchema = z.object({
  format: z.literal(1),
  model: z.object({ name: z.string(), fingerprint: z.string(), embeddingSize: z.int().positive() }),
  /** The table whose pictures answer. */
  pictures: z.string(),
  folders: z.array(folderSchema),
  /** ISO 8601. */
  changedAt: z.string().optional(),
});

export type About = z.infer<typeof aboutSchema>;
/** A folder that is kept in the index, and how it is looked through. */
export type IndexedFolder = z.infer<typeof folderSchema>;

/** The one row of the table `about`. */
export function aboutTable(arrow: typeof Arrow, about: About): Arrow.Table {
  const { Field, Schema, Utf8 } = arrow;
  const schema = new Schema([new Field('key', new Utf8(), false), new Field('value', new Utf8(), false)]);
  return plainTable(arrow, schema, [{ key: 'index', value: JSON.stringify(about) }]);
}

/** @throws EidosError `invalid_index` where another version of eidos, or somebody else, has written it */
export function parseAbout(path: string, table: Arrow.Table): About | undefined {
  const text: unknown = table.getChild('value')?.get(0);
  if (text === undefined || text === null) return undefined;
  const parsed = aboutSchema.safeParse(parseJson(String(text)));
  if (parsed.success) return parsed.data;
  const { path: field, message } = parsed.error.issues[0]!;
  throw new EidosError(
    'invalid_index',
    `The index ${path} is not as this version of eidos makes it (${field.join('.')}: ${message}): delete it and index the folders again.`,
  );
}

/** The same from a copy, where anything else counts as none. */
export function parseAboutText(text: string): About | undefined {
  return aboutSchema.safeParse(parseJson(text)).data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
