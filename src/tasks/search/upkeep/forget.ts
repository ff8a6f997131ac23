/** Takes folders out of an index, with the pictures and the unreadable files in them. */

import type { IndexParts } from '../parts.ts';
import { aboutOrBegin } from './begin.ts';
import { findFolder, isInside } from './folders.ts';

/** Rows that leave in one commit. */
const rowsPerCommit = 1000;

/**
 * @returns how many pictures left
 * @throws EidosError `not_found` for a folder that the index does not have
 */
export async function forgetFolders(parts: IndexParts, folders: readonly string[]): Promise<number> {
  const { source, current } = parts;
  const about = await aboutOrBegin(parts);
  const leaving = folders.map((named) => findFolder(source.path, about.folders, named));
  const staying = about.folders.filter((indexed) => !leaving.includes(indexed));
  const isGone = (file: string): boolean =>
    leaving.some((left) => isInside(file, left.path)) && !staying.some((kept) => isInside(file, kept.path));
  const store = await source.store();
  const pictures = await store.pictures(about.pictures, about.model.embeddingSize);
  const ids = (await pictures.rows()).filter((row) => isGone(row.path)).map(({ id }) => id);
  for (let start = 0; start < ids.length; start += rowsPerCommit) {
    await pictures.remove(ids.slice(start, start + rowsPerCommit));
  }
  const broken = (await store.unreadable()).filter((row) => isGone(row.path));
  await store.removeUnreadable(broken.map((row) => row.path));
  await store.setAbout({ ...about, folders: staying, changedAt: new Date().toISOString() });
  await current.renewed();
  return ids.length;
}
