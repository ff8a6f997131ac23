/** From a model's name to a folder or file on this machine, fetched from the hub where it is not there yet. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EidosError } from '../../errors.ts';
import { shardNames } from '../formats/sharded.ts';
import { type ModelCache, modelCache } from './cache.ts';
import { chooseFiles, chooseTokenizerFiles, hasTokenizer, isComplete } from './choose.ts';
import { download, type HubFile } from './download.ts';
import { describe, hubFetch } from './requests.ts';
import { type HubOptions, type HubSettings, hubSettings } from './settings.ts';
import { parseSource } from './source.ts';

/** Files of a repository that are looked at; models have some dozens. */
const listingLimit = 10_000;

/**
 * A local path for a model: `source` itself if it is a file or folder, else the snapshot folder of the hub's model
 * `owner/name`, `owner/name@revision` or `hf-hub:owner/name` in the cache that Hugging Face's tools share. The hub is
 * asked only if the cache lacks something.
 * @throws EidosError `not_found`, `offline`, `download_failed` (also for gated models), `checksum_mismatch`, `aborted`,
 * or `unsupported_checkpoint` where a model has no weights that eidos reads.
 */
export async function resolveModel(source: string, options: HubOptions = {}): Promise<string> {
  const parsed = parseSource(source);
  if (parsed.kind === 'local') return parsed.path;
  const { settings, revision, cache } = repository(parsed.id, options, parsed.revision);
  const cached = await cachedSnapshot(cache, revision);
  if (settings.offline) return cached?.usable ? cached.folder : refuseOffline(parsed.id, revision, settings);
  if (cached?.complete && options.refresh !== true) return cached.folder;
  try {
    return await fetchModel(parsed.id, revision, cache, settings, options);
  } catch (error) {
    // A hub that cannot be reached is no reason to fail where an earlier snapshot will do.
    const unreachable =
      error instanceof EidosError && error.code === 'download_failed' && error.cause !== undefined;
    if (unreachable && cached?.usable) return cached.folder;
    throw error instanceof EidosError ? error : cacheError(error, settings);
  }
}

/**
 * The folder of the tokenizer files of a model of the hub, without its weights; from the cache where it has them.
 * @throws EidosError as resolveModel does
 */
export async function resolveTokenizer(id: string, options: HubOptions = {}): Promise<string> {
  const { settings, revision, cache } = repository(id, options);
  const commit = await cache.commit(revision);
  if (commit !== undefined && hasTokenizer(await cache.files(commit))) return cache.snapshot(commit);
  if (settings.offline) return refuseOffline(id, revision, settings);
  try {
    const listing = await openListing(id, revision, settings, options);
    await fileFetcher({ id, revision, cache, settings, options, ...listing })(
      chooseTokenizerFiles([...listing.listed.keys()]),
    );
    await cache.setCommit(revision, listing.commit);
    return cache.snapshot(listing.commit);
  } catch (error) {
    throw error instanceof EidosError ? error : cacheError(error, settings);
  }
}

function repository(
  id: string,
  options: HubOptions,
  revision = 'main',
): { settings: HubSettings; revision: string; cache: ModelCache } {
  const settings = hubSettings(options);
  const wanted = options.revision ?? revision;
  if (!/^[\w][\w./-]*$/.test(wanted) || wanted.includes('..')) {
    throw new EidosError('invalid_option', `'${wanted}' is no branch, tag or commit.`);
  }
  return { settings, revision: wanted, cache: modelCache(settings.hubCache, id) };
}

interface CachedSnapshot {
  folder: string;
  /** Weights and all their shards are there. */
  usable: boolean;
  /** And so is what usually comes with them. */
  complete: boolean;
}

async function cachedSnapshot(cache: ModelCache, revision: string): Promise<CachedSnapshot | undefined> {
  const commit = await cache.commit(revision);
  if (commit === undefined) return undefined;
  const folder = cache.snapshot(commit);
  const names = await cache.files(commit);
  const { weights } = chooseFiles(names);
  if (weights === undefined) return undefined;
  const shards = weights.endsWith('.index.json') ? await shardNames(join(folder, weights)) : [];
  const usable = shards.every((shard) => names.includes(shard));
  return { folder, usable, complete: usable && isComplete(names) };
}

async function fetchModel(
  id: string,
  revision: string,
  cache: ModelCache,
  settings: HubSettings,
  options: HubOptions,
): Promise<string> {
  const { commit, listed } = await openListing(id, revision, settings, options);
  const { described, weights, candidates } = chooseFiles([...listed.keys()]);
  if (weights === undefined) {
    throw new EidosError(
      'unsupported_checkpoint',
      candidates.length === 0
        ? `${id} holds no weights that eidos reads (safetensors or PyTorch's); see ${settings.endpoint}/${id}.`
        : `${id} holds several weight files under unusual names (${candidates.slice(0, 5).join(', ')}); download one and give its path.`,
    );
  }
  const fetchFiles = fileFetcher({ id, revision, commit, cache, settings, options, listed });
  await fetchFiles([...described, weights]);
  if (weights.endsWith('.index.json'))
    await fetchFiles(await shardNames(join(cache.snapshot(commit), weights)));
  await cache.setCommit(revision, commit);
  return cache.snapshot(commit);
}

/** The commit that a revision stands for, and the files that it has. */
async function openListing(
  id: string,
  revision: string,
  settings: HubSettings,
  options: HubOptions,
): Promise<{ commit: string; listed: Map<string, HubFile> }> {
  const { listFiles, modelInfo } = await import('@huggingface/hub');
  const asked = { id, revision };
  const hub = { hubUrl: settings.endpoint, fetch: hubFetch(settings, asked, options.signal) };
  const { sha: commit } = await answered(settings, describe(asked), () =>
    modelInfo({ name: id, revision, additionalFields: ['sha'], ...hub }),
  );
  if (typeof commit !== 'string' || !/^[0-9a-f]{40}$/.test(commit)) {
    throw new EidosError('download_failed', `${settings.endpoint} gave no commit for ${describe(asked)}.`);
  }
  const listed = new Map<string, HubFile>();
  await answered(settings, describe(asked), async () => {
    for await (const entry of listFiles({ repo: id, revision: commit, ...hub })) {
      const file = entry.type === 'file' ? hubFile(entry) : undefined;
      if (file !== undefined && listed.size < listingLimit) listed.set(file.name, file);
    }
  });
  return { commit, listed };
}

/** Fetches what is not in the cache, links it into the snapshot, and reports progress over all of it. */
function fileFetcher(context: {
  id: string;
  revision: string;
  commit: string;
  cache: ModelCache;
  settings: HubSettings;
  options: HubOptions;
  listed: ReadonlyMap<string, HubFile>;
}): (names: string[]) => Promise<void> {
  const { id, revision, commit, cache, settings, options, listed } = context;
  let finished = 0;
  let total = 0;
  return async (names) => {
    const missing: HubFile[] = [];
    for (const name of names) {
      const file = listed.get(name);
      if (file === undefined) {
        throw new EidosError(
          'not_found',
          `${id} lists the shard '${name}' in its index and does not hold it.`,
        );
      }
      if (existsSync(cache.blob(file.checksum))) await cache.link(commit, name, file.checksum);
      else missing.push(file);
    }
    total += missing.reduce((sum, { size }) => sum + size, 0);
    for (const file of missing) {
      const asked = { id, revision, file: file.name };
      await download({
        url: `${settings.endpoint}/${id}/resolve/${commit}/${encodeURIComponent(file.name)}`,
        file,
        target: cache.blob(file.checksum),
        fetch: hubFetch(settings, asked, options.signal),
        settings,
        asked,
        signal: options.signal,
        onBytes: (loadedBytes) =>
          options.onProgress?.({
            file: file.name,
            loadedBytes,
            totalBytes: file.size,
            overallLoadedBytes: finished + loadedBytes,
            overallTotalBytes: total,
          }),
      });
      finished += file.size;
      await cache.link(commit, file.name, file.checksum);
    }
  };
}

/** A listed file at the top of the repository, if its entry makes sense. */
function hubFile(entry: {
  path: string;
  size: number;
  oid?: string;
  lfs?: { oid: string; size: number };
}): HubFile | undefined {
  const checksum = entry.lfs?.oid ?? entry.oid ?? '';
  const algorithm = entry.lfs === undefined ? 'git' : 'sha256';
  const size = entry.lfs?.size ?? entry.size;
  const sound = algorithm === 'git' ? /^[0-9a-f]{40}$/ : /^[0-9a-f]{64}$/;
  if (!/^[\w][\w.-]*$/.test(entry.path) || !sound.test(checksum) || !Number.isSafeInteger(size) || size < 0)
    return undefined;
  return { name: entry.path, size, checksum, algorithm };
}

/** The hub's answers are parsed by its library, which throws anything where they are malformed. */
async function answered<T>(settings: HubSettings, what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    throw new EidosError(
      'download_failed',
      `${settings.endpoint} gave an answer about ${what} that makes no sense.`,
      { cause },
    );
  }
}

/** Whatever else fails is the disk. */
function cacheError(cause: unknown, { hubCache }: HubSettings): EidosError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new EidosError(
    'download_failed',
    `The cache ${hubCache} could not be written (${reason}); set HF_HUB_CACHE to a folder with space that may be written.`,
    { cause },
  );
}

function refuseOffline(id: string, revision: string, settings: HubSettings): never {
  throw new EidosError(
    'offline',
    `${id}@${revision} is not in the cache ${settings.hubCache}, and the network may not be used. Run once without the offline option (HF_HUB_OFFLINE), or give a local path.`,
  );
}
