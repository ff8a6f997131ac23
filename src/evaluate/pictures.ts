/** A data set's way through the image encoder: ranks of the right classes, and vectors of pictures with captions. */
import type { Clip } from '../clip/clip.ts';
import type { Embeddings } from '../clip/embeddings.ts';
import type { Dataset, Language } from './dataset.ts';
import { rankOf } from './metrics.ts';
import { countFailures, type FailureOptions, readable, type UnreadablePicture } from './reading.ts';

export interface MeasuredPictures {
  /** Pictures that could be read. */
  count: number;
  /** For each classifier, the place of the right class of each picture that has one. */
  ranks: number[][];
  /** Pictures with a caption in the language, [captioned, embeddingSize]. */
  captioned: Embeddings;
  /** All their captions. */
  captions: string[];
  /** The row of `captioned` that each caption belongs to. */
  owner: number[];
  unreadable: UnreadablePicture[];
}

export interface PictureOptions extends FailureOptions {
  language: Language;
  /** The class vectors of each classifier, [classes, embeddingSize]. */
  matrices: readonly Embeddings[];
  batchSize?: number;
  signal?: AbortSignal;
  onProgress?: (progress: { stage: 'pictures'; done: number; total: number }) => void;
}

/**
 * Embeds the pictures of a set as they stream in; only those with captions are kept.
 * @throws EidosError `invalid_image` for too many unreadable pictures, `aborted`, `invalid_option`
 */
export async function measurePictures(
  clip: Clip,
  dataset: Dataset,
  options: PictureOptions,
): Promise<MeasuredPictures> {
  const { language, matrices, batchSize = 32, signal, onProgress } = options;
  const width = clip.embeddingSize;
  const ranks: number[][] = matrices.map(() => []);
  const rows: Float32Array[] = [];
  const captions: string[] = [];
  const owner: number[] = [];
  const failures = countFailures(dataset, options);
  const { images, sampleOf } = readable(dataset, failures.add);
  let count = 0;

  const imageOptions = { batchSize, ...(signal === undefined ? {} : { signal }) };
  for await (const { embeddings, items } of clip.embedImageStream(images, imageOptions)) {
    const cosines = matrices.map((matrix) => clip.similarity(embeddings, matrix));
    for (const item of items) {
      const { name, label, captions: all } = sampleOf(item.index);
      if ('error' in item) {
        failures.add({ image: name, error: item.error });
        continue;
      }
      count++;
      if (label !== undefined) {
        for (const [at, { data, shape }] of cosines.entries()) {
          const classes = shape[1]!;
          ranks[at]!.push(rankOf(data.subarray(item.row * classes, (item.row + 1) * classes), label));
        }
      }
      const own = all[language] ?? [];
      if (own.length === 0) continue;
      // A copy, so that the batch can be freed.
      rows.push(embeddings.data.slice(item.row * width, (item.row + 1) * width));
      for (const caption of own) {
        captions.push(caption);
        owner.push(rows.length - 1);
      }
    }
    onProgress?.({ stage: 'pictures', done: count + failures.all.length, total: dataset.size });
  }
  const captioned = { data: new Float32Array(rows.length * width), shape: [rows.length, width] };
  for (const [at, row] of rows.entries()) captioned.data.set(row, at * width);
  return { count, ranks, captioned, captions, owner, unreadable: failures.all };
}
