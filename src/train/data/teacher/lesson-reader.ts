/** What a teacher says of the views in a batch: which view of a picture is drawn, and its features. */
import { randomAt } from '../chance.ts';
import type { Draw } from '../draws.ts';
import type { Source } from '../source.ts';
import { type Crop, fixedCrop } from './crops.ts';
import { createFeatureReader } from './features.ts';
import type { Lessons } from './lessons.ts';

export interface LessonReader {
  /** The crop that is shown in place of a random one, so that the features fit; undefined where the whole is drawn. */
  cropOf(at: Draw, number: number): Crop | undefined;
  /** Features [pictures, width] of the drawn views, rows of unit length; zeros where the teacher has nothing to say. */
  read(pictures: readonly { at: Draw; number: number }[]): Promise<Float32Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** Apart from the chance of other places, see chance.ts. */
const ofCrops = 13;

export function createLessonReader(
  { files, width, transform, cropArea }: Lessons,
  sources: readonly Source[],
  seed: number,
): LessonReader {
  const reader = createFeatureReader(transform);
  /** 0 is the whole picture; others are its crops. */
  const viewOf = ({ source }: Draw, number: number): number => {
    const views = files[source]?.views ?? 1;
    return views === 1 ? 0 : Math.floor(randomAt(seed, ofCrops, number)() * views);
  };
  return {
    cropOf(at, number) {
      const view = viewOf(at, number);
      if (view === 0) return undefined;
      return fixedCrop(sources[at.source]!.pictures[at.picture]!.row, view, cropArea);
    },
    async read(pictures) {
      const rows = new Float32Array(pictures.length * width);
      const write = async ({ at, number }: { at: Draw; number: number }, row: number): Promise<void> => {
        const file = files[at.source];
        if (file !== undefined) await reader.write(file, at.picture, viewOf(at, number), rows, row);
      };
      await Promise.all(pictures.map(write));
      return rows;
    },
    close: () => reader.close(),
  };
}
