/** `eidos/search`: a folder of pictures, found by words or by a picture. */

export { openIndex } from './open.ts';
export { parseQuery } from './query/parse.ts';
export {
  type Calibration,
  calibrationFile,
  loadCalibration,
  type RelevanceWeights,
  saveCalibration,
} from './relevance/calibration.ts';
export {
  type AnswerMeasures,
  fitRelevance,
  type JudgedQuery,
  measureAnswers,
  measureHits,
  type RelevanceMeasures,
} from './relevance/fit.ts';
export {
  type CaptionedPicture,
  captionedPicture,
  contentWords,
  fits,
  wordQueries,
} from './relevance/judge.ts';
export { type Moments, momentsOf } from './relevance/moments.ts';
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
