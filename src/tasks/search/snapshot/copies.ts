/** The copy that belongs to the store's present version: found where copies lie, or made there. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { defaultCacheFolder } from '../../../engine/cache-folder.ts';
import { EidosError } from '../../../errors.ts';
import { copiesFolder } from '../store/folder.ts';
import type { IndexSource } from '../store/source.ts';
import { gatherContent, inMemory, type SnapshotContent, type SnapshotParts } from './content.ts';
import { listSnapshots, readSnapshot, snapshotAbout, writeSnapshot } from './file.ts';
import type { Snapshot } from './snapshot.ts';
import { folderKey, versionKey } from './version.ts';

/** Where copies may lie, the first choice first: an index that may only be read has its copies among the caches. */
export function copyFolders(
  { path, folder }: Pick<IndexSource, 'path' | 'folder'>,
  given: string | undefined,
): string[] {
  if (given !== undefined) return [given];
  return folder === undefined ? [cacheOf(path)] : [join(folder, copiesFolder), cacheOf(folder)];
}

function cacheOf(path: string): string {
  const name = createHash('sha256').update(path).digest('hex').slice(0, 32);
  return join(defaultCacheFolder('programs'), '..', 'search', name);
}

/** The copy on disk, if it is of the present version: found by its own word about which tables it is of. */
export async function findCopy(
  source: IndexSource,
  folders: readonly string[],
): Promise<Snapshot | undefined> {
  if (source.folder === undefined) return undefined;
  for (const folder of folders) {
    for (const key of await listSnapshots(folder)) {
      const about = await snapshotAbout(folder, key);
      if (about === undefined || (await folderKey(source, about)) !== key) continue;
      const snapshot = await readSnapshot(folder, key);
      if (snapshot !== undefined) return snapshot;
    }
  }
  return undefined;
}

/** Times that a copy is made again because the store has changed under it. */
const mostAttempts = 4;

/** @throws EidosError `not_found` where the index is not begun; `invalid_index`; `write_failed` for a full disk */
export async function makeCopy(source: IndexSource, folders: readonly string[]): Promise<Snapshot> {
  const store = await source.store();
  const about = await store.about();
  if (about === undefined) {
    throw new EidosError('not_found', `The index ${source.path} is not begun yet: sync folders into it.`);
  }
  for (let attempt = 1; ; attempt++) {
    const pictures = await store.pictures(about.pictures, about.model.embeddingSize);
    const key = await versionKey(source, about, pictures);
    const ready = await readAny(folders, key);
    if (ready !== undefined) return ready;
    const unreadable = (await store.unreadable()).length;
    const made = await keepCopy(source, folders, { key, about, unreadable, pictures });
    // Somebody may have changed the store in the meantime: then the copy is of no version, or of the next one.
    const isSettled = (await versionKey(source, about, pictures)) === key;
    if (isSettled || attempt >= mostAttempts) return made;
  }
}

async function readAny(folders: readonly string[], key: string): Promise<Snapshot | undefined> {
  for (const folder of folders) {
    const snapshot = await readSnapshot(folder, key);
    if (snapshot !== undefined) return snapshot;
  }
  return undefined;
}

/** Writes the copy where it may be written, to be mapped from there; where it may be nowhere it stays in memory. */
async function keepCopy(
  { path }: IndexSource,
  folders: readonly string[],
  parts: SnapshotParts,
): Promise<Snapshot> {
  const content = await gatherContent(parts);
  for (const folder of folders) {
    if (!(await isWritten(path, folder, parts.key, content))) continue;
    const snapshot = await readSnapshot(folder, parts.key);
    if (snapshot !== undefined) return snapshot;
  }
  // It is what was gathered this moment, so it is whole.
  return (await inMemory(content, parts.key))!;
}

/** Whether a copy could be written; false where the folder may only be read, or cannot be made. */
async function isWritten(
  path: string,
  folder: string,
  key: string,
  content: SnapshotContent,
): Promise<boolean> {
  try {
    await writeSnapshot(folder, key, content);
    return true;
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (['EACCES', 'EROFS', 'EPERM', 'ENOENT', 'ENOTDIR', 'EEXIST'].includes(code ?? '')) return false;
    throw new EidosError(
      'write_failed',
      `The copy of the index ${path} in ${folder} cannot be written: ${message}`,
      { cause },
    );
  }
}
