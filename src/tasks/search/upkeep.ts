/** Keeps an index current: syncs under the lock, watching, forgetting folders, another model. */
import { stat } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import type { Clip } from '../../clip/clip.ts';
import { EidosError } from '../../errors.ts';
import type { Current } from './current.ts';
import { type Models, requireSameModel } from './models.ts';
import type { About, IndexedFolder } from './store/about.ts';
import { withIndexLock } from './store/lock.ts';
import { localFolder, picturesPrefix } from './store/store.ts';
import { syncPictures } from './sync/sync.ts';
import type { OpenIndexOptions, SyncOptions, SyncReport, Watcher, WatchOptions } from './types.ts';

export interface Upkeep {
  sync(folders?: readonly string[], options?: SyncOptions): Promise<SyncReport>;
  watch(folders?: readonly string[], options?: WatchOptions): Promise<Watcher>;
  forget(folders: readonly string[]): Promise<number>;
  /** What the index is; a new one is begun. */
  aboutOrBegin(): Promise<About>;
  close(): Promise<void>;
}

export interface UpkeepParts {
  path: string;
  current: Current;
  models: Models;
  options: OpenIndexOptions;
}

export function createUpkeep({ path, current, models, options }: UpkeepParts): Upkeep {
  const folder = localFolder(path);
  const watchers = new Set<Watcher>();
  let syncing: Promise<unknown> = Promise.resolve();

  /** One after the other in this process, and over processes where the index lies in a folder. */
  function alone<T>(signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    const turn = syncing.then(async () => {
      await current.store(); // makes the folder
      if (folder === undefined) return action();
      const onWait = () =>
        options.onWarning?.(`Another process is working on the index ${path}: waiting for it.`);
      return withIndexLock(join(folder, '.lock'), { signal, onWait }, action);
    });
    syncing = turn.catch(() => {});
    return turn;
  }

  async function aboutOrBegin(): Promise<About> {
    const found = await (await current.store()).about();
    if (found !== undefined) return found;
    const about = newAbout(await models.clip());
    const store = await current.store();
    await store.setAbout(about);
    await store.pictures(about.pictures, about.model.embeddingSize);
    return about;
  }

  async function syncAlone(
    folders: readonly string[],
    settings: SyncOptions,
  ): Promise<SyncReport & { isChanged: boolean }> {
    const store = await current.store();
    const before = await aboutOrBegin();
    const about = { ...before, folders: await withFolders(before.folders, folders, settings) };
    if (JSON.stringify(about) !== JSON.stringify(before)) await store.setAbout(about);
    const target = await targetOf(about, settings.model);
    const former = target.isOther
      ? await (await store.pictures(about.pictures, about.model.embeddingSize)).rows()
      : [];
    const { name, fingerprint, embeddingSize } = target.model;
    const pictures = await store.pictures(target.table, embeddingSize);
    const report = await syncPictures(
      {
        store,
        pictures,
        clip: target.clip,
        folders: about.folders,
        former,
        vectorIndexFrom: (options.exactUpTo ?? 1_000_000) + 1,
      },
      settings,
    );
    if (report.isChanged || target.isOther) {
      await store.setAbout({
        ...about,
        model: { name, fingerprint, embeddingSize },
        pictures: target.table,
        changedAt: new Date().toISOString(),
      });
    }
    if (target.isOther) {
      models.replace(await target.clip());
      for (const table of await store.pictureTables()) {
        if (table !== target.table) await store.dropPictures(table);
      }
    }
    await current.renewed(); // the copy is made now, not when somebody asks
    return report;
  }

  /** The table to be synced: the index's own, or that of another model which is to take its place. */
  async function targetOf(about: About, wanted: string | undefined) {
    if (wanted !== undefined) {
      const clip = await (wanted === options.model ? models.clip() : models.open(wanted));
      const other = newAbout(clip);
      if (other.model.fingerprint !== about.model.fingerprint) {
        return { model: other.model, table: other.pictures, isOther: true, clip: async () => clip };
      }
      return { model: about.model, table: about.pictures, isOther: false, clip: async () => clip };
    }
    const clip = async (): Promise<Clip> => {
      const opened = await models.clip(about.model.name);
      requireSameModel(path, opened, about.model);
      return opened;
    };
    // A model that is there already is compared at once, not only when a picture has to be embedded.
    if (options.clip !== undefined || options.model !== undefined) await clip();
    return { model: about.model, table: about.pictures, isOther: false, clip };
  }

  const sync = async (folders: readonly string[] = [], settings: SyncOptions = {}) => {
    await Promise.all(folders.map(folderPath)); // a slip of the pen shall not leave an empty index behind
    const { isChanged: _, ...report } = await alone(settings.signal, () => syncAlone(folders, settings));
    return report;
  };

  return {
    sync,
    aboutOrBegin,

    async watch(folders = [], settings = {}) {
      const first = await sync(folders, settings);
      settings.onSync?.(first);
      const { watchFolders } = await import('./sync/watch.ts');
      const about = await aboutOrBegin();
      const watcher = await watchFolders(
        { folders: about.folders, index: folder },
        async () => {
          try {
            const { isChanged, ...report } = await alone(settings.signal, () =>
              syncAlone([], { ...settings, model: undefined }),
            );
            if (isChanged) settings.onSync?.(report);
          } catch (error) {
            if (!(error instanceof EidosError)) throw error;
            settings.onError?.(error);
          }
        },
        settings.settle ?? 1000,
      );
      watchers.add(watcher);
      return {
        async close() {
          watchers.delete(watcher);
          await watcher.close();
        },
      };
    },

    forget(folders) {
      return alone(undefined, async () => {
        const about = await aboutOrBegin();
        const leaving = folders.map((named) => findFolder(path, about.folders, named));
        const staying = about.folders.filter((indexed) => !leaving.includes(indexed));
        const store = await current.store();
        const pictures = await store.pictures(about.pictures, about.model.embeddingSize);
        const isGone = (file: string): boolean =>
          leaving.some((left) => isInside(file, left.path)) &&
          !staying.some((kept) => isInside(file, kept.path));
        const ids = (await pictures.rows()).filter((row) => isGone(row.path)).map(({ id }) => id);
        for (let start = 0; start < ids.length; start += 1000)
          await pictures.remove(ids.slice(start, start + 1000));
        const broken = (await store.unreadable()).filter((row) => isGone(row.path));
        await store.removeUnreadable(broken.map((row) => row.path));
        await store.setAbout({ ...about, folders: staying, changedAt: new Date().toISOString() });
        await current.renewed();
        return ids.length;
      });
    },

    async close() {
      for (const watcher of watchers) await watcher.close();
      await syncing;
    },
  };
}

function newAbout({ config, embeddingSize }: Clip): About {
  const { model: name, fingerprint } = config;
  return {
    format: 1,
    model: { name, fingerprint, embeddingSize },
    pictures: `${picturesPrefix}${fingerprint.slice(0, 16)}`,
    folders: [],
  };
}

/** The folders of the index with those named now; how a folder is looked through is what was said last. */
async function withFolders(
  known: readonly IndexedFolder[],
  named: readonly string[],
  { hidden, followLinks, exclude }: SyncOptions,
): Promise<IndexedFolder[]> {
  const folders = new Map(known.map((folder) => [folder.path, folder]));
  const paths = await Promise.all(named.map(folderPath));
  // Said without folders, it is said of all of them.
  for (const path of paths.length > 0 ? paths : folders.keys()) {
    const before = folders.get(path) ?? { path, hidden: false, followLinks: false, exclude: [] };
    folders.set(path, {
      path,
      hidden: hidden ?? before.hidden,
      followLinks: followLinks ?? before.followLinks,
      exclude: exclude === undefined ? before.exclude : [...exclude],
    });
  }
  return [...folders.values()];
}

async function folderPath(named: string): Promise<string> {
  const status = await stat(named).catch(() => undefined);
  if (!status?.isDirectory()) {
    throw new EidosError(
      'not_found',
      `${named} is ${status === undefined ? 'not there' : 'no folder'}: an index is made of folders.`,
    );
  }
  // The way to it as it was named: a link to a folder of pictures may point elsewhere one day.
  return resolve(named);
}

function findFolder(path: string, known: readonly IndexedFolder[], named: string): IndexedFolder {
  const found = known.find((folder) => folder.path === resolve(named) || folder.path === named);
  if (found !== undefined) return found;
  throw new EidosError(
    'not_found',
    `${named} is no folder of the index ${path}: it has ${known.map((folder) => folder.path).join(', ') || 'none'}.`,
  );
}

function isInside(file: string, folder: string): boolean {
  return file.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`);
}
