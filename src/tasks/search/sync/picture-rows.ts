/** Rows with their embeddings on their way into the store. */
import type { Embeddings } from '../../../clip/embeddings.ts';
import type { PictureRecord, PictureRow } from '../store/rows.ts';
import type { SoundFile } from './read.ts';

export interface EmbeddedRow {
  row: PictureRecord;
  vector: Float32Array;
}

/**
 * The row of a file under this id.
 * @param pixels the perceptual hash in base64, null where it is not known yet
 */
export function rowOf({ file, hash, facts }: SoundFile, id: string, pixels: string | null): PictureRecord {
  return { ...file, hash, ...facts, id, pixels };
}

/** Rows beside their embeddings, [rows, size], as the store takes them. */
export function asTable(rows: readonly EmbeddedRow[], size: number): [PictureRecord[], Embeddings] {
  const data = new Float32Array(rows.length * size);
  rows.forEach(({ vector }, i) => {
    data.set(vector, i * size);
  });
  return [rows.map(({ row }) => row), { data, shape: [rows.length, size] }];
}

/** Rows of files with the same bytes. */
export function groupByHash(rows: readonly PictureRow[]): Map<string, PictureRow[]> {
  const groups = new Map<string, PictureRow[]>();
  for (const row of rows) {
    const group = groups.get(row.hash);
    if (group === undefined) groups.set(row.hash, [row]);
    else group.push(row);
  }
  return groups;
}
