/** Looks through folders for files that are named like pictures: names in any encoding, links, loops of links. */
import type { Dirent, Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { isText, textOfBytes } from '../../../disk/byte-names.ts';
import { EidosError } from '../../../errors.ts';
import { isNamedLikePicture } from '../../../image/paths.ts';
import type { IndexedFolder } from '../store/about.ts';

/** A file that was found. */
export interface FoundFile {
  /** As text; bytes that are no UTF-8 are written \xE9. */
  path: string;
  /** The path's bytes in base64 where they are no UTF-8. */
  raw: string | null;
  /** Bytes. */
  size: number;
  /** Milliseconds since 1970. */
  modified: number;
}

export interface ScanOptions {
  signal?: AbortSignal | undefined;
  /** Told how many files have been found so far. */
  onFound?: ((count: number) => void) | undefined;
  /** Told of a folder or file inside that is there and cannot be looked at: nothing is known of what is in it. */
  onLocked?: ((path: string) => void) | undefined;
  /** Told of the names of all other files, of which some are pictures in formats that are not read. */
  onOther?: ((name: string) => void) | undefined;
}

/** Files that are looked at together: enough to keep a disk busy. */
const together = 32;

/**
 * The pictures in the folders, each path once, however many folders and links lead to it.
 * @throws EidosError `not_found` for a folder that is not there or cannot be read; `aborted`
 */
export async function scanFolders(
  folders: readonly IndexedFolder[],
  options: ScanOptions = {},
): Promise<FoundFile[]> {
  const found = new Map<string, FoundFile>();
  for (const folder of folders) await scanFolder(folder, found, options);
  return [...found.values()];
}

/** Where the bytes of a path lie. */
export function pathBytes({ path, raw }: Pick<FoundFile, 'path' | 'raw'>): string | Buffer {
  return raw === null ? path : Buffer.from(raw, 'base64');
}

async function scanFolder(
  folder: IndexedFolder,
  found: Map<string, FoundFile>,
  { signal, onFound, onLocked, onOther }: ScanOptions,
): Promise<void> {
  const isExcluded = await excluder(folder.exclude);
  const root = Buffer.from(folder.path);
  const seen = new Set<string>(); // real paths of folders, which end loops of links
  const open: Buffer[] = [root];
  const files: Buffer[] = [];

  const enter = async (path: Buffer): Promise<void> => {
    const real = (await realpath(path, 'buffer').catch(() => path)).toString('latin1');
    if (seen.has(real)) return;
    seen.add(real);
    open.push(path);
  };
  seen.add((await realpath(root, 'buffer').catch(() => root)).toString('latin1'));

  /** What is gone in the meantime, or a link that leads nowhere, is undefined; so is what is locked. */
  const statusOf = (path: Buffer): Promise<Stats | undefined> =>
    stat(path).catch((cause: unknown) => {
      if (!isGone(cause)) onLocked?.(textOf(path).text);
      return undefined;
    });
  const list = async (path: Buffer): Promise<Dirent<Buffer>[]> => {
    try {
      const entries = await readdir(path, { withFileTypes: true, encoding: 'buffer' });
      return entries.sort((a, b) => Buffer.compare(a.name, b.name));
    } catch (cause) {
      if (path === root) throw unreadableFolder(folder.path, cause);
      if (!isGone(cause)) onLocked?.(textOf(path).text);
      return [];
    }
  };

  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (signal?.aborted) throw new EidosError('aborted', 'Looking for pictures was aborted.');
    for (const entry of await list(path)) {
      if (!folder.hidden && entry.name[0] === dot) continue;
      const inner = joinBytes(path, entry.name);
      const relative = textOf(inner.subarray(root.length)).text.replace(/^[/\\]/, '');
      if (isExcluded(relative)) continue;
      if (entry.isDirectory()) await enter(inner);
      else if (entry.isSymbolicLink()) {
        const target = await statusOf(inner);
        if (target?.isDirectory() && folder.followLinks) await enter(inner);
        else if (target?.isFile()) files.push(inner);
      } else if (entry.isFile()) files.push(inner);
    }
  }
  const pictures = files.filter((path) => {
    const { text } = textOf(path);
    const isPicture = isNamedLikePicture(text);
    if (!isPicture) onOther?.(text);
    return isPicture;
  });
  for (let start = 0; start < pictures.length; start += together) {
    const some = pictures.slice(start, start + together);
    const status = await Promise.all(some.map(statusOf));
    for (const [i, path] of some.entries()) keep(path, status[i]);
    onFound?.(found.size);
  }

  function keep(path: Buffer, status: Stats | undefined): void {
    if (status === undefined) return;
    const { text, raw } = textOf(path);
    found.set(text, { path: text, raw, size: status.size, modified: Math.floor(status.mtimeMs) });
  }
}

const dot = 0x2e;

function isGone(cause: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP'].includes((cause as NodeJS.ErrnoException).code ?? '');
}

function unreadableFolder(named: string, cause: unknown): EidosError {
  return new EidosError(
    'not_found',
    `The folder ${named} cannot be read: ${(cause as Error).message}. Nothing was removed; \`eidos index --forget ${named}\` takes its pictures out of the index.`,
    { cause },
  );
}

async function excluder(patterns: readonly string[]): Promise<(relative: string) => boolean> {
  if (patterns.length === 0) return () => false;
  const { pathMatcher } = await import('../patterns.ts');
  const matchers = patterns.map(pathMatcher);
  return (relative) => matchers.some((isMeant) => isMeant(relative));
}

function joinBytes(folder: Buffer, name: Buffer): Buffer {
  const slash = folder.at(-1) === 0x2f;
  return Buffer.concat(slash ? [folder, name] : [folder, Buffer.from('/'), name]);
}

/** A path's bytes as text that can be shown and stored. */
function textOf(bytes: Buffer): { text: string; raw: string | null } {
  return { text: textOfBytes(bytes), raw: isText(bytes) ? null : bytes.toString('base64') };
}
