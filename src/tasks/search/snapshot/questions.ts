/** What is asked of the copy that answers, and of the store behind it, without a query. */
import { EidosError, type ErrorCode } from '../../../errors.ts';
import type { About } from '../store/about.ts';
import type { IndexSource } from '../store/source.ts';
import type { UnreadableFile } from '../types.ts';
import type { Current } from './current.ts';

/** What the index is; undefined where it is not begun. */
export async function presentAbout(source: IndexSource, current: Current): Promise<About | undefined> {
  try {
    return (await current.answering()).snapshot.about;
  } catch (error) {
    const isMissing = error instanceof EidosError && error.code === 'not_found';
    if (isMissing && (await (await source.store()).about()) === undefined) return undefined;
    throw error;
  }
}

/** Of the table of pictures, 0 where the index is not begun. */
export async function presentVersion(source: IndexSource): Promise<number> {
  const store = await source.store();
  const about = await store.about();
  if (about === undefined) return 0;
  return (await store.pictures(about.pictures, about.model.embeddingSize)).version();
}

export async function unreadableFiles(source: IndexSource): Promise<UnreadableFile[]> {
  const rows = await (await source.store()).unreadable();
  return rows.map(({ path: image, code, message }) => ({
    image,
    error: { code: code as ErrorCode, message },
  }));
}

/**
 * The embedding of a picture of the index, of unit length.
 * @throws EidosError `not_found`
 */
export async function vectorOf(
  { source, current }: { source: IndexSource; current: Current },
  id: string,
): Promise<Float32Array> {
  const { scorer, rowOf } = await current.answering();
  const row = rowOf(id);
  if (row === undefined) throw unknownId(source, id);
  return scorer.vector(row);
}

export function unknownId({ path }: IndexSource, id: string): EidosError {
  return new EidosError('not_found', `The index ${path} has no picture with the id "${id}".`);
}
