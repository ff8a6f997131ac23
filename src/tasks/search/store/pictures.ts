/** The table of pictures of one model: rows in and out, and LanceDB's own indices over them. */
import type { Embeddings } from '../../../clip/embeddings.ts';
import { EidosError } from '../../../errors.ts';
import type { Arrow, Lance } from './lance.ts';
import { type PictureRow, pictureColumns, pictureTable, rowsOf } from './rows.ts';
import { inStore, isConflict, quoted } from './statements.ts';

export interface PictureStore {
  readonly embeddingSize: number;
  /** Rises with every change. */
  version(): Promise<number>;
  rows(): Promise<PictureRow[]>;
  /** All rows with their embeddings, piece by piece. */
  everything(): AsyncIterable<{ rows: PictureRow[]; embeddings: Embeddings }>;
  /** The rows of these ids with their embeddings, in any order. */
  take(ids: readonly string[]): Promise<{ rows: PictureRow[]; embeddings: Embeddings }>;
  add(rows: readonly PictureRow[], embeddings: Embeddings): Promise<void>;
  /** Puts rows in the place of those with the same ids. */
  replace(rows: readonly PictureRow[], embeddings: Embeddings): Promise<void>;
  remove(ids: readonly string[]): Promise<void>;
  /** Joins small pieces, clears away what nobody reads any more, and brings the indices up to date. */
  tidy(options: { vectorIndex: boolean }): Promise<void>;
  /** Ids of pictures whose names or captions have words of the text, the best first. */
  matchWords(text: string, limit: number): Promise<string[]>;
  /** The nearest pictures by LanceDB's index over vectors: approximate, for more of them than fit into memory. */
  nearest(vector: Float32Array, limit: number): Promise<{ id: string; similarity: number }[]>;
}

/** Somebody may be reading a former version at this moment; after this many milliseconds surely nobody is. */
const formerVersions = 10 * 60 * 1000;

/** Of a commit that others come before, which happens only where processes share no lock: in buckets and clusters. */
const mostAttempts = 5;

/** LanceDB quantises vectors: so many times more candidates are compared exactly. */
const refineFactor = 20;

export function createPictureStore(
  path: string,
  table: Lance.Table,
  { lance, arrow, embeddingSize }: { lance: typeof Lance; arrow: typeof Arrow; embeddingSize: number },
): PictureStore {
  const read = <T>(action: () => Promise<T>) =>
    inStore(path, 'read', async () => {
      await table.checkoutLatest();
      return action();
    });
  const write = (action: () => Promise<unknown>): Promise<void> =>
    inStore(path, 'write', async () => {
      for (let attempt = 1; ; attempt++) {
        await table.checkoutLatest();
        try {
          await action();
          return;
        } catch (error) {
          if (attempt === mostAttempts || !isConflict(error)) throw error;
        }
      }
    });
  const fromTable = (part: Arrow.Table): { rows: PictureRow[]; embeddings: Embeddings } => ({
    rows: rowsOf<PictureRow>(part, pictureColumns),
    embeddings: vectorsOf(path, part, embeddingSize),
  });

  return {
    embeddingSize,
    version: () => read(() => table.version()),
    rows: () =>
      read(async () =>
        rowsOf<PictureRow>(
          await table
            .query()
            .select([...pictureColumns])
            .toArrow(),
          pictureColumns,
        ),
      ),

    async *everything() {
      const columns = [...pictureColumns, 'vector'];
      const stream = await read(async () => table.query().select(columns));
      const batches = stream[Symbol.asyncIterator]();
      for (;;) {
        const { value, done } = await inStore(path, 'read', () => batches.next());
        if (done) return;
        yield fromTable(new arrow.Table(value as Arrow.RecordBatch));
      }
    },

    take: (ids) =>
      read(async () =>
        fromTable(
          await table
            .query()
            .where(idsAre(ids))
            .select([...pictureColumns, 'vector'])
            .toArrow(),
        ),
      ),

    async add(rows, embeddings) {
      if (rows.length > 0) await write(() => table.add(pictureTable(arrow, rows, embeddings)));
    },

    async replace(rows, embeddings) {
      if (rows.length === 0) return;
      await write(() =>
        table
          .mergeInsert('id')
          .whenMatchedUpdateAll()
          .whenNotMatchedInsertAll()
          .execute(pictureTable(arrow, rows, embeddings)),
      );
    },

    async remove(ids) {
      if (ids.length > 0) await write(() => table.delete(idsAre(ids)));
    },

    tidy: ({ vectorIndex }) =>
      write(async () => {
        const existing = new Set((await table.listIndices()).map(({ columns }) => columns[0]));
        if (!existing.has('words')) await table.createIndex('words', { config: lance.Index.fts() });
        if (vectorIndex && !existing.has('vector')) {
          await table.createIndex('vector', { config: lance.Index.ivfPq({ distanceType: 'cosine' }) });
        }
        await table.optimize({ cleanupOlderThan: new Date(Date.now() - formerVersions) });
      }),

    matchWords: (text, limit) =>
      read(async () => {
        const found = await table
          .query()
          .fullTextSearch(text, { columns: ['words'] })
          .select(['id', '_score'])
          .limit(limit)
          .toArrow();
        return rowsOf<{ id: string }>(found, ['id']).map(({ id }) => id);
      }),

    nearest: (vector, limit) =>
      read(async () => {
        const found = await table
          .vectorSearch(vector)
          .column('vector')
          .distanceType('cosine')
          .refineFactor(refineFactor)
          .nprobes(50)
          .select(['id', '_distance'])
          .limit(limit)
          .toArrow();
        return rowsOf<{ id: string; _distance: number }>(found, ['id', '_distance']).map(
          ({ id, _distance }) => ({ id, similarity: 1 - _distance }),
        );
      }),
  };
}

/** Ids are letters, digits, - and _ alone. */
function idsAre(ids: readonly string[]): string {
  return `id IN (${ids.map(quoted).join(', ')})`;
}

function vectorsOf(path: string, table: Arrow.Table, embeddingSize: number): Embeddings {
  const data = new Float32Array(table.numRows * embeddingSize);
  let done = 0;
  for (const { data: parts } of [table.getChild('vector')!]) {
    for (const part of parts) {
      const numbers = part.children[0]!;
      const values = numbers.values as Float32Array;
      const start = part.offset * embeddingSize;
      data.set(values.subarray(start, start + part.length * embeddingSize), done);
      done += part.length * embeddingSize;
    }
  }
  if (done !== data.length) {
    throw new EidosError(
      'invalid_index',
      `The index ${path} holds vectors of another length than ${embeddingSize}.`,
    );
  }
  return { data, shape: [table.numRows, embeddingSize] };
}
