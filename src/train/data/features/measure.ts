/**
 * Asks a locked image tower once about every view of every picture. What it says is kept view by view; a measurement that
 * was interrupted goes on, and what is there already is not measured again.
 */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { toFloat16 } from '../../../checkpoint/numbers.ts';
import { withLock } from '../../../disk/lock.ts';
import { writeFailure } from '../../../disk/write-failure.ts';
import type { ImagePreprocessing } from '../../../models/preprocessing.ts';
import type { AugmentationConfig } from '../config.ts';
import { type PixelThreads, startPixelThreads } from '../pixel-threads.ts';
import { readablePictures } from '../readable.ts';
import type { Source } from '../source.ts';
import { askTower, groupsOf, type LockedTower } from './ask-tower.ts';
import { createPace, type MeasuringProgress, type Pace } from './pace.ts';
import {
  openStoreWriter,
  pictureKey,
  readStore,
  type StoredRows,
  type StoreNotes,
  type StoreWriter,
} from './store.ts';

export interface MeasureFeaturesOptions {
  /** Where features are kept. */
  folder: string;
  /** Views a picture: the whole, then random ones. */
  views: number;
  /** What random views follow from. */
  seed: number;
  /** Pictures that the tower sees at once. */
  batch: number;
  preprocessing: ImagePreprocessing;
  augmentation: AugmentationConfig;
  /** Side of the square from which random views are taken. */
  side: number;
  /** Threads that decode and augment. */
  threads: number;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: MeasuringProgress) => void) | undefined;
}

/** Where the features of every picture lie. */
export interface ImageFeatures {
  width: number;
  /** Of the tower. */
  fingerprint: string;
  /** A row a source; in it one a view, with the row of each picture in the view's file. */
  sources: { path: string; rows: Int32Array }[][];
}

/**
 * Measures what is not measured yet.
 * @returns where the features lie, and the sources without pictures that could not be read
 * @throws EidosError `config_mismatch` for files of another tower, `write_failed`, `engine_failed`, `aborted`
 */
export async function measureImageFeatures(
  sources: readonly Source[],
  tower: LockedTower,
  options: MeasureFeaturesOptions,
): Promise<{ features: ImageFeatures; sources: Source[] }> {
  const threads = startLazily(options);
  try {
    const work = await Promise.all(sources.map((source) => findMissing(source, tower, options)));
    const pace = createPace(
      {
        pictures: work.reduce((sum, { keys }) => sum + keys.length, 0),
        missing: work.reduce((sum, own) => sum + own.missing, 0),
      },
      options.onProgress,
    );
    const found: ImageFeatures['sources'] = [];
    const readable: Source[] = [];
    for (const [at, source] of sources.entries()) {
      const stores = await measured(source, work[at]!, tower, threads.get, pace, options);
      const rowOf = ({ places }: StoredRows, picture: number): number =>
        places.get(work[at]!.keys[picture]!) ?? -1;
      const left = readablePictures(
        source,
        (picture) => stores.every((store) => rowOf(store, picture) >= 0),
        'the image tower could not be shown it',
      );
      found.push(
        stores.map((store) => ({
          path: store.path,
          rows: Int32Array.from(left.places, (picture) => rowOf(store, picture)),
        })),
      );
      readable.push(left.source);
    }
    return {
      features: { width: tower.width, fingerprint: tower.fingerprint, sources: found },
      sources: readable,
    };
  } finally {
    await threads.close();
  }
}

interface SourceWork {
  /** Of each picture. */
  keys: string[];
  /** One a view. */
  stores: StoredRows[];
  notes: StoreNotes[];
  /** Pictures of which some view is missing. */
  missing: number;
}

async function findMissing(
  source: Source,
  tower: LockedTower,
  options: MeasureFeaturesOptions,
): Promise<SourceWork> {
  const keys = source.pictures.map(pictureKey);
  const notes = Array.from({ length: options.views }, (_, view) => notesOf(view, tower, options));
  const stores = await readStores(source, tower, notes, options.folder);
  return { keys, notes, stores, missing: missingPictures(keys, stores).length };
}

function missingPictures(keys: readonly string[], stores: readonly StoredRows[]): number[] {
  return [...keys.keys()].filter((at) => stores.some(({ places }) => !places.has(keys[at]!)));
}

function readStores(
  { name }: Source,
  { fingerprint }: LockedTower,
  notes: readonly StoreNotes[],
  folder: string,
): Promise<StoredRows[]> {
  return Promise.all(
    notes.map((one, view) => {
      const key = createHash('sha256').update(JSON.stringify(one)).digest('hex').slice(0, 8);
      return readStore(join(folder, `${name}-${fingerprint.slice(0, 8)}-${view}-${key}.f16`), one);
    }),
  );
}

/** The whole picture is the same whatever the augmentation is. */
function notesOf(view: number, tower: LockedTower, options: MeasureFeaturesOptions): StoreNotes {
  const { seed, side, augmentation } = options;
  return {
    format: 'eidos features 1',
    tower: tower.fingerprint,
    width: tower.width,
    view: view === 0 ? 'whole' : { number: view, seed, side, ...atWork(augmentation) },
  };
}

/** What of an augmentation changes any view: fields that are new to eidos leave the others' features as they are. */
function atWork(augmentation: AugmentationConfig): Partial<AugmentationConfig> {
  const details = { coarseSide: 'coarse', cutOutArea: 'cutOut', shrinkSide: 'shrink' } as const;
  const isAtWork = ([name, value]: [string, unknown]): boolean => {
    const share = details[name as keyof typeof details];
    return share === undefined ? value !== 0 : augmentation[share] > 0;
  };
  return Object.fromEntries(Object.entries(augmentation).filter(isAtWork));
}

/** The stores of a source with nothing missing. */
async function measured(
  source: Source,
  { keys, notes, stores, missing }: SourceWork,
  tower: LockedTower,
  threads: () => PixelThreads,
  pace: Pace,
  options: MeasureFeaturesOptions,
): Promise<StoredRows[]> {
  if (missing === 0) return stores;
  const { folder, signal } = options;
  try {
    await mkdir(folder, { recursive: true });
    // Another training may be asking the same tower: what it is told is for both.
    const lock = join(folder, `${source.name}-${tower.fingerprint.slice(0, 8)}.lock`);
    return await withLock(lock, { signal }, async () => {
      const now = await readStores(source, tower, notes, folder);
      const wanted = missingPictures(keys, now);
      pace.skip(missing - wanted.length);
      if (wanted.length > 0) await measureMissing(source, keys, now, wanted);
      return readStores(source, tower, notes, folder);
    });
  } catch (cause) {
    throw writeFailure(
      cause,
      (reason) =>
        `Features of "${source.name}" cannot be kept in ${folder}: ${reason}. Name another folder as imageTower.cache; what has been measured is kept.`,
    );
  }

  async function measureMissing(
    { name, pictures }: Source,
    keys: readonly string[],
    now: readonly StoredRows[],
    wanted: readonly number[],
  ): Promise<void> {
    const writers: StoreWriter[] = [];
    try {
      for (const [view, store] of now.entries()) writers.push(await openStoreWriter(store, notes[view]!));
      await askTower({
        groups: groupsOf(wanted, keys, now, options.batch),
        pictures,
        keys,
        tower,
        threads: threads(),
        seed: options.seed,
        signal: options.signal,
        write: (rows) => {
          for (const [view, { entries, values }] of rows) writers[view]!.append(entries, toFloat16(values));
        },
        onGroup: (count) => pace.add(name, count),
      });
    } finally {
      for (const writer of writers) writer.close();
    }
  }
}

/** Threads are started where there is something to read. */
function startLazily(options: MeasureFeaturesOptions): { get(): PixelThreads; close(): Promise<void> } {
  const { preprocessing, augmentation, side } = options;
  let threads: PixelThreads | undefined;
  return {
    get() {
      threads ??= startPixelThreads({ preprocessing, augmentation, side }, options.threads);
      return threads;
    },
    close: async () => threads?.close(),
  };
}
