/** Features of a locked image tower for all pictures of a training, asked for once and kept. */
import { join } from 'node:path';
import { defaultCacheFolder } from '../../engine/cache-folder.ts';
import type { TrainingConfig } from '../config.ts';
import { measureImageFeatures } from '../data/features/measure.ts';
import { requireFewBroken, type TrainingData } from '../data/training-data.ts';
import type { Beginning } from './beginning.ts';
import type { TrainingEvent } from './events.ts';
import { openLockedTower } from './locked-tower.ts';

export interface MeasuringOptions {
  /** Of the network, over what the configuration says. */
  threads?: number | undefined;
  signal?: AbortSignal | undefined;
  onEvent: (event: TrainingEvent) => void;
}

/** Where a configuration keeps features. */
export function featureFolder({ imageTower, data }: Pick<TrainingConfig, 'imageTower' | 'data'>): string {
  const own = imageTower.kind === 'features' ? imageTower.cache : undefined;
  return own ?? (data.cache === undefined ? defaultCacheFolder('features') : join(data.cache, 'features'));
}

/**
 * The data with the features of their pictures where the image tower is locked, and as they are otherwise.
 * @throws EidosError `invalid_option` where the tower has no weights, and what measureImageFeatures throws
 */
export async function withImageFeatures(
  data: TrainingData,
  config: TrainingConfig,
  {
    architecture,
    preprocessing,
    firstValues,
  }: Pick<Beginning, 'architecture' | 'preprocessing' | 'firstValues'>,
  { threads, signal, onEvent }: MeasuringOptions,
): Promise<TrainingData> {
  const { imageTower } = config;
  if (imageTower.kind !== 'features' || data.sources.length === 0) return data;
  const tower = await openLockedTower(
    architecture,
    preprocessing,
    firstValues,
    threads ?? config.threads.network,
  );
  try {
    const { features, sources } = await measureImageFeatures(data.sources, tower, {
      folder: featureFolder(config),
      views: imageTower.views,
      seed: imageTower.seed,
      batch: imageTower.batch,
      preprocessing,
      augmentation: config.data.augmentation,
      side: data.side,
      threads: config.threads.data,
      signal,
      onProgress: ({ source, ...progress }) =>
        onEvent({ kind: 'preparing', what: `Measuring features of ${source}`, ...progress }),
    });
    const broken = sources.flatMap((source) => source.broken);
    const size = sources.reduce((sum, { pictures }) => sum + pictures.length, 0);
    requireFewBroken(broken, size + broken.length, config.data.maxBrokenShare);
    return { ...data, sources, size, broken, imageFeatures: features };
  } finally {
    await tower.close();
  }
}
