/** A picture that is asked for, as far as its copies in the index are told by: the file's bytes, and how its pixels look. */
import { createHash } from 'node:crypto';
import type { Clip } from '../../../clip/clip.ts';
import {
  type HashedPicture,
  hashedPicture,
  isSamePicture,
  meansLength,
  meansTolerance,
  perceptualHash,
} from '../../../image/perceptual-hash.ts';
import { type ImageSource, imageLabel, isRawPixels, readSource } from '../../../image/source.ts';
import type { IndexParts } from '../parts.ts';
import { unknownId } from '../snapshot/questions.ts';
import { hashedPictureAt, type Snapshot } from '../snapshot/snapshot.ts';

export interface SeenPicture {
  /** SHA-256 of the file; undefined for raw pixels. */
  hash: Uint8Array | undefined;
  picture: HashedPicture | undefined;
}

/** A picture with its embedding, [embeddingSize]. */
export interface SeenVector {
  vector: Float32Array;
  seen: SeenPicture;
}

/** Embeds a picture, and looks at its bytes and pixels on the way: it is read and decoded once. */
export async function embedSeen(
  clip: Clip,
  image: ImageSource,
  signal: AbortSignal | undefined,
): Promise<SeenVector> {
  const input = await readSource(image, { signal });
  // A File has a name, which errors then tell.
  const named = isRawPixels(input) ? input : new File([input as Uint8Array<ArrayBuffer>], imageLabel(image));
  const seen: SeenPicture = {
    hash: isRawPixels(input) ? undefined : createHash('sha256').update(input).digest(),
    picture: undefined,
  };
  const { data } = await clip.embedImages(named, {
    signal,
    onDecoded(decoded) {
      const hash = perceptualHash(decoded, clip.config.preprocessing);
      seen.picture = hashedPicture(hash, decoded.width, decoded.height);
    },
  });
  return { vector: data, seen };
}

/**
 * The same of a picture of the index.
 * @throws EidosError `not_found`
 */
export async function indexedSeen(
  { source, current }: Pick<IndexParts, 'source' | 'current'>,
  id: string,
): Promise<SeenVector> {
  const { snapshot, scorer, rowOf } = await current.answering();
  const row = rowOf(id);
  if (row === undefined) throw unknownId(source, id);
  const seen = { hash: await snapshot.hashes.get(row), picture: await hashedPictureAt(snapshot, row) };
  return { vector: await scorer.vector(row), seen };
}

/** Rows of the index that are copies of a picture, in their order. */
export async function copiesOf({ hash, picture }: SeenPicture, snapshot: Snapshot): Promise<number[]> {
  const copies = new Set(hash === undefined ? [] : await rowsOfFile(hash, snapshot));
  if (picture !== undefined) {
    for (const row of await rowsNear(picture, snapshot)) {
      const other = await hashedPictureAt(snapshot, row);
      if (other !== undefined && isSamePicture(picture, other)) copies.add(row);
    }
  }
  return [...copies].sort((a, b) => a - b);
}

async function rowsOfFile(hash: Uint8Array, { hashes, count }: Snapshot): Promise<number[]> {
  const all = await hashes.all();
  const width = hash.length;
  const rows: number[] = [];
  for (let row = 0; row < count; row++) {
    // Nearly all differ in the first byte.
    if (all[row * width] !== hash[0]) continue;
    if (Buffer.compare(hash, all.subarray(row * width, (row + 1) * width)) === 0) rows.push(row);
  }
  return rows;
}

/** Rows whose means are those of a copy: a few of very many. */
async function rowsNear({ means }: HashedPicture, snapshot: Snapshot): Promise<number[]> {
  const bytes = await snapshot.means.all();
  const all = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const rows: number[] = [];
  for (let row = 0; row < snapshot.count; row++) {
    const start = row * meansLength;
    // Not numbers are near nothing.
    if (means.every((mean, i) => Math.abs(mean - all[start + i]!) <= meansTolerance + 1e-3)) rows.push(row);
  }
  return rows;
}
