/** An index of a few pictures in memory, for what the server does with one. */
import { EidosError } from '../../src/errors.ts';
import type {
  IndexedPicture,
  SearchAnswer,
  SearchIndex,
  SearchOptions,
  SearchQuery,
  SyncOptions,
  SyncReport,
} from '../../src/tasks/search/types.ts';

export interface FakeIndex extends SearchIndex {
  /** What was asked, in order. */
  readonly asked: { query: string | SearchQuery; options: SearchOptions }[];
  /** Ends the synchronisation under way, or fails it. */
  endSync(error?: Error): void;
  /** Tells its listeners. */
  tell: NonNullable<SyncOptions['onProgress']>;
  /** The folders that were named for the last one. */
  readonly folders: readonly string[] | undefined;
  /** How often one was begun. */
  readonly syncs: number;
}

const nothing: SyncReport = {
  added: 1,
  changed: 0,
  moved: 0,
  removed: 0,
  unchanged: 2,
  unreadable: [{ image: '/photos/torn.jpg', error: { code: 'invalid_image', message: 'torn' } }],
  notRead: { HEIC: 2 },
  pictures: 3,
  seconds: 1.5,
  secondsOutsideNetwork: 0.5,
};

/** @param files bytes by the picture's id */
export function createFakeIndex(files: Readonly<Record<string, Uint8Array>>): FakeIndex {
  const pictures = Object.entries(files).map(
    ([id, { length }], i): IndexedPicture => ({
      id,
      image: `/photos/schöne "${id}".png`,
      bytes: length,
      width: 40,
      height: 40,
      orientation: 'square',
      modifiedAt: `2024-0${i + 1}-01T00:00:00.000Z`,
    }),
  );
  const asked: FakeIndex['asked'] = [];
  let sync: { settings: SyncOptions; end: (error?: Error) => void } | undefined;
  let syncs = 0;
  let folders: readonly string[] | undefined;
  const answer = ({ topK = 10, offset = 0 }: SearchOptions): SearchAnswer => ({
    hits: pictures
      .slice(offset, offset + topK)
      .map((known) => ({ ...known, similarity: 0.3, probability: 0.9 })),
    total: pictures.length,
    nothingFits: false,
    cutOff: 0.05,
  });
  return {
    path: '/photos/.eidos-index',
    asked,
    get syncs() {
      return syncs;
    },
    endSync: (error) => sync?.end(error),
    tell: (progress) => sync?.settings.onProgress?.(progress),
    info: async () => ({
      path: '/photos/.eidos-index',
      pictures: pictures.length,
      unreadable: 1,
      folders: ['/photos'],
      model: { name: 'tiny', fingerprint: 'f', embeddingSize: 32 },
      version: 4,
    }),
    get folders() {
      return folders;
    },
    sync: (named, settings = {}) =>
      new Promise((resolve, reject) => {
        syncs += 1;
        folders = named;
        sync = { settings, end: (error) => (error === undefined ? resolve(nothing) : reject(error)) };
        settings.signal?.addEventListener('abort', () => reject(new EidosError('aborted', 'Stopped.')));
      }),
    watch: async () => ({ close: async () => {}, [Symbol.asyncDispose]: async () => {} }),
    forget: async () => 0,
    async search(query, options = {}) {
      asked.push({ query, options });
      return answer(options);
    },
    async similar(id, options = {}) {
      asked.push({ query: { parts: [{ id }] }, options });
      return answer(options);
    },
    duplicates: async () => [],
    keywords: async () => [{ keyword: 'square', similarity: 0.3, probability: 0.8 }],
    picture: async (id) => pictures.find((known) => known.id === id),
    pictures: async ({ limit = 100, offset = 0 } = {}) => ({
      pictures: pictures.slice(offset, offset + limit),
      total: pictures.length,
    }),
    pathBytes: async (id) => Buffer.from(pictures.find((known) => known.id === id)!.image),
    readPicture: async (id) => files[id]!,
    unreadable: async () => nothing.unreadable,
    close: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}
