/**
 * Decoded pictures in a file, one square of RGB bytes after the other, so that no epoch decodes again. Pictures are read
 * from it one by one: the system's file cache keeps what fits into memory.
 */
import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withLock } from '../../disk/lock.ts';
import { writeFailure } from '../../disk/write-failure.ts';
import { EidosError } from '../../errors.ts';
import type { SquareReader } from './pixels.ts';
import type { Source, SourcePicture } from './source.ts';

export interface PackOptions {
  /** Where packed pictures are kept. */
  folder: string;
  /** Side of the squares; tiles keep their own. */
  side: number;
  reader: SquareReader;
  signal?: AbortSignal | undefined;
  onProgress?: (done: number, total: number) => void;
}

/** What stands beside the squares. */
interface PackNotes {
  side: number;
  pictures: number;
  broken: { picture: number; reason: string }[];
}

/** Pictures that are read before they are written together. */
const pieceLength = 64;

/**
 * The source with its pictures packed: from the folder, or decoded now and kept there. Broken ones become `broken`.
 * The pack is known by names and places of the pictures; delete it where pictures change under the same names.
 * @throws EidosError `write_failed` where the folder takes no more, `invalid_option` where no picture is sound, `aborted`
 */
export async function packSource(source: Source, options: PackOptions): Promise<Source> {
  const first = source.pictures[0]!.place;
  const side = first.kind === 'tile' ? first.side : options.side;
  const path = join(options.folder, `${source.name}-${side}-${identityOf(source.pictures)}.u8`);
  const known = () => readNotes(path, side, source.pictures.length);
  const notes = (await known()) ?? (await pack(source, path, { ...options, side }, known));
  const brokenAt = new Map(notes.broken.map(({ picture, reason }) => [picture, reason]));
  const pictures: SourcePicture[] = [];
  const broken = [...source.broken];
  for (const [at, picture] of source.pictures.entries()) {
    const reason = brokenAt.get(at);
    if (reason !== undefined) broken.push({ name: picture.name, reason });
    else {
      // Larger than the square, the picture itself may still be wanted.
      const origin = picture.place.kind === 'tile' ? {} : { origin: picture.place };
      pictures.push({
        ...picture,
        ...origin,
        place: { kind: 'square', path, offset: at * side * side * 3, side },
      });
    }
  }
  if (pictures.length > 0) return { ...source, pictures, broken };
  throw new EidosError(
    'invalid_option',
    `No picture of the source "${source.name}" can be read, such as ${broken[0]!.name}: ${broken[0]!.reason}`,
  );
}

/** Names, and places in archives, as a short text that another set of pictures does not have. */
export function identityOf(pictures: readonly SourcePicture[]): string {
  const hash = createHash('sha256');
  for (const { name, origin, place } of pictures) {
    const own = origin ?? place;
    hash.update(`${name}\0${own.kind === 'part' ? `${own.offset}+${own.length}` : ''}\n`);
  }
  return hash.digest('hex').slice(0, 12);
}

async function readNotes(path: string, side: number, pictures: number): Promise<PackNotes | undefined> {
  const size = (await stat(path).catch(() => undefined))?.size;
  if (size !== pictures * side * side * 3) return undefined;
  const text = await readFile(`${path}.json`, 'utf8').catch(() => undefined);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as PackNotes);
  } catch {
    return undefined;
  }
}

async function pack(
  source: Source,
  path: string,
  options: PackOptions,
  known: () => Promise<PackNotes | undefined>,
): Promise<PackNotes> {
  try {
    await mkdir(options.folder, { recursive: true });
    // Another training may be packing the same pictures.
    return await withLock(
      `${path}.lock`,
      { signal: options.signal },
      async () => (await known()) ?? (await writePack(source, path, options)),
    );
  } catch (cause) {
    throw writeFailure(
      cause,
      (reason) =>
        `Packed pictures of "${source.name}" cannot be kept in ${options.folder}: ${reason}. Name another folder as data.cache.`,
    );
  }
}

async function writePack(
  { pictures }: Source,
  path: string,
  { side, reader, signal, onProgress }: PackOptions,
): Promise<PackNotes> {
  const broken: PackNotes['broken'] = [];
  const file = await open(`${path}.part`, 'w');
  try {
    for (let start = 0; start < pictures.length; start += pieceLength) {
      if (signal?.aborted) throw new EidosError('aborted', 'Packing pictures was aborted.');
      const piece = pictures.slice(start, start + pieceLength);
      const bytes = new Uint8Array(piece.length * side * side * 3);
      const read = async ({ place, name }: SourcePicture, at: number): Promise<void> => {
        try {
          bytes.set((await reader.read(place, name, side)).data, at * side * side * 3);
        } catch (error) {
          if (!(error instanceof EidosError)) throw error;
          broken.push({ picture: start + at, reason: error.message });
        }
      };
      await Promise.all(piece.map(read));
      // A single write may take a part only, as where the disk is nearly full.
      await file.appendFile(bytes);
      onProgress?.(start + piece.length, pictures.length);
    }
  } catch (error) {
    // The next time begins anew, and half a pack may be gigabytes.
    await rm(`${path}.part`, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  const notes: PackNotes = { side, pictures: pictures.length, broken };
  await writeFile(`${path}.json`, `${JSON.stringify(notes)}\n`);
  await rename(`${path}.part`, path);
  return notes;
}
