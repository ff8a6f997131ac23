/** The copy that answers at present, with what is derived from it; made anew when the store has changed. */

import type { IndexSource } from '../store/source.ts';
import type { OpenIndexOptions } from '../types.ts';
import { copyFolders, findCopy, makeCopy } from './copies.ts';
import { createScorers, type Scorer } from './scorer.ts';
import type { Snapshot } from './snapshot.ts';
import { isPresent } from './version.ts';

/** A copy with what is derived from it. */
export interface Answering {
  snapshot: Snapshot;
  scorer: Scorer;
  rowOf(id: string): number | undefined;
}

export interface Current {
  answering(): Promise<Answering>;
  /** The same of what has just been written: no copy is recent enough. */
  renewed(): Promise<Answering>;
  close(): Promise<void>;
}

/** A copy that took seconds to make is used so many times as long, even if the store is changing all the time. */
const patience = 10;
const quickBuild = 1000;

export function createCurrent(
  source: IndexSource,
  { cacheFolder }: Pick<OpenIndexOptions, 'cacheFolder'>,
): Current {
  const folders = copyFolders(source, cacheFolder);
  const scorers = createScorers();
  let latest: { answering: Answering; builtAt: number; buildTime: number } | undefined;
  let refreshing: Promise<Answering> | undefined;

  async function refresh(isPatient: boolean): Promise<Answering> {
    const begun = Date.now();
    if (latest !== undefined) {
      const age = begun - latest.builtAt;
      const isRecent = isPatient && latest.buildTime > quickBuild && age < patience * latest.buildTime;
      if (isRecent || (await isPresent(source, latest.answering.snapshot))) return latest.answering;
    }
    const snapshot = (await findCopy(source, folders)) ?? (await makeCopy(source, folders));
    if (latest?.answering.snapshot.key === snapshot.key) return latest.answering;
    const answering = { snapshot, scorer: await scorers.next(snapshot.vectors), rowOf: rowsById(snapshot) };
    latest = { answering, builtAt: Date.now(), buildTime: Date.now() - begun };
    return answering;
  }

  function begin(isPatient: boolean): Promise<Answering> {
    refreshing = refresh(isPatient).finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  }

  return {
    // Questions that come together wait for the same copy.
    answering: () => refreshing ?? begin(true),
    async renewed() {
      // One that is under way may have begun before the change.
      while (refreshing !== undefined) await refreshing.catch(() => {});
      return begin(false);
    },
    async close() {
      await refreshing?.catch(() => {});
      await scorers.close();
    },
  };
}

/** Rows by id; the table of ids is made when it is first asked for. */
function rowsById({ ids }: Snapshot): (id: string) => number | undefined {
  let rows: Map<string, number> | undefined;
  return (id) => {
    rows ??= new Map(Array.from({ length: ids.length }, (_, row) => [ids.get(row), row]));
    return rows.get(id);
  };
}
