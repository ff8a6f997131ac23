/** eidos: pictures and words in one embedding space. */

export type { DownloadProgress, HubOptions } from './checkpoint/hub/settings.ts';
export type {
  Clip,
  ClipConfig,
  EmbeddedBatch,
  EmbedImagesOptions,
  EmbedOptions,
  EmbedTextsOptions,
} from './clip/clip.ts';
export { type Cosine, cosineSimilarity, type Embeddings } from './clip/embeddings.ts';
export { type LoadOptions, loadClip } from './clip/load.ts';
export { type LoadTokenizerOptions, loadTokenizer } from './clip/load-tokenizer.ts';
export type { Device, NumberType } from './engine/devices.ts';
export type { LoadMode } from './engine/engine.ts';
export { EidosError, type ErrorCode } from './errors.ts';
export type { FloatTensor, IntTensor } from './graph/tensor.ts';
export type { BatchItem } from './image/pipeline.ts';
export type { ImageSource, ImageSources, RawPixels } from './image/source.ts';
export type {
  Activation,
  AveragingTextArchitecture,
  ClipArchitecture,
  ResNetArchitecture,
  TextArchitecture,
  TransformerTextArchitecture,
  VitArchitecture,
} from './models/architecture.ts';
export type { ImagePreprocessing } from './models/preprocessing.ts';
export {
  type Classification,
  type ClassifyOptions,
  createZeroShotClassifier,
  type LabelScore,
  type ZeroShotClassifier,
  type ZeroShotOptions,
} from './tasks/classify/classify.ts';
export {
  createKeywordFinder,
  type Keyword,
  type KeywordFinder,
  type KeywordOptions,
  type PictureKeywords,
} from './tasks/keywords/index.ts';
export type { TextRules } from './text/rules.ts';
export { type PromptTemplateSet, promptTemplates } from './text/templates.ts';
export type { TextOverflow, Tokenizer, TokenRows } from './text/tokenizer.ts';
