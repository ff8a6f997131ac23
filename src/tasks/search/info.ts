/** How an index stands: what is in it, of which folders and model, and how large it is on disk. */
import type { IndexParts } from './parts.ts';
import { presentAbout, presentVersion } from './snapshot/questions.ts';
import { folderBytes } from './store/files.ts';
import type { IndexInfo } from './types.ts';
import { aboutOrBegin } from './upkeep/begin.ts';

/** An index that was opened to be made is begun by this question. */
export async function infoOf(parts: IndexParts): Promise<IndexInfo> {
  const { source, current } = parts;
  if ((await presentAbout(source, current)) === undefined) await aboutOrBegin(parts);
  const { snapshot } = await current.answering();
  const { about } = snapshot;
  return {
    path: source.path,
    pictures: snapshot.count,
    unreadable: snapshot.unreadable,
    folders: about.folders.map((indexed) => indexed.path),
    model: about.model,
    version: await presentVersion(source),
    ...(source.folder === undefined ? {} : { bytes: await folderBytes(source.folder) }),
    ...(about.changedAt === undefined ? {} : { changedAt: about.changedAt }),
  };
}
