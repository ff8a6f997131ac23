/** `eidos/client`: the server's answers, typed, in browsers and in Node. */
import { EidosError } from '../errors.ts';
import type {
  BrowseAnswer,
  ClassifyAnswer,
  ClassifyRequest,
  EmbeddingsAnswer,
  IndexAnswer,
  KeywordsAnswer,
  ModelsAnswer,
  Picture,
  Problem,
  ReadyAnswer,
  SearchAnswer,
  SearchFilters,
  SearchRequest,
  SyncProgress,
  SyncReport,
  ThumbnailSize,
} from '../server/schemas.ts';
import { readEvents } from './events.ts';
import { type ClientOptions, createRequests, type RequestOptions, ServerError } from './requests.ts';

export { EidosError, type ErrorCode } from '../errors.ts';
export type {
  BrowseAnswer,
  ClassifyAnswer,
  Hit,
  IndexAnswer,
  KeywordsAnswer,
  ModelsAnswer,
  Picture,
  Problem,
  ReadyAnswer,
  SearchAnswer,
  SearchFilters,
  SearchRequest,
  SyncProgress,
  SyncReport,
  ThumbnailSize,
} from '../server/schemas.ts';
export { type ClientOptions, type RequestOptions, ServerError } from './requests.ts';

export interface ClassifyInput extends RequestOptions {
  /** Files, or strings: data URIs, and URLs where the server allows them. One kind in a request. */
  images: readonly Blob[] | readonly string[];
  labels: readonly string[];
  /** Sentences with {} for the label, or the name of a published set. @default labels as they are */
  templates?: ClassifyRequest['templates'];
  /** How many labels a picture gets. @default all */
  topK?: number | undefined;
}

export interface PageOptions extends RequestOptions {
  topK?: number | undefined;
  offset?: number | undefined;
  filters?: SearchFilters | undefined;
}

export interface SyncOptions extends RequestOptions {
  onProgress?: ((progress: SyncProgress) => void) | undefined;
}

/** Every call throws `ServerError` for a problem and EidosError `server_failed` where nobody answers. */
export interface EidosClient {
  /** Texts, and pictures as data URIs → unit vectors, in the order of the inputs. */
  embed(inputs: readonly string[], options?: RequestOptions): Promise<Float32Array[]>;
  classify(input: ClassifyInput): Promise<ClassifyAnswer>;
  search(request: SearchRequest, options?: RequestOptions): Promise<SearchAnswer>;
  /** Pictures without a query, newest first. */
  pictures(options?: PageOptions): Promise<BrowseAnswer>;
  picture(id: string, options?: RequestOptions): Promise<Picture>;
  /** Pictures that look like one of the index. */
  similar(
    id: string,
    options?: PageOptions & { cutOff?: number | false; collapse?: boolean },
  ): Promise<SearchAnswer>;
  /** Words that fit a picture of the index. */
  keywords(
    id: string,
    options?: RequestOptions & { topK?: number; language?: 'en' | 'de' },
  ): Promise<KeywordsAnswer>;
  /** For `src`: the picture with `size` pixels on its longer side. */
  thumbnailUrl(id: string, size?: ThumbnailSize): string;
  /** For `href`: the file as it is. */
  fileUrl(id: string): string;
  index(options?: RequestOptions): Promise<IndexAnswer>;
  /** Brings the index to the state of its folders; joins a synchronisation that is under way. */
  sync(options?: SyncOptions): Promise<SyncReport>;
  models(options?: RequestOptions): Promise<ModelsAnswer>;
  /** Whether the server can answer; `not ready` is an answer, no error. */
  ready(options?: RequestOptions): Promise<ReadyAnswer>;
  /** Gives this browser a cookie in place of the key, so that pictures can be shown by their URLs. */
  signIn(apiKey: string, options?: RequestOptions): Promise<void>;
}

/** @throws EidosError `invalid_option` for a base URL that is none */
export function createClient(options: ClientOptions): EidosClient {
  const { url, get, post, send, sendAny } = createRequests(options);
  const pictureUrl = (id: string, part = '') => `v1/pictures/${encodeURIComponent(id)}${part}`;

  return {
    async embed(inputs, request) {
      const body = { input: inputs, encoding_format: 'base64' };
      const { data } = await post<EmbeddingsAnswer>('v1/embeddings', body, request);
      return data.map(({ embedding }) =>
        typeof embedding === 'string' ? floatsOf(embedding) : Float32Array.from(embedding),
      );
    },

    classify({ images, labels, templates, topK, ...request }) {
      const [first] = images;
      if (typeof first === 'string' || first === undefined) {
        return post('v1/classify', { images, labels, templates, topK }, request);
      }
      const form = new FormData();
      for (const image of images as readonly Blob[]) form.append('image', image);
      for (const label of labels) form.append('label', label);
      if (typeof templates === 'string') form.append('templates', templates);
      else for (const template of templates ?? []) form.append('template', template);
      if (topK !== undefined) form.append('topK', String(topK));
      return post('v1/classify', form, request);
    },

    search: (query, request) => post('v1/search', query, request),
    pictures: ({ filters, signal, ...page } = {}) => get('v1/pictures', { ...page, ...filters }, { signal }),
    picture: (id, request) => get(pictureUrl(id), {}, request),
    similar: (id, { filters, signal, ...page } = {}) =>
      get(pictureUrl(id, '/similar'), { ...page, ...filters }, { signal }),
    keywords: (id, { signal, ...parameters } = {}) =>
      get(pictureUrl(id, '/keywords'), parameters, { signal }),
    thumbnailUrl: (id, size = '320') => url(pictureUrl(id, '/thumbnail'), { size }),
    fileUrl: (id) => url(pictureUrl(id, '/file')),
    index: (request) => get('v1/index', {}, request),

    async sync({ onProgress, ...request } = {}) {
      const { body } = await send('v1/index/sync', { method: 'POST' }, request);
      for await (const { name, data } of readEvents(body!)) {
        if (name === 'progress') onProgress?.(JSON.parse(data) as SyncProgress);
        if (name === 'done') return JSON.parse(data) as SyncReport;
        if (name === 'error') throw endedBy(JSON.parse(data) as Problem);
      }
      throw new EidosError('server_failed', 'The server left before the synchronisation had ended.');
    },

    models: (request) => get('v1/models', {}, request),
    async ready(request) {
      const response = await sendAny('readyz', {}, request);
      return (await response.json()) as ReadyAnswer;
    },
    async signIn(apiKey, request) {
      const headers = { 'content-type': 'application/json' };
      await send('v1/session', { method: 'POST', body: JSON.stringify({ apiKey }), headers }, request);
    },
  };
}

function endedBy(problem: Problem): ServerError {
  return new ServerError(problem, problem.status);
}

/** float32 numbers, little end first, from their base64. */
function floatsOf(base64: string): Float32Array {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
}
