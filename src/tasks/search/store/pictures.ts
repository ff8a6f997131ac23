/** The table of pictures of one model: rows in and out. */
import type { Embeddings } from '../../../clip/embeddings.ts';
import type { Arrow, Lance } from './lance.ts';
import { matchWords, nearest, tidy } from './picture-indices.ts';
import {
  type PictureRecord,
  type PictureRow,
  pictureColumns,
  pictureTable,
  pixelsColumn,
  rowsOf,
  vectorsOf,
} from './rows.ts';
import { inStore, isConflict, quoted } from './statements.ts';

export interface PictureStore {
  readonly embeddingSize: number;
  /** Rises with every change. */
  version(): Promise<number>;
  rows(): Promise<PictureRow[]>;
  /** Ids of rows without a perceptual hash: all of them in a table that was made before there was one. */
  idsWithoutPixels(): Promise<Set<string>>;
  /** Gives a table of a former version the columns that it lacks, so that rows can be written. */
  completeColumns(): Promise<void>;
  /** All rows with their embeddings, piece by piece. */
  everything(): AsyncIterable<EmbeddedRows>;
  /** The rows of these ids with their embeddings, in any order. */
  take(ids: readonly string[]): Promise<EmbeddedRows>;
  add(rows: readonly PictureRecord[], embeddings: Embeddings): Promise<void>;
  /** Puts rows in the place of those with the same ids. */
  replace(rows: readonly PictureRecord[], embeddings: Embeddings): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
  /** Joins small pieces, clears away what nobody reads any more, and brings the indices up to date. */
  tidy(options: { vectorIndex: boolean }): Promise<void>;
  /** Ids of pictures whose names or captions have words of the text, the best first. */
  matchWords(text: string, limit: number): Promise<string[]>;
  /** The nearest pictures by LanceDB's index over vectors: approximate, for more of them than fit into memory. */
  nearest(vector: Float32Array, limit: number): Promise<{ id: string; similarity: number }[]>;
}

/** Rows with their embeddings, [rows, embeddingSize]. */
export interface EmbeddedRows {
  rows: PictureRecord[];
  embeddings: Embeddings;
}

export function createPictureStore(
  path: string,
  table: Lance.Table,
  { lance, arrow, embeddingSize }: { lance: typeof Lance; arrow: typeof Arrow; embeddingSize: number },
): PictureStore {
  const read = <T>(question: () => Promise<T>): Promise<T> => readLatest(path, table, question);
  const write = (change: () => Promise<unknown>): Promise<void> => writeLatest(path, table, change);
  const embedded = (part: Arrow.Table): EmbeddedRows => ({
    rows: rowsOf<PictureRecord>(part, [...pictureColumns, pixelsColumn]),
    embeddings: vectorsOf(path, part, embeddingSize),
  });
  const query = (columns: readonly string[]) => table.query().select([...columns]);
  const hasPixels = async (): Promise<boolean> =>
    (await table.schema()).fields.some(({ name }) => name === pixelsColumn);
  const everything = async () =>
    query([...pictureColumns, ...((await hasPixels()) ? [pixelsColumn] : []), 'vector']);
  return {
    embeddingSize,
    version: () => read(() => table.version()),
    rows: () => read(async () => rowsOf<PictureRow>(await query(pictureColumns).toArrow(), pictureColumns)),
    async *everything() {
      const stream = await read(everything);
      const batches = stream[Symbol.asyncIterator]();
      for (;;) {
        const { value, done } = await inStore(path, 'read', () => batches.next());
        if (done) return;
        yield embedded(new arrow.Table(value as Arrow.RecordBatch));
      }
    },
    take: (ids) => read(async () => embedded(await (await everything()).where(idsAre(ids)).toArrow())),
    idsWithoutPixels: () =>
      read(async () => {
        const ids = query(['id']);
        if (await hasPixels()) ids.where(`${pixelsColumn} IS NULL`);
        return new Set(rowsOf<{ id: string }>(await ids.toArrow(), ['id']).map(({ id }) => id));
      }),
    async completeColumns() {
      if (await read(hasPixels)) return;
      await write(() => table.addColumns([{ name: pixelsColumn, valueSql: 'CAST(NULL AS STRING)' }]));
    },
    async add(rows, embeddings) {
      if (rows.length > 0) await write(() => table.add(pictureTable(arrow, rows, embeddings)));
    },
    async replace(rows, embeddings) {
      if (rows.length > 0) await write(() => upsert(table, 'id', pictureTable(arrow, rows, embeddings)));
    },
    async remove(ids) {
      if (ids.length > 0) await write(() => table.delete(idsAre(ids)));
    },
    tidy: ({ vectorIndex }) => write(() => tidy(lance, table, vectorIndex)),
    matchWords: (text, limit) => read(() => matchWords(table, text, limit)),
    nearest: (vector, limit) => read(() => nearest(table, vector, limit)),
  };
}

/** Puts rows in the place of those with the same key, and adds the others. */
export async function upsert(table: Lance.Table, key: string, rows: Arrow.Table): Promise<void> {
  await table.mergeInsert(key).whenMatchedUpdateAll().whenNotMatchedInsertAll().execute(rows);
}

function readLatest<T>(path: string, table: Lance.Table, question: () => Promise<T>): Promise<T> {
  return inStore(path, 'read', async () => {
    await table.checkoutLatest();
    return question();
  });
}

/** Of a commit that others come before, which happens only where processes share no lock: in buckets and clusters. */
const mostAttempts = 5;

function writeLatest(path: string, table: Lance.Table, change: () => Promise<unknown>): Promise<void> {
  return inStore(path, 'write', async () => {
    for (let attempt = 1; ; attempt++) {
      await table.checkoutLatest();
      try {
        await change();
        return;
      } catch (error) {
        if (attempt === mostAttempts || !isConflict(error)) throw error;
      }
    }
  });
}

/** Ids are letters, digits, - and _ alone. */
function idsAre(ids: readonly string[]): string {
  return `id IN (${ids.map(quoted).join(', ')})`;
}
