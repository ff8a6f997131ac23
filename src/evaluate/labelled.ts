/** The pictures of a data set that have a class, as vectors. */
import type { Clip } from '../clip/clip.ts';
import type { Embeddings } from '../clip/embeddings.ts';
import type { Dataset } from './dataset.ts';
import type { EvaluationProgress } from './evaluate.ts';
import { countFailures, type FailureOptions, readable, type UnreadablePicture } from './reading.ts';

export interface LabelledOptions extends FailureOptions {
  /** Pictures that the network sees at once. @default 32 */
  batchSize?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: EvaluationProgress) => void) | undefined;
}

export interface LabelledPictures {
  /** Unit vectors, [n, embeddingSize]. */
  embeddings: Embeddings;
  /** The class of each. */
  labels: number[];
  unreadable: UnreadablePicture[];
}

/**
 * The pictures of a part that have a class.
 * @throws EidosError `invalid_image` for too many unreadable pictures, `aborted`
 */
export async function embedLabelled(
  clip: Clip,
  dataset: Dataset,
  options: LabelledOptions = {},
): Promise<LabelledPictures> {
  const { batchSize = 32, signal, onProgress } = options;
  const failures = countFailures(dataset, options);
  const { images, sampleOf } = readable(dataset, failures.add);
  const width = clip.embeddingSize;
  const rows: Float32Array[] = [];
  const labels: number[] = [];
  const imageOptions = { batchSize, ...(signal === undefined ? {} : { signal }) };
  for await (const { embeddings, items } of clip.embedImageStream(images, imageOptions)) {
    for (const item of items) {
      const { name, label } = sampleOf(item.index);
      if ('error' in item) failures.add({ image: name, error: item.error });
      else if (label !== undefined) {
        rows.push(embeddings.data.slice(item.row * width, (item.row + 1) * width));
        labels.push(label);
      }
    }
    onProgress?.({ stage: 'pictures', done: rows.length + failures.all.length, total: dataset.size });
  }
  const all: Embeddings = { data: new Float32Array(rows.length * width), shape: [rows.length, width] };
  for (const [at, row] of rows.entries()) all.data.set(row, at * width);
  return { embeddings: all, labels, unreadable: failures.all };
}
