/**
 * A copy of the store at one version, as searching wants it: the matrix of embeddings to be mapped, and columns that
 * filters run over. It may be deleted at any time and is made again when it is missing, stale or damaged.
 */
import type { Moments } from '../../../classifier/relevance/moments.ts';
import type { StoredTensor } from '../../../graph/tensor.ts';
import type { About } from '../store/about.ts';
import type { PictureRow } from '../store/rows.ts';
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
  /** [count] each; NaN where the camera noted no time. */
  sizes: Float64Array;
  modified: Float64Array;
  taken: Float64Array;
  widths: Int32Array;
  heights: Int32Array;
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
