/** Sources of a few coloured squares for the trainer's data, and what opens them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { clipPreprocessing } from '../../../src/models/preprocessing.ts';
import { trainBytePairVocabulary } from '../../../src/text/train-vocabulary.ts';
import { dataSchema } from '../../../src/train/data/config.ts';
import { openBatches } from '../../../src/train/data/loader.ts';
import { openData } from '../../../src/train/data/training-data.ts';

export { jsonLines, sheet, square, tar, writeFiles } from '../../evaluate/tiny-sets.ts';

/** A folder for the tests of a file. */
export function temporaryFolder(): { path: string } {
  const folder = { path: '' };
  beforeAll(async () => {
    folder.path = await mkdtemp(join(tmpdir(), 'eidos-train-data-'));
  });
  afterAll(() => rm(folder.path, { recursive: true }));
  return folder;
}

export const preprocessing = { ...clipPreprocessing, size: 8 };

export const { tokenizer } = trainBytePairVocabulary(['a photo of a red square', 'ein rotes Quadrat'], {
  size: 540,
  contextLength: 16,
});

/** The data as a configuration says. */
export const open = (config: object, options: { kinds?: boolean } = {}) =>
  openData(dataSchema.parse(config), { imageSize: preprocessing.size, ...options });

/** Batches in the test's own thread. */
export const batches = (
  data: Awaited<ReturnType<typeof open>>,
  options: Partial<Parameters<typeof openBatches>[1]> = {},
) => openBatches(data, { preprocessing, tokenizer, batch: 4, seed: 1, threads: 0, ...options });
