/** Where eidos keeps on disk what it could make again. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What is kept, each in a folder of its own. */
export type CacheName = 'programs' | 'classes' | 'pictures' | 'features' | 'sentences';

/** `$XDG_CACHE_HOME/eidos/…`, by default in ~/.cache. */
export function defaultCacheFolder(name: CacheName): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'eidos', name);
}
