/** How far a synchronisation is, as a bar where a person is looking. */
import type { SyncProgress } from '../tasks/search/types.ts';

export interface SyncDisplay {
  update(progress: SyncProgress): void;
  stop(): void;
}

export async function syncDisplay(): Promise<SyncDisplay> {
  const { SingleBar, Presets } = await import('cli-progress');
  const bar = new SingleBar(
    {
      format: '{bar} {value} of {total} pictures, {eta_formatted} left',
      hideCursor: true,
      clearOnComplete: true,
    },
    Presets.shades_classic,
  );
  let isShown = false;
  return {
    update({ stage, done, total }) {
      if (stage !== 'embed') return;
      if (!isShown) bar.start(total, done);
      isShown = true;
      bar.update(done);
    },
    stop() {
      if (isShown) bar.stop();
      isShown = false;
    },
  };
}
