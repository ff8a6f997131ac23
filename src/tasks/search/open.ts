/** Opens an index: the store behind it, the copy that answers, the model, and what they do together. */

import { findKeywords, type Keyword, type KeywordOptions } from '../../classifier/keywords.ts';
import { EidosError, requireKnownOptions } from '../../errors.ts';
import type { ImageSource } from '../../image/source.ts';
import { findDuplicates } from './duplicates/duplicates.ts';
import { infoOf } from './info.ts';
import { createModels } from './models.ts';
import type { IndexParts } from './parts.ts';
import { browse } from './query/browse.ts';
import { find, matchingClip } from './query/find.ts';
import { indexedPicture } from './query/picture.ts';
import { createCurrent } from './snapshot/current.ts';
import { presentAbout, unknownId, unreadableFiles, vectorOf } from './snapshot/questions.ts';
import { readIndexedFile } from './store/files.ts';
import { holdsIndex, holdsPictures } from './store/folder.ts';
import { createSource, type IndexSource } from './store/source.ts';
import type {
  DuplicateGroup,
  DuplicateOptions,
  IndexedPicture,
  OpenIndexOptions,
  SearchIndex,
  SearchOptions,
  SyncOptions,
} from './types.ts';
import { createUpkeep } from './upkeep/upkeep.ts';

/**
 * @param path a folder, `s3://bucket/…`, or `db://…`
 * @throws EidosError `not_found` where there is no index and `create` is not set; `invalid_index`; `not_installed`
 */
export async function openIndex(path: string, options: OpenIndexOptions = {}): Promise<SearchIndex> {
  const source = createSource(path, options.storageOptions);
  if (!options.create) await requireIndex(source);
  const current = createCurrent(source, options);
  const models = createModels(options, async () => (await presentAbout(source, current))?.model.name);
  const parts: IndexParts = { source, current, models, options };
  const upkeep = createUpkeep(parts);
  let isClosed = false;

  /** The same function, refused once the index is closed. */
  function whileOpen<Arguments extends unknown[], Answer>(
    ask: (...given: Arguments) => Promise<Answer>,
  ): (...given: Arguments) => Promise<Answer> {
    return async (...given) => {
      if (isClosed) throw new EidosError('closed', `The index ${path} has been closed.`);
      return ask(...given);
    };
  }

  return {
    path,
    info: whileOpen(() => infoOf(parts)),
    sync: whileOpen((folders, settings) => {
      requireKnownOptions<SyncOptions>('sync', settings, syncOptions);
      return upkeep.sync(folders, settings);
    }),
    watch: whileOpen(upkeep.watch),
    forget: whileOpen(upkeep.forget),
    search: whileOpen((query, settings = {}) => {
      requireKnownOptions<SearchOptions>('search', settings, searchOptions);
      return find(parts, query, settings);
    }),
    similar: whileOpen((id, settings = {}) => find(parts, { parts: [{ id }] }, settings, id)),
    duplicates: whileOpen((settings = {}) => duplicatesOf(parts, settings)),
    keywords: whileOpen((image, settings = {}) => keywordsOf(parts, image, settings)),
    picture: whileOpen((id) => pictureOf(parts, id)),
    pictures: whileOpen(async (settings = {}) => browse((await current.answering()).snapshot, settings)),
    readPicture: whileOpen((id) => readPicture(parts, id)),
    pathBytes: whileOpen((id) => pathBytesOf(parts, id)),
    unreadable: whileOpen(() => unreadableFiles(source)),
    async close() {
      if (isClosed) return;
      isClosed = true;
      await upkeep.close();
      await current.close();
      await source.close();
      await models.close();
    },
    [Symbol.asyncDispose](this: SearchIndex) {
      return this.close();
    },
  };
}

const syncOptions = {
  signal: true,
  onProgress: true,
  exclude: true,
  hidden: true,
  followLinks: true,
  model: true,
  batchSize: true,
  commitEvery: true,
} as const;

const searchOptions = {
  topK: true,
  offset: true,
  filters: true,
  cutOff: true,
  hybrid: true,
  collapse: true,
  signal: true,
} as const;

async function duplicatesOf({ current }: IndexParts, settings: DuplicateOptions): Promise<DuplicateGroup[]> {
  const { snapshot, scorer } = await current.answering();
  return findDuplicates(snapshot, scorer, settings);
}

async function keywordsOf(
  parts: IndexParts,
  image: ImageSource | { id: string },
  settings: KeywordOptions,
): Promise<Keyword[]> {
  if (typeof image === 'object' && 'id' in image) {
    const vector = await vectorOf(parts, image.id);
    return findKeywords(await matchingClip(parts), { data: vector, shape: [1, vector.length] }, settings);
  }
  const clip = await matchingClip(parts);
  return findKeywords(clip, await clip.embedImages(image), settings);
}

async function pictureOf({ current }: IndexParts, id: string): Promise<IndexedPicture | undefined> {
  const { snapshot, rowOf } = await current.answering();
  const row = rowOf(id);
  return row === undefined ? undefined : indexedPicture(snapshot, row);
}

async function readPicture({ source, current }: IndexParts, id: string): Promise<Uint8Array> {
  const { snapshot, rowOf } = await current.answering();
  const row = rowOf(id);
  if (row === undefined) throw unknownId(source, id);
  return readIndexedFile(snapshot.paths.get(row), snapshot.raws.get(row));
}

async function pathBytesOf({ source, current }: IndexParts, id: string): Promise<Uint8Array> {
  const { snapshot, rowOf } = await current.answering();
  const row = rowOf(id);
  if (row === undefined) throw unknownId(source, id);
  const raw = snapshot.raws.get(row);
  return raw === '' ? Buffer.from(snapshot.paths.get(row)) : Buffer.from(raw, 'base64');
}

/** In a folder it is told from the files in it, without loading LanceDB; elsewhere only the store can say. */
async function requireIndex(source: IndexSource): Promise<void> {
  const { path, folder } = source;
  if (folder !== undefined) {
    if (await holdsIndex(folder)) return;
    throw (await holdsPictures(folder)) ? withoutAbout(path) : noIndex(path);
  }
  if ((await (await source.store()).about()) !== undefined) return;
  await source.close();
  throw noIndex(path);
}

function withoutAbout(path: string): EidosError {
  return new EidosError(
    'invalid_index',
    `The index ${path} is damaged: its table \`about\` is gone. Bring it back from a copy, or make the index anew with \`eidos index FOLDER --index ${path}\`.`,
  );
}

function noIndex(path: string): EidosError {
  return new EidosError(
    'not_found',
    `There is no index at ${path}: \`eidos index FOLDER --index ${path}\` makes one.`,
  );
}
