/** What an index of pictures is to those who use it: the questions it takes, and what it answers. */

import type { Keyword, KeywordOptions } from '../../classifier/keywords.ts';
import type { RelevanceProbability } from '../../classifier/relevance/calibration.ts';
import type { Clip } from '../../clip/clip.ts';
import type { Cosine } from '../../clip/embeddings.ts';
import type { EidosError, ErrorCode } from '../../errors.ts';
import type { ImageSource } from '../../image/source.ts';
import type { UnreadFormats } from '../../image/unread.ts';

export interface OpenIndexOptions {
  /** A loaded model, which the index uses and leaves open. @default the index opens its own when it needs one */
  clip?: Clip | undefined;
  /**
   * The model to open otherwise: a folder, a weight file or a hub id. @default the one that the index was made
   * with; for a new index the bundled model
   */
  model?: string | undefined;
  /**
   * Opens a model by its name in another way than `loadClip(name)`, on another device for example; the index closes
   * it. @default loadClip
   */
  loadModel?: ((name: string) => Promise<Clip>) | undefined;
  /** Makes the index where there is none; without it that is the error `not_found`. @default false */
  create?: boolean | undefined;
  /**
   * Where copies that make searching fast are kept; they may be deleted at any time.
   * @default a folder inside of a local index, $XDG_CACHE_HOME/eidos/search (~/.cache without it) for others
   */
  cacheFolder?: string | undefined;
  /**
   * Up to so many pictures every query is compared with every one; beyond, the store's own approximate index over
   * vectors answers. @default 1,000,000
   */
  exactUpTo?: number | undefined;
  /** What the store wants to know for `s3://` and `db://`: keys, region, endpoint. @default the environment */
  storageOptions?: Readonly<Record<string, string>> | undefined;
  /** Told what is worth knowing and no error. */
  onWarning?: ((message: string) => void) | undefined;
}

/** Pictures of some folders with their embeddings. Close it: a thread and a store stand behind it. */
export interface SearchIndex {
  /** Where the index lies: a folder, `s3://…` or `db://…`. */
  readonly path: string;
  info(): Promise<IndexInfo>;
  /**
   * Brings the index to the state of the folders: new and changed pictures are embedded, moved ones keep their
   * id, deleted ones leave. What is done is kept, wherever it is interrupted.
   * @param folders more folders to keep in the index. @default those that it has
   * @throws EidosError `not_found` for a folder that is not there (nothing is removed then), `model_mismatch`,
   * `write_failed`, `aborted`
   */
  sync(folders?: readonly string[], options?: SyncOptions): Promise<SyncReport>;
  /** Syncs, and again whenever something changes in the folders, until closed. */
  watch(folders?: readonly string[], options?: WatchOptions): Promise<Watcher>;
  /** Takes folders out of the index, with their pictures; returns how many pictures left. */
  forget(folders: readonly string[]): Promise<number>;
  /**
   * The pictures that fit, best first.
   * @param query words, `+beach -people +2:golden retriever` (see `parseQuery`), or the parts of a query
   */
  search(query: string | SearchQuery, options?: SearchOptions): Promise<SearchAnswer>;
  /** Pictures that look like one of the index, which is not among them. */
  similar(id: string, options?: SearchOptions): Promise<SearchAnswer>;
  /**
   * Copies of one picture, in groups, largest first: files of the same bytes, or the same picture in another size,
   * compression or format. A picture is in one group at most, and a copy of all others in it.
   */
  duplicates(options?: DuplicateOptions): Promise<DuplicateGroup[]>;
  /** The words of a vocabulary that fit a picture, best first. */
  keywords(image: ImageSource | { id: string }, options?: KeywordOptions): Promise<Keyword[]>;
  /** What is known of a picture, or undefined where the id is none of this index. */
  picture(id: string): Promise<IndexedPicture | undefined>;
  /** Pictures without a query, newest first. */
  pictures(options?: BrowseOptions): Promise<{ pictures: IndexedPicture[]; total: number }>;
  /**
   * The bytes of a picture's file. Only files of the index are read, whatever the id says.
   * @throws EidosError `not_found` for an unknown id and for a file that is gone
   */
  readPicture(id: string): Promise<Uint8Array>;
  /**
   * The bytes of the path of a picture's file, which are those of `image` but where its name is no UTF-8.
   * @throws EidosError `not_found` for an unknown id
   */
  pathBytes(id: string): Promise<Uint8Array>;
  /** Files that look like pictures and could not be read. They are tried again when they change. */
  unreadable(): Promise<UnreadableFile[]>;
  close(): Promise<void>;
  /** The same, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface IndexInfo {
  path: string;
  pictures: number;
  unreadable: number;
  /** The folders that `sync` keeps in the index. */
  folders: string[];
  model: {
    /** As it was named: a hub id, a folder, or the bundled model's name. */
    name: string;
    fingerprint: string;
    embeddingSize: number;
  };
  /** Of the table of pictures; rises with every change of them, and begins anew with another model. */
  version: number;
  /** On disk, copies for speed included; undefined where the store does not lie in a folder. */
  bytes?: number;
  /** When the index last changed, ISO 8601. */
  changedAt?: string;
}

export interface SyncOptions {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: SyncProgress) => void) | undefined;
  /** Patterns of paths, relative to each folder, that are left out: `drafts`, `**` + `/thumbnails/**`. */
  exclude?: readonly string[] | undefined;
  /** Whether files and folders whose names begin with a dot are looked at. @default false */
  hidden?: boolean | undefined;
  /** Whether symbolic links to folders are followed; loops end by themselves. @default false */
  followLinks?: boolean | undefined;
  /** Embeds every picture again with this model; until that is done the index answers with the former one. */
  model?: string | undefined;
  /** Pictures of one run of the network. @default 16 */
  batchSize?: number | undefined;
  /** Pictures that are put into the store together, at most; after ten seconds it is done with fewer. @default 512 */
  commitEvery?: number | undefined;
}

export interface SyncProgress {
  /** `scan` counts files found, `embed` pictures of `total`, `finish` puts the store in order. */
  stage: 'scan' | 'embed' | 'finish';
  done: number;
  total: number;
}

export interface SyncReport {
  added: number;
  changed: number;
  moved: number;
  removed: number;
  unchanged: number;
  /** All that cannot be read at present, those of former runs too, and folders that may not be looked into. */
  unreadable: UnreadableFile[];
  /** Files in the folders whose formats are not read, by what the format is called: `{ HEIC: 400, MP4: 12 }`. */
  notRead: UnreadFormats;
  /** In the index now. */
  pictures: number;
  /** Wall time of all, and the part of it in which the network had nothing to do. */
  seconds: number;
  secondsOutsideNetwork: number;
}

export interface WatchOptions extends SyncOptions {
  /** Told of every sync that changed something. */
  onSync?: ((report: SyncReport) => void) | undefined;
  /** Told of a sync that failed; watching goes on. */
  onError?: ((error: EidosError) => void) | undefined;
  /** Milliseconds without a change before a sync begins. @default 1000 */
  settle?: number | undefined;
}

export interface Watcher {
  /** Stops watching, after a sync that has begun. */
  close(): Promise<void>;
  /** The same, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A query is the sum of its parts; at least one of them has a positive weight. */
export interface SearchQuery {
  text?: string | undefined;
  image?: ImageSource | undefined;
  parts?: readonly QueryPart[] | undefined;
}

export type QueryPart =
  | { text: string; weight?: number | undefined }
  | { image: ImageSource; weight?: number | undefined }
  /** A picture of the index. */
  | { id: string; weight?: number | undefined };

export interface SearchOptions {
  /** Hits of a page. @default 10 */
  topK?: number | undefined;
  /** Hits passed over: `topK` times the pages before. @default 0 */
  offset?: number | undefined;
  filters?: Filters | undefined;
  /**
   * The smallest probability of a hit, or false for the nearest pictures however little they fit.
   * @default the one that the model's calibration advises
   */
  cutOff?: number | false | undefined;
  /**
   * Lets file names and captions count, by the store's full-text index: pictures whose words match rank with
   * those whose looks match. @default false
   */
  hybrid?: boolean | undefined;
  /**
   * Shows copies of one picture as one hit, the best of them, with the others in `copies`: the same bytes, or the same
   * picture in another size, compression or format. What only looks alike stays apart. @default false
   */
  collapse?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

/** All that are given must hold. Probabilities do not change with filters. */
export interface Filters {
  /** A folder, or a pattern with * and **, of paths. */
  path?: string | undefined;
  /** Taken (or, where the camera did not note it, changed) at or after, at or before: 2024, 2024-05, 2024-05-31, ISO 8601. */
  after?: string | undefined;
  before?: string | undefined;
  /** Pixels. */
  minWidth?: number | undefined;
  maxWidth?: number | undefined;
  minHeight?: number | undefined;
  maxHeight?: number | undefined;
  /** Bytes of the file. */
  minBytes?: number | undefined;
  maxBytes?: number | undefined;
  orientation?: Orientation | undefined;
  /** A part of the camera's make and model, capitals or not. */
  camera?: string | undefined;
}

export type Orientation = 'landscape' | 'portrait' | 'square';

/** What is known of a picture. */
export interface IndexedPicture {
  /** Stays the same as long as the picture is in the index, wherever its file moves. */
  id: string;
  /** The path of its file; bytes that are no UTF-8 are shown as \xE9. */
  image: string;
  bytes: number;
  /** Pixels, after turning by the camera's note. */
  width: number;
  height: number;
  orientation: Orientation;
  /** Of the file, ISO 8601. */
  modifiedAt: string;
  /** Local time of the camera, ISO 8601 without a zone. */
  takenAt?: string;
  camera?: string;
  /** The description that the file carries. */
  caption?: string;
}

export interface SearchHit extends IndexedPicture {
  similarity: Cosine;
  /** 1 for copies of the picture that is looked for. */
  probability: RelevanceProbability;
  /** The other copies of the picture that pass the filters, where they were collapsed and there are some. */
  copies?: IndexedPicture[];
}

export interface SearchAnswer {
  /** Best first. */
  hits: SearchHit[];
  /** Hits that can be paged through: those that pass filters and cut-off. */
  total: number;
  /** Whether no picture of the index reaches the advised probability (or the `cutOff` given). */
  nothingFits: boolean;
  /** The smallest probability of a hit that was used, 0 for `cutOff: false`. */
  cutOff: RelevanceProbability;
}

export interface DuplicateOptions {
  /** The smallest cosine of two copies, beside what their pixels say; files of the same bytes have 1. @default any */
  similarity?: Cosine | undefined;
  filters?: Filters | undefined;
  signal?: AbortSignal | undefined;
}

export interface DuplicateGroup {
  /** The cosine of the two that are least alike, of all in the group. */
  similarity: Cosine;
  /** Largest file first. */
  pictures: IndexedPicture[];
}

export interface BrowseOptions {
  /** @default 100 */
  limit?: number | undefined;
  /** @default 0 */
  offset?: number | undefined;
  filters?: Filters | undefined;
}

export interface UnreadableFile {
  image: string;
  error: { code: ErrorCode; message: string };
}
