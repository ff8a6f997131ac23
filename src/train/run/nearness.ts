/** Which pictures of a training are near one another, where its batches are to be hard. */
import type { TrainingConfig } from '../config.ts';
import { placesOfPictures } from '../data/hard/nearness.ts';
import type { TrainingData } from '../data/training-data.ts';
import type { TrainingEvent } from './events.ts';

/**
 * The data with the order of their pictures, where hard batches ask for it, and as they are otherwise.
 * @throws EidosError what placesOfPictures throws
 */
export async function withNearness(
  data: TrainingData,
  { data: { hardBatches } }: Pick<TrainingConfig, 'data'>,
  { signal, onEvent }: { signal?: AbortSignal | undefined; onEvent: (event: TrainingEvent) => void },
): Promise<TrainingData> {
  if (hardBatches === undefined) return data;
  const nearness = await placesOfPictures(data, {
    by: hardBatches.by,
    signal,
    onProgress: (done, total) =>
      onEvent({ kind: 'preparing', what: 'Asking the teacher about captions', done, total }),
  });
  return { ...data, nearness };
}
