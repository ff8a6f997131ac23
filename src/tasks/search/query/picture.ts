/** A picture as those who use the index see it. */

import { pictureAt, type Snapshot } from '../snapshot/snapshot.ts';
import type { IndexedPicture } from '../types.ts';
import { orientationOf } from './filters.ts';

export function indexedPicture(snapshot: Snapshot, row: number): IndexedPicture {
  const { id, path, size, width, height, modified, taken, camera, caption } = pictureAt(snapshot, row);
  return {
    id,
    image: path,
    bytes: size,
    width,
    height,
    orientation: orientationOf(width, height),
    modifiedAt: new Date(modified).toISOString(),
    ...(taken === null ? {} : { takenAt: new Date(taken).toISOString().slice(0, 19) }),
    ...(camera === null ? {} : { camera }),
    ...(caption === null ? {} : { caption }),
  };
}
