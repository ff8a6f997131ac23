/** Which version of the store a copy is of: told from the names of a folder's files, or else by the store itself. */
import type { About } from '../store/about.ts';
import { folderVersion } from '../store/folder.ts';
import type { PictureStore } from '../store/pictures.ts';
import type { IndexSource } from '../store/source.ts';
import { unreadableName } from '../store/table-names.ts';
import type { Snapshot } from './snapshot.ts';

/** The store's present version, without loading LanceDB; undefined where only the store can tell. */
export async function folderKey({ folder }: IndexSource, about: About): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  return (
    (await folderVersion(folder, [about.pictures, unreadableName])) ?? folderVersion(folder, [about.pictures])
  );
}

/** The store's present version. */
export async function versionKey(
  source: IndexSource,
  about: About,
  pictures: Pick<PictureStore, 'version'>,
): Promise<string> {
  return (await folderKey(source, about)) ?? `${about.pictures}-${await pictures.version()}`;
}

/** Whether nothing has changed since the copy was made. */
export async function isPresent(source: IndexSource, { key, about: known }: Snapshot): Promise<boolean> {
  const present = await folderKey(source, known);
  if (present !== undefined) return present === key;
  const store = await source.store();
  const about = await store.about();
  if (about === undefined || about.pictures !== known.pictures) return false;
  return (
    (await versionKey(source, about, await store.pictures(about.pictures, about.model.embeddingSize))) === key
  );
}
