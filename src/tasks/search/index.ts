/** `eidos/search`: a folder of pictures, found by words or by a picture. */

export type { Keyword, KeywordOptions } from '../../classifier/keywords.ts';
export {
  type Calibration,
  calibrationFile,
  loadCalibration,
  type RelevanceProbability,
  type RelevanceWeights,
  saveCalibration,
} from '../../classifier/relevance/calibration.ts';
export { fitRelevance } from '../../classifier/relevance/fit.ts';
export {
  type CaptionedPicture,
  captionedPicture,
  contentWords,
  fits,
  wordQueries,
} from '../../classifier/relevance/judge.ts';
export type { JudgedQuery } from '../../classifier/relevance/judged.ts';
export {
  type AnswerMeasures,
  measureAnswers,
  measureHits,
  type RelevanceMeasures,
} from '../../classifier/relevance/measures.ts';
export { type Moments, momentsOf } from '../../classifier/relevance/moments.ts';
export { openIndex } from './open.ts';
export { parseQuery } from './query/parse.ts';
export type {
  BrowseOptions,
  DuplicateGroup,
  DuplicateOptions,
  Filters,
  IndexedPicture,
  IndexInfo,
  OpenIndexOptions,
  Orientation,
  QueryPart,
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
