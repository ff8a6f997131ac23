/** Building blocks of configuration schemas, so that a number read from a file cannot be absurd. */
import { z } from 'zod';
import { EidosError } from '../../errors.ts';

/** A size or count; no published model comes near a million but for vocabularies, which reach 262,144. */
export const size = z.int().positive().max(1_000_000);

/** A small positive number added under a root. */
export const epsilon = z.number().positive().max(0.1);

/** A field that files leave out or write as null. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/**
 * A validated configuration.
 * @throws EidosError `invalid_checkpoint` naming the first field that is wrong.
 */
export function validated<T extends z.ZodType>(schema: T, value: unknown, what: string): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.path.map(String).join('.') ?? '';
  throw new EidosError(
    'invalid_checkpoint',
    `${what}: ${field === '' ? 'the file' : `the field '${field}'`} is wrong (${issue?.message}).`,
  );
}
