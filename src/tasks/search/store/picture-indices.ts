/** LanceDB's own indices over pictures: their words, and, beyond exact search, their vectors. */
import type { Lance } from './lance.ts';
import { rowsOf } from './rows.ts';

/** Somebody may be reading a former version at this moment; after this many milliseconds surely nobody is. */
const formerVersions = 10 * 60 * 1000;

/** LanceDB quantises vectors: so many times more candidates are compared exactly. */
const refineFactor = 20;

/** Joins small pieces, clears away what nobody reads any more, and brings the indices up to date. */
export async function tidy(lance: typeof Lance, table: Lance.Table, vectorIndex: boolean): Promise<void> {
  const existing = new Set((await table.listIndices()).map(({ columns }) => columns[0]));
  if (!existing.has('words')) await table.createIndex('words', { config: lance.Index.fts() });
  if (vectorIndex && !existing.has('vector')) {
    await table.createIndex('vector', { config: lance.Index.ivfPq({ distanceType: 'cosine' }) });
  }
  await table.optimize({ cleanupOlderThan: new Date(Date.now() - formerVersions) });
}

/** Ids of pictures whose names or captions have words of the text, the best first. */
export async function matchWords(table: Lance.Table, text: string, limit: number): Promise<string[]> {
  const found = await table
    .query()
    .fullTextSearch(text, { columns: ['words'] })
    .select(['id', '_score'])
    .limit(limit)
    .toArrow();
  return rowsOf<{ id: string }>(found, ['id']).map(({ id }) => id);
}

/** The nearest pictures, with their cosines. */
export async function nearest(
  table: Lance.Table,
  vector: Float32Array,
  limit: number,
): Promise<{ id: string; similarity: number }[]> {
  const found = await table
    .vectorSearch(vector)
    .column('vector')
    .distanceType('cosine')
    .refineFactor(refineFactor)
    .nprobes(50)
    .select(['id', '_distance'])
    .limit(limit)
    .toArrow();
  return rowsOf<{ id: string; _distance: number }>(found, ['id', '_distance']).map(({ id, _distance }) => ({
    id,
    similarity: 1 - _distance,
  }));
}
