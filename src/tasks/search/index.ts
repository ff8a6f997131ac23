/** `eidos/search`: a folder of pictures, found by words or by a picture. */

export { openIndex } from './open.ts';
export { parseQuery } from './query/parse.ts';
export type {
  BrowseOptions,
  DuplicateGroup,
  DuplicateOptions,
  Filters,
  IndexedPicture,
  IndexInfo,
  Keyword,
  KeywordOptions,
  OpenIndexOptions,
  Orientation,
  QueryPart,
  RelevanceProbability,
  SearchAnswer,
  SearchHit,
  SearchIndex,
  SearchOptions,
  SearchQuery,
  SyncOptions,
  SyncProgress,
  SyncReport,
  UnreadableFile,
  Watcher,
  WatchOptions,
} from './types.ts';
