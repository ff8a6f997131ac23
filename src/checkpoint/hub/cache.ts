/**
 * The cache that Hugging Face's tools share: per model `refs` (revision → commit), `blobs` (content by its checksum) and
 * `snapshots` (a folder a commit, of links into `blobs`).
 */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { placeWhole } from '../../disk/whole-file.ts';

export interface ModelCache {
  /** The commit that a revision stood for when it was last asked for; undefined if it never was. */
  commit(revision: string): Promise<string | undefined>;
  setCommit(revision: string, commit: string): Promise<void>;
  snapshot(commit: string): string;
  blob(checksum: string): string;
  /** Names of the files of a snapshot whose content is there. */
  files(commit: string): Promise<string[]>;
  /** Makes a blob visible as a file of a snapshot. */
  link(commit: string, name: string, checksum: string): Promise<void>;
}

const commitHash = /^[0-9a-f]{40}$/;

export function modelCache(hubCache: string, id: string): ModelCache {
  const root = join(hubCache, `models--${id.replace('/', '--')}`);
  const snapshot = (commit: string) => join(root, 'snapshots', commit);
  const blob = (checksum: string) => join(root, 'blobs', checksum);
  return {
    snapshot,
    blob,
    async commit(revision) {
      if (commitHash.test(revision)) return revision;
      try {
        const commit = (await readFile(join(root, 'refs', revision), 'utf8')).trim();
        return commitHash.test(commit) ? commit : undefined;
      } catch {
        return undefined; // Never asked for.
      }
    },
    async setCommit(revision, commit) {
      if (revision === commit) return;
      const path = join(root, 'refs', revision);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, commit);
    },
    async files(commit) {
      const folder = snapshot(commit);
      const names = await readdir(folder).catch(() => []);
      return names.filter((name) => existsSync(join(folder, name)));
    },
    async link(commit, name, checksum) {
      const path = join(snapshot(commit), name);
      if (existsSync(path)) return;
      await mkdir(dirname(path), { recursive: true });
      await placeWhole(path, async (temporary) => {
        try {
          await symlink(relative(dirname(path), blob(checksum)), temporary);
        } catch {
          // Windows allows links to administrators and developers only; Python's tools copy there, too.
          await copyFile(blob(checksum), temporary);
        }
      });
    },
  };
}
