/** A data set as the image encoder reads it: pictures one after the other, and what becomes of those that fail. */
import { EidosError } from '../errors.ts';
import type { ImageSource } from '../image/source.ts';
import type { Dataset, Sample } from './dataset.ts';

/** A picture that could not be read, by the set's own name for it. */
export interface UnreadablePicture {
  image: string;
  error: EidosError;
}

export interface FailureOptions {
  /** More unreadable pictures than this share (and more than one) are an error. @default 0.05 */
  maxUnreadableShare?: number;
  onUnreadable?: (picture: UnreadablePicture) => void;
}

/** The pictures of a set as the encoder takes them; what the set itself could not deliver is a failure. */
export function readable(
  dataset: Dataset,
  onFailure: (picture: UnreadablePicture) => void,
): { images: AsyncIterable<ImageSource>; sampleOf: (index: number) => Sample } {
  const samples = new Map<number, Sample>();
  async function* pull(): AsyncGenerator<ImageSource> {
    let index = 0;
    for await (const sample of dataset.samples()) {
      const { image, ...rest } = sample;
      if (image instanceof EidosError) {
        onFailure({ image: sample.name, error: image });
        continue;
      }
      // The picture itself is not kept: the encoder has it.
      samples.set(index++, { ...rest, image: sample.name });
      yield image;
    }
  }
  return {
    images: pull(),
    sampleOf(index) {
      const sample = samples.get(index)!;
      samples.delete(index);
      return sample;
    },
  };
}

/** Gathers failures, and gives up at once where too many pictures have failed for the figures to mean anything. */
export function countFailures(
  { name, split, size }: Dataset,
  { maxUnreadableShare = 0.05, onUnreadable }: FailureOptions,
) {
  const all: UnreadablePicture[] = [];
  const allowed = Math.min(size - 1, Math.max(1, Math.floor(maxUnreadableShare * size)));
  return {
    all,
    add(picture: UnreadablePicture): void {
      all.push(picture);
      onUnreadable?.(picture);
      if (all.length <= allowed) return;
      const some = all.slice(0, 3).map(({ image }) => image);
      throw new EidosError(
        'invalid_image',
        `Too many pictures of ${name} ("${split}") cannot be read, such as ${some.join(', ')}; at most ${allowed} of ${size} may fail. The last one: ${picture.error.message}`,
        { cause: picture.error },
      );
    },
  };
}
