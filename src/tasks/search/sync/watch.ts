/** Watches folders: when something has changed and all has been quiet for a moment, it says so. */

import { sep } from 'node:path';
import type { IndexedFolder } from '../store/about.ts';
import type { Watcher } from '../types.ts';

export interface WatchedFolders {
  folders: readonly IndexedFolder[];
  /** The index, where it lies in a folder: inside of one that is watched, every sync would call for the next. */
  index: string | undefined;
}

/**
 * @param settle milliseconds of quiet
 * @param onQuiet is not called again before it has ended
 */
export async function watchFolders(
  { folders, index }: WatchedFolders,
  onQuiet: () => Promise<void>,
  settle: number,
): Promise<Watcher> {
  const { watch } = await import('chokidar');
  const watcher = watch(
    folders.map(({ path }) => path),
    {
      ignoreInitial: true,
      followSymlinks: folders.some(({ followLinks }) => followLinks),
      // Hidden files change all the time.
      ignored: (path) =>
        path === index ||
        (index !== undefined && path.startsWith(`${index}${sep}`)) ||
        (!folders.some(({ hidden }) => hidden) &&
          folders.some((folder) =>
            /[/\\]\./.test(path.startsWith(folder.path) ? path.slice(folder.path.length) : ''),
          )),
    },
  );
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isClosed = false;

  const run = async (): Promise<void> => {
    await running;
    if (isClosed) return;
    running = onQuiet();
    await running;
  };
  watcher.on('all', () => {
    clearTimeout(timer);
    timer = setTimeout(() => void run(), settle);
  });
  watcher.on('error', () => {}); // a folder that vanished is found missing by the next sync
  await new Promise<void>((resolve) => watcher.once('ready', resolve));

  return {
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await watcher.close();
      await running;
    },
    [Symbol.asyncDispose](this: Watcher) {
      return this.close();
    },
  };
}
