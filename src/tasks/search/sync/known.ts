/** Files whose embedding is known already, as they were only touched, moved, or copied: it is taken over. */
import type { PictureStore } from '../store/pictures.ts';
import type { PictureRecord, PictureRow } from '../store/rows.ts';
import type { NewId } from './ids.ts';
import { asTable, groupByHash, rowOf } from './picture-rows.ts';
import type { Plan } from './plan.ts';
import type { SoundFile } from './read.ts';

export interface KnownFiles {
  /** Ids of pictures whose file has moved. */
  readonly moved: ReadonlySet<string>;
  readonly counts: Readonly<Record<'touched' | 'added' | 'changed', number>>;
  /**
   * Whether the file's embedding is known; then its row waits for `commit`.
   * @param own the row of this path, where there is one
   */
  take(read: SoundFile, own: PictureRow | undefined): boolean;
  /** Writes the rows, whose embeddings are copied inside of the table. */
  commit(pictures: PictureStore): Promise<void>;
}

/** A row that gets the embedding of another one, and its perceptual hash where none was made for it. */
interface Copy {
  row: PictureRecord;
  from: string;
  isNew: boolean;
}

const rowsPerCommit = 512;

export function createKnownFiles(rows: readonly PictureRow[], plan: Plan, newId: NewId): KnownFiles {
  const gone = groupByHash(plan.gone);
  const lending = groupByHash(lendingRows(rows, plan));
  const moved = new Set<string>();
  const counts = { touched: 0, added: 0, changed: 0 };
  const copies: Copy[] = [];

  /** What the file's row is copied from: itself, one whose file is gone, or one with the same bytes. */
  function copyFor(read: SoundFile, own: PictureRow | undefined): Copy | undefined {
    const { file, hash, pixels = null } = read;
    if (own?.hash === hash) {
      counts.touched += 1;
      return { row: rowOf(read, own.id, pixels), from: own.id, isNew: false };
    }
    const from = own === undefined ? gone.get(hash)?.find(({ id }) => !moved.has(id)) : undefined;
    if (from !== undefined) {
      moved.add(from.id);
      return { row: rowOf(read, from.id, pixels), from: from.id, isNew: false };
    }
    const twin = lending.get(hash)?.[0];
    if (twin === undefined) return undefined;
    counts[own === undefined ? 'added' : 'changed'] += 1;
    return {
      row: rowOf(read, own?.id ?? newId(file, hash), pixels),
      from: twin.id,
      isNew: own === undefined,
    };
  }

  return {
    moved,
    counts,
    take(read, own) {
      const copy = copyFor(read, own);
      if (copy !== undefined) copies.push(copy);
      return copy !== undefined;
    },
    async commit(pictures) {
      for (let start = 0; start < copies.length; start += rowsPerCommit) {
        await commitCopies(pictures, copies.slice(start, start + rowsPerCommit));
      }
    },
  };
}

/** A row whose file is read again may get another embedding before its present one is copied: it lends none. */
function lendingRows(rows: readonly PictureRow[], plan: Plan): PictureRow[] {
  const unsettled = new Set(
    [...plan.doubled, ...plan.toRead.map(({ known }) => known)].map((row) => row?.id),
  );
  return rows.filter(({ id }) => !unsettled.has(id));
}

async function commitCopies(pictures: PictureStore, copies: readonly Copy[]): Promise<void> {
  const size = pictures.embeddingSize;
  const { rows, embeddings } = await pictures.take([...new Set(copies.map(({ from }) => from))]);
  const lent = new Map(
    rows.map(({ id, pixels }, i) => [
      id,
      { pixels, vector: embeddings.data.subarray(i * size, (i + 1) * size) },
    ]),
  );
  const ready = copies.flatMap(({ row, from, isNew }) => {
    const own = lent.get(from);
    if (own === undefined) return [];
    return [{ row: { ...row, pixels: row.pixels ?? own.pixels }, vector: own.vector, isNew }];
  });
  const some = (isNew: boolean) => ready.filter((copy) => copy.isNew === isNew);
  await pictures.replace(...asTable(some(false), size));
  await pictures.add(...asTable(some(true), size));
}
