/** The present state of an index as it answers: the copy that belongs to the store's version, made when there is none. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { defaultCacheFolder } from '../../engine/cache-folder.ts';
import type { Engine } from '../../engine/engine.ts';
import { EidosError, type ErrorCode } from '../../errors.ts';
import type { About } from './store/about.ts';
import { copiesFolder, folderVersion, localFolder, openStore, type Store } from './store/store.ts';
import type { OpenIndexOptions, UnreadableFile } from './types.ts';
import { createScorer, createScoringEngine, type Scorer } from './vectors/scorer.ts';
import {
  listSnapshots,
  readSnapshot,
  type Snapshot,
  snapshotAbout,
  writeSnapshot,
} from './vectors/snapshot.ts';

/** A copy with what is derived from it. */
export interface Answering {
  snapshot: Snapshot;
  scorer: Scorer;
  rowOf(id: string): number | undefined;
}

export interface Current {
  /** The store, opened (and LanceDB loaded) when it is first needed. */
  store(): Promise<Store>;
  about(): Promise<About | undefined>;
  answering(): Promise<Answering>;
  /** The same of what has just been written: no copy is recent enough. */
  renewed(): Promise<Answering>;
  version(): Promise<number>;
  unreadable(): Promise<UnreadableFile[]>;
  /** Ids, the best first. */
  matchWords(text: string, limit: number): Promise<string[]>;
  /** Scores of the nearest pictures by the store's own index, [count]; NaN, which is no hit, for all others. */
  nearestScores(vector: Float32Array, limit: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** A copy that took seconds to make is used so many times as long, even if the store is changing all the time. */
const patience = 10;
const quickBuild = 1000;

/** Candidates beyond the page, for filters and for the page after it. */
const spareCandidates = 1000;

export function createCurrent(path: string, { cacheFolder, storageOptions }: OpenIndexOptions): Current {
  const folder = localFolder(path);
  let copies = cacheFolder ?? (folder === undefined ? remoteCopies(path) : join(folder, copiesFolder));
  let opening: Promise<Store> | undefined;
  let engine: Engine | undefined;
  let latest: { answering: Answering; builtAt: number; buildTime: number } | undefined;
  let former: Scorer | undefined;
  let refreshing: Promise<Answering> | undefined;

  const store = (): Promise<Store> => {
    opening ??= openStore(path, storageOptions).catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };

  /** The version that the copy has to be of. Without the tables' names only the store can tell. */
  async function currentKey(about: About | undefined): Promise<string | undefined> {
    if (folder === undefined || about === undefined) return undefined;
    return folderVersion(folder, [about.pictures, 'unreadable']).then(
      (key) => key ?? folderVersion(folder, [about.pictures]),
    );
  }

  /** The copy on disk, if it is of the present version: found by its own word about which tables it is of. */
  async function findCopy(): Promise<Snapshot | undefined> {
    if (folder === undefined) return undefined;
    for (const key of await listSnapshots(copies)) {
      const about = await snapshotAbout(copies, key);
      if (about === undefined || (await currentKey(about)) !== key) continue;
      const snapshot = await readSnapshot(copies, key);
      if (snapshot !== undefined) return snapshot;
    }
    return undefined;
  }

  async function build(): Promise<Snapshot> {
    const opened = await store();
    const about = await opened.about();
    if (about === undefined) {
      throw new EidosError('not_found', `The index ${path} is not begun yet: sync folders into it.`);
    }
    for (let attempt = 0; ; attempt++) {
      const pictures = await opened.pictures(about.pictures, about.model.embeddingSize);
      const before = await keyOf(about, pictures);
      const ready = await readSnapshot(copies, before);
      if (ready !== undefined) return ready;
      const unreadable = (await opened.unreadable()).length;
      await write(before, { about, unreadable, pictures });
      // Somebody may have changed the store in the meantime: then the copy is of no version, or of the next one.
      const isSettled = (await keyOf(about, pictures)) === before;
      const snapshot = await readSnapshot(copies, before);
      if (snapshot !== undefined && (isSettled || attempt >= 3)) return snapshot;
      if (snapshot === undefined && attempt >= 3) {
        throw new EidosError(
          'write_failed',
          `The copy of the index ${path} in ${copies} cannot be read back.`,
        );
      }
    }
  }

  /** An index that may only be read has its copy among the caches. */
  async function write(key: string, parts: Parameters<typeof writeSnapshot>[2]): Promise<void> {
    try {
      await writeSnapshot(copies, key, parts);
    } catch (cause) {
      if (cause instanceof EidosError) throw cause;
      const { code, message } = cause as NodeJS.ErrnoException;
      if ((code === 'EACCES' || code === 'EROFS' || code === 'EPERM') && copies !== remoteCopies(path)) {
        copies = remoteCopies(path);
        return write(key, parts);
      }
      throw new EidosError(
        'write_failed',
        `The copy of the index ${path} in ${copies} cannot be written: ${message}`,
        {
          cause,
        },
      );
    }
  }

  async function keyOf(about: About, pictures: { version(): Promise<number> }): Promise<string> {
    return (await currentKey(about)) ?? `${about.pictures}-${await pictures.version()}`;
  }

  async function refresh(isPatient: boolean): Promise<Answering> {
    const begun = Date.now();
    if (latest !== undefined) {
      const age = begun - latest.builtAt;
      const isRecent = isPatient && latest.buildTime > quickBuild && age < patience * latest.buildTime;
      if (isRecent || (await isCurrent(latest.answering.snapshot))) return latest.answering;
    }
    const snapshot = (await findCopy()) ?? (await build());
    if (latest?.answering.snapshot.key === snapshot.key) return latest.answering;
    // Who was answered just now may still be scoring with the one before.
    await former?.close();
    former = latest?.answering.scorer;
    const scorer = createScorer(snapshot.vectors, () => {
      engine ??= createScoringEngine();
      return engine;
    });
    const answering = { snapshot, scorer, rowOf: rowsById(snapshot) };
    latest = { answering, builtAt: Date.now(), buildTime: Date.now() - begun };
    return answering;
  }

  function begin(isPatient: boolean): Promise<Answering> {
    refreshing = refresh(isPatient).finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  }

  async function isCurrent(snapshot: Snapshot): Promise<boolean> {
    const key = await currentKey(snapshot.about);
    if (key !== undefined) return key === snapshot.key;
    const opened = await store();
    const about = await opened.about();
    if (about === undefined || about.pictures !== snapshot.about.pictures) return false;
    return (
      (await keyOf(about, await opened.pictures(about.pictures, about.model.embeddingSize))) === snapshot.key
    );
  }

  return {
    store,
    async about() {
      try {
        return (await this.answering()).snapshot.about;
      } catch (error) {
        if (
          error instanceof EidosError &&
          error.code === 'not_found' &&
          (await (await store()).about()) === undefined
        ) {
          return undefined;
        }
        throw error;
      }
    },
    // Questions that come together wait for the same copy.
    answering: () => refreshing ?? begin(true),
    async renewed() {
      // One that is under way may have begun before the change.
      while (refreshing !== undefined) await refreshing.catch(() => {});
      return begin(false);
    },
    async version() {
      const opened = await store();
      const about = await opened.about();
      return about === undefined
        ? 0
        : (await opened.pictures(about.pictures, about.model.embeddingSize)).version();
    },
    async unreadable() {
      const rows = await (await store()).unreadable();
      return rows.map(({ path: image, code, message }) => ({
        image,
        error: { code: code as ErrorCode, message },
      }));
    },
    async matchWords(text, limit) {
      const { snapshot } = await this.answering();
      const { pictures, model } = snapshot.about;
      return (await (await store()).pictures(pictures, model.embeddingSize)).matchWords(text, limit);
    },
    async nearestScores(vector, limit) {
      const { snapshot, rowOf } = await this.answering();
      const { pictures, model } = snapshot.about;
      const table = await (await store()).pictures(pictures, model.embeddingSize);
      const scores = new Float32Array(snapshot.count).fill(Number.NaN);
      for (const { id, similarity } of await table.nearest(vector, limit + spareCandidates)) {
        const row = rowOf(id);
        if (row !== undefined) scores[row] = similarity;
      }
      return scores;
    },
    async close() {
      await refreshing?.catch(() => {});
      await former?.close();
      await latest?.answering.scorer.close();
      await engine?.close();
      (await opening?.catch(() => undefined))?.close();
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

function remoteCopies(path: string): string {
  return join(
    defaultCacheFolder('programs'),
    '..',
    'search',
    createHash('sha256').update(path).digest('hex').slice(0, 32),
  );
}
