/** One synchronisation of an index: its folders, the table that is synced, and what is made of it afterwards. */
import type { Clip } from '../../../clip/clip.ts';
import { requireSameModel } from '../models.ts';
import { defaultExactUpTo, type IndexParts } from '../parts.ts';
import type { About } from '../store/about.ts';
import type { PictureRow } from '../store/rows.ts';
import { type SyncResult, syncPictures } from '../sync/sync.ts';
import type { SyncOptions } from '../types.ts';
import { aboutOrBegin, newAbout } from './begin.ts';
import { withFolders } from './folders.ts';

/** @throws EidosError as `SearchIndex.sync` does */
export async function syncIndex(
  parts: IndexParts,
  folders: readonly string[],
  settings: SyncOptions,
): Promise<SyncResult> {
  const { source, current, options } = parts;
  const store = await source.store();
  const before = await aboutOrBegin(parts);
  const about = { ...before, folders: await withFolders(before.folders, folders, settings) };
  if (JSON.stringify(about) !== JSON.stringify(before)) await store.setAbout(about);
  const target = await targetOf(parts, about, settings.model);
  const report = await syncPictures(
    {
      store,
      pictures: await (target.isOther ? store.makePictures : store.pictures)(
        target.table,
        target.model.embeddingSize,
      ),
      clip: target.clip,
      folders: about.folders,
      former: target.isOther ? await formerRows(parts, about) : [],
      vectorIndexFrom: (options.exactUpTo ?? defaultExactUpTo) + 1,
    },
    settings,
  );
  if (report.isChanged || target.isOther) {
    await store.setAbout({
      ...about,
      model: target.model,
      pictures: target.table,
      changedAt: new Date().toISOString(),
    });
  }
  if (target.isOther) await dropFormer(parts, target);
  await current.renewed(); // the copy is made now, not when somebody asks
  return report;
}

/** The table to be synced, and the model that embeds what is new in it. */
interface Target {
  model: About['model'];
  table: string;
  /** Whether it is to take the place of the index's own. */
  isOther: boolean;
  clip(): Promise<Clip>;
}

/** The index's own table, or that of another model which is to take its place. */
async function targetOf(
  { source, models, options }: IndexParts,
  about: About,
  wanted: string | undefined,
): Promise<Target> {
  const own = { model: about.model, table: about.pictures, isOther: false };
  if (wanted !== undefined) {
    const clip = await (wanted === options.model ? models.clip() : models.open(wanted));
    const other = newAbout(clip);
    if (other.model.fingerprint === about.model.fingerprint) return { ...own, clip: async () => clip };
    return { model: other.model, table: other.pictures, isOther: true, clip: async () => clip };
  }
  const clip = async (): Promise<Clip> => {
    const opened = await models.clip(about.model.name);
    requireSameModel(source.path, opened, about.model);
    return opened;
  };
  // A model that is there already is compared at once, not only when a picture has to be embedded.
  if (options.clip !== undefined || options.model !== undefined) await clip();
  return { ...own, clip };
}

/** Rows of the table whose place is to be taken: their ids stay. */
async function formerRows({ source }: IndexParts, about: About): Promise<PictureRow[]> {
  const store = await source.store();
  return (await store.pictures(about.pictures, about.model.embeddingSize)).rows();
}

async function dropFormer({ source, models }: IndexParts, target: Target): Promise<void> {
  models.replace(await target.clip());
  const store = await source.store();
  for (const table of await store.pictureTables()) {
    if (table !== target.table) await store.dropPictures(table);
  }
}
