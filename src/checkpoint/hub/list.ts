/** What the hub's cache on this machine holds. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { modelCache } from './cache.ts';
import { isComplete } from './choose.ts';
import { hubSettings } from './settings.ts';

export interface CachedModel {
  /** `owner/name`, as it is asked for. */
  id: string;
  folder: string;
  bytes: number;
}

const folderName = /^models--([^/]+?)--(.+)$/;

/** Models whose weights are there in full, by the branch `main`; sorted by name. */
export async function listCachedModels(hubCache: string = hubSettings({}).hubCache): Promise<CachedModel[]> {
  const found: CachedModel[] = [];
  for (const name of (await readdir(hubCache).catch(() => [])).sort()) {
    const [, owner, model] = folderName.exec(name) ?? [];
    if (owner === undefined || model === undefined) continue;
    const id = `${owner}/${model}`;
    const cache = modelCache(hubCache, id);
    const commit = await cache.commit('main');
    if (commit === undefined) continue;
    const files = await cache.files(commit);
    if (!isComplete(files)) continue;
    const folder = cache.snapshot(commit);
    const sizes = await Promise.all(files.map(async (file) => (await stat(join(folder, file))).size));
    found.push({ id, folder, bytes: sizes.reduce((sum, size) => sum + size, 0) });
  }
  return found;
}
