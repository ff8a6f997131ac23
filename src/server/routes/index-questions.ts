/** What all questions to the index share: that there is one, and filters without empty fields. */
import { EidosError } from '../../errors.ts';
import type { Filters, SearchIndex } from '../../tasks/search/types.ts';

/** @throws EidosError `not_found` */
export function requireIndex(index: SearchIndex | undefined): SearchIndex {
  if (index !== undefined) return index;
  throw new EidosError('not_found', 'This server has no index: start it with --index to search.');
}

/** Undefined where nothing is filtered. */
export function filtersOf(filters: Filters): Filters | undefined {
  const given = Object.entries(filters).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}
