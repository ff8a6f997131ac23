/** Pictures that were embedded and wait to be committed: together, but not for long at the risk of being lost. */
import type { PictureStore } from '../store/pictures.ts';
import type { PictureRow } from '../store/rows.ts';
import type { NewId } from './ids.ts';
import { asTable, type EmbeddedRow, rowOf } from './picture-rows.ts';
import type { SoundFile } from './read.ts';

export interface FreshPictures {
  readonly counts: Readonly<Record<'added' | 'changed', number>>;
  /** @param own the row of this path, where there is one: its place is taken */
  add(read: SoundFile, own: PictureRow | undefined, seen: SeenPicture): void;
  /** Whether so many wait, or some have waited long. */
  isDue(most: number): boolean;
  commit(): Promise<void>;
}

/** What the model and the perceptual hash made of a picture. */
export interface SeenPicture {
  /** [embeddingSize] */
  vector: Float32Array;
  /** In base64. */
  pixels: string | null;
}

const secondsPerCommit = 10;
/** The first commits are small and soon, as somebody may be looking on; each doubles what is there, up to the most. */
const firstCommit = 16;

export function createFreshPictures(pictures: PictureStore, newId: NewId): FreshPictures {
  const counts = { added: 0, changed: 0 };
  let added: EmbeddedRow[] = [];
  let replacing: EmbeddedRow[] = [];
  let lastCommit = performance.now();
  let committed = 0;
  return {
    counts,
    add(read, own, { vector, pixels }) {
      const row = rowOf(read, own?.id ?? newId(read.file, read.hash), pixels);
      (own === undefined ? added : replacing).push({ row, vector });
      counts[own === undefined ? 'added' : 'changed'] += 1;
    },
    isDue(most) {
      const count = added.length + replacing.length;
      const due = Math.min(most, firstCommit + committed);
      return count >= due || (count > 0 && performance.now() - lastCommit > secondsPerCommit * 1000);
    },
    async commit() {
      const [fresh, changed] = [added, replacing];
      added = [];
      replacing = [];
      lastCommit = performance.now();
      committed += fresh.length + changed.length;
      await pictures.add(...asTable(fresh, pictures.embeddingSize));
      await pictures.replace(...asTable(changed, pictures.embeddingSize));
    },
  };
}
