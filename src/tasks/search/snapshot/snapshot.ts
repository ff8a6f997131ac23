/**
 * A copy of the store at one version, as searching wants it: the matrix of embeddings to be mapped, and columns that
 * filters run over. It may be deleted at any time and is made again when it is missing, stale or damaged.
 */
import type { Moments } from '../../../classifier/relevance/moments.ts';
import type { StoredTensor } from '../../../graph/tensor.ts';
import { type HashedPicture, hashedPicture } from '../../../image/perceptual-hash.ts';
import type { About } from '../store/about.ts';
import type { PictureRow } from '../store/rows.ts';
import type { ByteRows } from './byte-rows.ts';
import type { TextColumn } from './columns.ts';

export interface Snapshot {
  /** The version of the store that it was made from. */
  key: string;
  about: About;
  unreadable: number;
  count: number;
  /** Where the unit vectors lie, [count, embeddingSize]. */
  vectors: StoredTensor;
  /** Of the embeddings: what is usual in this index. */
  moments: Moments;
  ids: TextColumn;
  paths: TextColumn;
  raws: TextColumn;
  cameras: TextColumn;
  captions: TextColumn;
  /** SHA-256 of the files, [count, 32]. */
  hashes: ByteRows;
  /** Perceptual hashes, [count, 1152]; zeros where there is none. */
  pixels: ByteRows;
  /** `HashedPicture.means` in single floats, [count, 5]; not numbers where there is no perceptual hash. */
  means: ByteRows;
  /** The first row of those that are copies of one picture; a picture without copies has its own. */
  firsts: Int32Array;
  /** [count] each; NaN where the camera noted no time. */
  sizes: Float64Array;
  modified: Float64Array;
  taken: Float64Array;
  widths: Int32Array;
  heights: Int32Array;
}

/** The perceptual hash of the picture in a row, with its sides; undefined where there is none. */
export async function hashedPictureAt(
  { pixels, widths, heights }: Snapshot,
  row: number,
): Promise<HashedPicture | undefined> {
  return givenHash(await pixels.get(row), widths[row]!, heights[row]!);
}

/** A picture by a perceptual hash that is all zeros where there is none: every real one has colours around 128. */
export function givenHash(hash: Uint8Array, width: number, height: number): HashedPicture | undefined {
  return hash.at(-1) === 0 ? undefined : hashedPicture(hash, width, height);
}

/** What is known of the picture in a row, without its hash. */
export function pictureAt(snapshot: Snapshot, row: number): Omit<PictureRow, 'hash'> {
  const taken = snapshot.taken[row]!;
  return {
    id: snapshot.ids.get(row),
    path: snapshot.paths.get(row),
    raw: snapshot.raws.get(row) || null,
    size: snapshot.sizes[row]!,
    modified: snapshot.modified[row]!,
    width: snapshot.widths[row]!,
    height: snapshot.heights[row]!,
    taken: Number.isNaN(taken) ? null : taken,
    camera: snapshot.cameras.get(row) || null,
    caption: snapshot.captions.get(row) || null,
  };
}
