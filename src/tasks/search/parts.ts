/** What every question to an index and every change of it stands on. */
import type { Models } from './models.ts';
import type { Current } from './snapshot/current.ts';
import type { IndexSource } from './store/source.ts';
import type { OpenIndexOptions } from './types.ts';

export interface IndexParts {
  source: IndexSource;
  /** What answers. */
  current: Current;
  models: Models;
  options: OpenIndexOptions;
}

/** Up to so many pictures exact search is fast enough, and fits into memory. */
export const defaultExactUpTo = 1_000_000;
