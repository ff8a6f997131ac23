/** From what people type (files, folders, patterns) to the pictures that are meant. */
import { type Dirent, readdir, readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { pathOfText, textOfBytes } from '../disk/byte-names.ts';
import { firstFound, isPattern } from '../disk/pattern-readings.ts';
import { EidosError } from '../errors.ts';
import { readableFormats } from './header.ts';
import { countUnread, describeUnread, type UnreadFormats, unreadExtensions } from './unread.ts';

/** Extensions by which folders are searched. What a file really is, its content says when it is read. */
export const pictureExtensions = [
  'jpg',
  'jpeg',
  'jpe',
  'jfif',
  'png',
  'webp',
  'gif',
  'avif',
  'tif',
  'tiff',
] as const;

export interface ExpandedPaths {
  /**
   * In the order of the patterns, and sorted within each. A file that is named twice is there twice. Names that look like
   * URLs begin with `./`; bytes of names that are no UTF-8 are written `\xE9`, as readSource takes them.
   */
  paths: string[];
  /** What led to nothing, and folders inside that cannot be looked into, each with an error `not_found`. */
  missing: { pattern: string; error: EidosError }[];
  /** Files in the folders whose formats are not read. */
  unread: UnreadFormats;
}

/**
 * Finds the pictures that are meant by files (taken as they are), folders (searched with all folders in them,
 * hidden ones left out, for files named like pictures), globs, and URLs (handed through). What is there by its name is
 * taken as it is, whatever signs are in it.
 */
export async function expandImagePaths(patterns: readonly string[]): Promise<ExpandedPaths> {
  const expanded: ExpandedPaths = { paths: [], missing: [], unread: {} };
  const unread: string[] = [];
  for (const pattern of patterns) {
    const locked: LockedFolder[] = [];
    const found = await expand(pattern, locked, unread);
    expanded.missing.push(
      ...locked.map(({ path, code }) => ({ pattern: path, error: unreadable(path, code) })),
    );
    if (found instanceof EidosError) {
      // Where a folder is locked, nobody knows that there is nothing.
      if (locked.length === 0) expanded.missing.push({ pattern, error: found });
    } else expanded.paths.push(...found);
  }
  return { ...expanded, unread: countUnread(unread) };
}

/** Files in folders, and in folders in them, whose formats are not read; what is no folder has none. */
export async function unreadBelow(folders: readonly string[]): Promise<UnreadFormats> {
  const names: string[] = [];
  for (const folder of folders) {
    const status = await stat(pathOfText(folder)).catch(() => undefined);
    if (status?.isDirectory()) names.push(...(await find(unreadFilesBelow, [], folder)));
  }
  return countUnread(names);
}

/**
 * The pictures of a folder and of all folders in it, sorted, for sets that are wanted whole; none where there is no such
 * folder.
 * @throws EidosError `not_found` where one of these folders cannot be looked into
 */
export async function picturesOfSet(folder: string): Promise<string[]> {
  const locked: LockedFolder[] = [];
  const found = await expand(folder, locked);
  const [first] = locked;
  if (first !== undefined) {
    throw notFound(
      `${first.path} cannot be looked into (${first.code}), and without its pictures ${folder} is not the whole set. Change its permissions.`,
    );
  }
  return found instanceof EidosError ? [] : found;
}

interface LockedFolder {
  path: string;
  code: string;
}

/** @param unread gets the files in a folder whose formats are not read */
async function expand(
  pattern: string,
  locked: LockedFolder[],
  unread: string[] = [],
): Promise<string[] | EidosError> {
  const status = await stat(pathOfText(pattern)).catch(() => undefined);
  if (status === undefined && looksLikeUrl(pattern)) return [pattern];
  if (status?.isDirectory()) {
    const files = await find(filesBelow, locked, pattern);
    const others = files.filter((file) => !isNamedLikePicture(file));
    const paths = files.filter(isNamedLikePicture).map((path) => asPath(join(pattern, path)));
    unread.push(...others);
    if (paths.length > 0) return paths;
    const what = describeUnread(countUnread(others));
    return notFound(
      what === undefined
        ? `${pattern} holds no pictures (${readableFormats}).`
        : `${pattern} holds ${what}, and no picture in one that is: ${readableFormats}.`,
    );
  }
  if (status) return [asPath(pattern)];
  const spoilt = spoiltName(pattern);
  if (spoilt !== undefined) return [spoilt];
  const glob = process.platform === 'win32' ? pattern.replaceAll('\\', '/') : pattern;
  if (!isPattern(glob)) return notFound(`${pattern}: there is no such file, folder or pattern.`);
  const paths = (await firstFound(glob, (reading, folder) => find(reading, locked, folder))).map(asPath);
  // A pattern that leaves the extension open means pictures; one that names it is taken at its word.
  const meant = /\*$/.test(glob) ? paths.filter(isNamedLikePicture) : paths;
  return meant.length > 0 ? meant : notFound(`${pattern} matches no pictures.`);
}

function looksLikeUrl(path: string): boolean {
  return /^(https?|data|file):/i.test(path);
}

/** A path that nothing takes for a URL. */
function asPath(path: string): string {
  return looksLikeUrl(path) ? `./${path}` : path;
}

/** The file that is meant by a name that is no UTF-8, whose bytes are lost on the way through a command line. */
function spoiltName(path: string): string | undefined {
  if (!path.includes('\uFFFD')) return undefined;
  const folder = dirname(path);
  try {
    const names = readdirSync(folder, { encoding: 'buffer' });
    const meant = names.filter((name) => name.toString('utf8') === basename(path));
    return meant.length === 1 ? asPath(join(folder, textOfBytes(meant[0]!))) : undefined;
  } catch {
    return undefined;
  }
}

const filesBelow = `**/*.{${[...pictureExtensions, ...unreadExtensions].join(',')}}`;
const unreadFilesBelow = `**/*.{${unreadExtensions.join(',')}}`;

async function find(glob: string, locked: LockedFolder[], folder = ''): Promise<string[]> {
  const { glob: search } = await import('tinyglobby');
  const onError = (path: string, { code = '' }: NodeJS.ErrnoException): void => {
    // What is gone in the meantime is no longer meant.
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(code)) return;
    locked.push({ path: isAbsolute(folder || glob) ? resolve(path) : relative('.', path) || '.', code });
  };
  const paths = await search(glob, {
    ...(folder === '' ? {} : { cwd: folder }),
    caseSensitiveMatch: false,
    absolute: isAbsolute(glob),
    expandDirectories: false,
    dot: false,
    fs: { readdir: tellingReaddir(onError) as typeof readdir },
  });
  return paths.sort();
}

type OnEntries = (error: NodeJS.ErrnoException | null, entries?: Dirent[]) => void;

/** The search passes over folders that it cannot read, and spoils names that are no UTF-8; this tells of both. */
function tellingReaddir(onError: (path: string, error: NodeJS.ErrnoException) => void) {
  return (path: string, options: { withFileTypes: true }, callback: OnEntries): void =>
    readdir(pathOfText(path), { ...options, encoding: 'buffer' }, (error, entries) => {
      if (error) onError(path, error);
      callback(
        error,
        entries?.map((entry) => Object.assign(entry, { name: textOfBytes(entry.name) }) as unknown as Dirent),
      );
    });
}

/** Whether the extension is that of a picture. */
export function isNamedLikePicture(path: string): boolean {
  const extension = /\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase();
  return (pictureExtensions as readonly (string | undefined)[]).includes(extension);
}

function unreadable(path: string, code: string): EidosError {
  return notFound(
    `${path} cannot be looked into (${code}): pictures in it are left out. Change its permissions.`,
  );
}

function notFound(message: string): EidosError {
  return new EidosError('not_found', message);
}
