/** Opens an index: the store behind it, the copy that answers, the model, and what they do together. */
import { resolve } from 'node:path';
import type { Clip } from '../../clip/clip.ts';
import { EidosError } from '../../errors.ts';
import { createCurrent } from './current.ts';
import { findDuplicates } from './duplicates.ts';
import { findKeywords } from './keywords.ts';
import { createModels, requireSameModel } from './models.ts';
import { embedQuery, partsOf } from './query/embed.ts';
import { answer, browse, indexedPicture } from './query/search.ts';
import { relevanceOf } from './relevance/calibration.ts';
import { folderBytes, readIndexedFile } from './store/files.ts';
import { holdsIndex, localFolder } from './store/store.ts';
import type { IndexInfo, OpenIndexOptions, SearchIndex, SearchOptions, SearchQuery } from './types.ts';
import { createUpkeep } from './upkeep.ts';

/** Up to so many pictures exact search is fast enough, and fits into memory. */
const defaultExactUpTo = 1_000_000;

/** Pictures whose names or captions have the words, that are looked at for a hybrid answer. */
const mostWordMatches = 1000;

/**
 * @param path a folder, `s3://bucket/…`, or `db://…`
 * @throws EidosError `not_found` where there is no index and `create` is not set; `invalid_index`; `not_installed`
 */
export async function openIndex(path: string, options: OpenIndexOptions = {}): Promise<SearchIndex> {
  const folder = localFolder(path);
  if (folder !== undefined && !options.create && !(await holdsIndex(folder))) throw noIndex(path);
  const current = createCurrent(path, options);
  if (folder === undefined && !options.create && (await (await current.store()).about()) === undefined) {
    await current.close();
    throw noIndex(path);
  }
  const models = createModels(options, async () => (await current.about())?.model.name);
  const upkeep = createUpkeep({ path, current, models, options });
  let isClosed = false;
  const open = () => {
    if (isClosed) throw new EidosError('closed', `The index ${path} has been closed.`);
  };

  /** The model, if it is the one that the index was made with. */
  async function matchingClip(): Promise<Clip> {
    const [clip, about] = await Promise.all([models.clip(), current.about()]);
    if (about !== undefined) requireSameModel(path, clip, about.model);
    return clip;
  }

  async function vectorOf(id: string): Promise<Float32Array> {
    const { scorer, rowOf } = await current.answering();
    const row = rowOf(id);
    if (row === undefined) throw unknownId(path, id);
    return scorer.vector(row);
  }

  async function find(query: SearchQuery | string, settings: SearchOptions, leftOutId?: string) {
    open();
    checkNames(settings);
    const parts = partsOf(query);
    // The model is opened while the copy is read; a query of indexed pictures alone needs none.
    const needsModel = parts.some((part) => !('id' in part));
    const clip = needsModel ? matchingClip() : undefined;
    clip?.catch(() => {});
    const { vector, kind, words } = await embedQuery(parts, () => clip!, vectorOf, settings.signal);
    const { snapshot, scorer, rowOf } = await current.answering();
    const calibration = await models.calibration(snapshot.about.model);
    const scores =
      snapshot.count > (options.exactUpTo ?? defaultExactUpTo)
        ? await current.nearestScores(vector, (settings.offset ?? 0) + (settings.topK ?? 10))
        : (await scorer.score({ data: vector, shape: [1, vector.length] })).data;
    const wordRows =
      settings.hybrid && words !== ''
        ? (await current.matchWords(words, mostWordMatches)).flatMap((id) => rowOf(id) ?? [])
        : undefined;
    for (const row of wordRows ?? []) {
      // Beyond exact search only the nearest have a score, and what the words found may be others.
      if (Number.isNaN(scores[row]!)) scores[row] = product(vector, await scorer.vector(row));
    }
    const background = calibration.background ?? snapshot.moments;
    return answer(
      {
        snapshot,
        scores,
        relevance: relevanceOf(vector, kind, calibration, background),
        leftOut: leftOutId === undefined ? undefined : rowOf(leftOutId),
        wordRows,
      },
      settings,
    );
  }

  return {
    path,
    search: (query, settings = {}) => find(query, settings),
    similar: (id, settings = {}) => find({ parts: [{ id }] }, settings, id),

    async sync(folders, settings) {
      open();
      return upkeep.sync(folders, settings);
    },
    async watch(folders, settings) {
      open();
      return upkeep.watch(folders, settings);
    },
    async forget(folders) {
      open();
      return upkeep.forget(folders);
    },

    async info(): Promise<IndexInfo> {
      open();
      if ((await current.about()) === undefined) await upkeep.aboutOrBegin();
      const { snapshot } = await current.answering();
      const { about } = snapshot;
      const bytes = folder === undefined ? undefined : await folderBytes(folder);
      return {
        path,
        pictures: snapshot.count,
        unreadable: snapshot.unreadable,
        folders: about.folders.map((indexed) => indexed.path),
        model: about.model,
        version: await current.version(),
        ...(bytes === undefined ? {} : { bytes }),
        ...(about.changedAt === undefined ? {} : { changedAt: about.changedAt }),
      };
    },

    async duplicates(settings = {}) {
      open();
      const { snapshot, scorer } = await current.answering();
      return findDuplicates(snapshot, scorer, settings);
    },

    async keywords(image, settings = {}) {
      open();
      if (typeof image === 'object' && 'id' in image) {
        const vector = await vectorOf(image.id);
        return findKeywords(await matchingClip(), { data: vector, shape: [1, vector.length] }, settings);
      }
      const clip = await matchingClip();
      return findKeywords(clip, await clip.embedImages(image), settings);
    },

    async picture(id) {
      open();
      const { snapshot, rowOf } = await current.answering();
      const row = rowOf(id);
      return row === undefined ? undefined : indexedPicture(snapshot, row);
    },

    async pictures(settings = {}) {
      open();
      return browse((await current.answering()).snapshot, settings);
    },

    async readPicture(id) {
      open();
      const { snapshot, rowOf } = await current.answering();
      const row = rowOf(id);
      if (row === undefined) throw unknownId(path, id);
      return readIndexedFile(snapshot.paths.get(row), snapshot.raws.get(row));
    },

    async unreadable() {
      open();
      return current.unreadable();
    },

    async close() {
      if (isClosed) return;
      isClosed = true;
      await upkeep.close();
      await current.close();
      await models.close();
    },
  };
}

const settingNames = new Set(['topK', 'offset', 'filters', 'cutOff', 'hybrid', 'signal']);

function checkNames(settings: SearchOptions): void {
  for (const name of Object.keys(settings)) {
    if (settingNames.has(name)) continue;
    throw new EidosError(
      'invalid_option',
      `A search has no option "${name}": there are ${[...settingNames].join(', ')}.`,
    );
  }
}

function product(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

function unknownId(path: string, id: string): EidosError {
  return new EidosError('not_found', `The index ${path} has no picture with the id "${id}".`);
}

function noIndex(path: string): EidosError {
  const place = resolve('.eidos-index') === localFolder(path) ? '' : ` --index ${path}`;
  return new EidosError(
    'not_found',
    `There is no index at ${path}: \`eidos index FOLDER${place}\` makes one.`,
  );
}
