/** A picture that is asked for, as far as its copies in the index are told by: the file's bytes, and how its pixels look. */
import { createHash } from 'node:crypto';
import { bestRows } from '../../../classifier/best.ts';
import type { Clip } from '../../../clip/clip.ts';
import {
  type HashedPicture,
  hashedPicture,
  isSamePicture,
  perceptualHash,
} from '../../../image/perceptual-hash.ts';
import { type ImageSource, imageLabel, isRawPixels, readSource } from '../../../image/source.ts';
import { copySimilarity } from '../duplicates/groups.ts';
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

/** Candidates that are looked at: copies are nearest of all. */
const mostCandidates = 1000;

/**
 * Rows of the index that are copies of a picture, the most alike first.
 * @param scores cosines of the picture with all rows, [count]
 */
export async function copiesOf(
  { hash, picture }: SeenPicture,
  snapshot: Snapshot,
  scores: Float32Array,
): Promise<number[]> {
  const copies: number[] = [];
  for (const row of bestRows(scores, mostCandidates, { least: copySimilarity }).rows) {
    const isSameFile = hash !== undefined && Buffer.compare(hash, await snapshot.hashes.get(row)) === 0;
    if (isSameFile || (await looksSame(picture, snapshot, row))) copies.push(row);
  }
  return copies;
}

async function looksSame(
  picture: HashedPicture | undefined,
  snapshot: Snapshot,
  row: number,
): Promise<boolean> {
  const other = await hashedPictureAt(snapshot, row);
  return picture !== undefined && other !== undefined && isSamePicture(picture, other);
}
