/** Keeps an index current: what changes it takes its turn, and watching goes on until it is closed. */
import { EidosError } from '../../../errors.ts';
import type { IndexParts } from '../parts.ts';
import type { SyncOptions, SyncReport, Watcher, WatchOptions } from '../types.ts';
import { aboutOrBegin } from './begin.ts';
import { folderPath } from './folders.ts';
import { forgetFolders } from './forget.ts';
import { syncIndex } from './sync-index.ts';
import { createTurns, type Turns } from './turns.ts';
import { undoingFolders, undoingTables } from './undo.ts';

export interface Upkeep {
  sync(folders?: readonly string[], options?: SyncOptions): Promise<SyncReport>;
  watch(folders?: readonly string[], options?: WatchOptions): Promise<Watcher>;
  forget(folders: readonly string[]): Promise<number>;
  close(): Promise<void>;
}

export function createUpkeep(parts: IndexParts): Upkeep {
  const turns = createTurns(parts.source, parts.options.onWarning);
  const watchers = new Set<Watcher>();

  async function sync(folders: readonly string[] = [], settings: SyncOptions = {}): Promise<SyncReport> {
    await Promise.all(folders.map(folderPath)); // a slip of the pen shall not leave an empty index behind
    const { isChanged: _, ...report } = await undoingFolders(parts.source, () =>
      turns.alone(settings.signal, () =>
        undoingTables(parts.source, () => syncIndex(parts, folders, settings)),
      ),
    );
    return report;
  }

  return {
    sync,
    async watch(folders = [], settings = {}) {
      const first = await sync(folders, settings);
      settings.onSync?.(first);
      const watcher = await beginWatching(parts, turns, settings);
      watchers.add(watcher);
      return {
        async close() {
          watchers.delete(watcher);
          await watcher.close();
        },
        [Symbol.asyncDispose](this: Watcher) {
          return this.close();
        },
      };
    },
    forget: (folders) => turns.alone(undefined, () => forgetFolders(parts, folders)),
    async close() {
      for (const watcher of watchers) await watcher.close();
      await turns.settled();
    },
  };
}

/** Syncs whenever something has changed; a sync that fails is told, and watching goes on. */
async function beginWatching(parts: IndexParts, turns: Turns, settings: WatchOptions): Promise<Watcher> {
  const { watchFolders } = await import('../sync/watch.ts');
  const { folders } = await aboutOrBegin(parts);
  const syncAgain = async (): Promise<void> => {
    try {
      const { isChanged, ...report } = await turns.alone(settings.signal, () =>
        syncIndex(parts, [], { ...settings, model: undefined }),
      );
      if (isChanged) settings.onSync?.(report);
    } catch (error) {
      if (!(error instanceof EidosError)) throw error;
      settings.onError?.(error);
    }
  };
  return watchFolders({ folders, index: parts.source.folder }, syncAgain, settings.settle ?? 1000);
}
