/**
 * What a locked image tower has said of one view of a source's pictures, on disk: rows of half floats in the order in
 * which the pictures were measured, beside them who each row belongs to, and notes on the tower. Rows are found by their
 * picture, so that a source may grow, shrink and change its order.
 */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EidosError } from '../../../errors.ts';
import type { PicturePlace } from '../places.ts';
import type { SourcePicture } from '../source.ts';

/** Bytes of what a picture is known by. */
const keyBytes = 15;
/** A key, and whether the picture could be read. */
const entryBytes = keyBytes + 1;
const [sound, unreadable] = [0, 1];

/** What stands beside the rows, for people and against mistakes. */
export interface StoreNotes {
  format: 'eidos features 1';
  /** Hash of the tower's weights and of how it is shown pictures. */
  tower: string;
  /** Numbers a row. */
  width: number;
  /** Which view of each picture. */
  view: unknown;
}

/** The rows that are there. */
export interface StoredRows {
  /** `path` itself holds [rows, width] half floats, little-endian; `.keys` and `.json` beside it the rest. */
  path: string;
  width: number;
  /** The row of each picture by its key; −1 for one that could not be read. */
  places: Map<string, number>;
}

/**
 * What a picture is known by: its own name and size, whatever folder the source has been moved to and whatever else is
 * in it. Names have to differ within a source.
 */
export function pictureKey({
  name,
  origin,
  place,
}: Pick<SourcePicture, 'name' | 'origin' | 'place'>): string {
  return createHash('sha256')
    .update(identityOf(name, origin ?? place))
    .digest()
    .toString('latin1', 0, keyBytes);
}

function identityOf(name: string, place: PicturePlace): string {
  const shortPath = join(basename(dirname(place.path)), basename(place.path));
  switch (place.kind) {
    case 'file':
      return `${shortPath}\0${statSync(place.path, { throwIfNoEntry: false })?.size}`;
    case 'part':
      // Members are called by their name in the archive and the folder of that.
      return `${name.replaceAll(dirname(place.path), '')}\0${place.length}`;
    case 'tile':
      return `${shortPath}\0${place.tile}`;
    case 'square':
      // A tile that was packed, "SHEET#TILE in FOLDER".
      return name.slice(0, name.lastIndexOf(' in '));
  }
}

/**
 * Looks up what is there; nothing is changed, so that another process may be appending.
 * @throws EidosError `config_mismatch` where the file is of another tower, `not_found` where it cannot be read
 */
export async function readStore(path: string, notes: StoreNotes): Promise<StoredRows> {
  const places = new Map<string, number>();
  const size = (await stat(path).catch(() => undefined))?.size;
  if (size === undefined) return { path, width: notes.width, places };
  requireSameTower(path, await readFile(`${path}.json`, 'utf8').catch(() => ''), notes);
  const entries = await readFile(`${path}.keys`).catch(() => Buffer.alloc(0));
  const rows = Math.min(Math.floor(size / (2 * notes.width)), Math.floor(entries.length / entryBytes));
  for (let row = 0; row < rows; row++) {
    const start = row * entryBytes;
    const key = entries.toString('latin1', start, start + keyBytes);
    places.set(key, entries[start + keyBytes] === sound ? row : -1);
  }
  return { path, width: notes.width, places };
}

/** @throws EidosError `config_mismatch` */
function requireSameTower(path: string, text: string, wanted: StoreNotes): void {
  let found: Partial<StoreNotes> = {};
  try {
    found = JSON.parse(text) as Partial<StoreNotes>;
  } catch {
    // Told as what it is: features of nobody knows which tower.
  }
  if (found.format === wanted.format && found.tower === wanted.tower && found.width === wanted.width) return;
  throw new EidosError(
    'config_mismatch',
    `${path} holds ${found.width ?? 'an unknown number of'} features a picture of the tower ${found.tower ?? '(none is named)'}, and the image tower of this training has ${wanted.width} and is ${wanted.tower}: remove the file, or name another folder as "imageTower.cache".`,
  );
}

/** Appends rows; whoever opened it holds the source's lock, and closes it. */
export interface StoreWriter {
  /** @param readable whether the picture could be read; its row counts for nothing otherwise */
  append(entries: readonly { key: string; readable: boolean }[], rows: Uint16Array): void;
  close(): void;
}

/** Opens a store for appending, cut off where an earlier process was within a row. Errors are the system's own. */
export async function openStoreWriter({ path, width }: StoredRows, notes: StoreNotes): Promise<StoreWriter> {
  await writeFile(`${path}.json`, `${JSON.stringify(notes, undefined, 1)}\n`);
  const rowFile = openSync(path, 'a');
  const keyFile = openSync(`${path}.keys`, 'a');
  const rowBytes = 2 * width;
  const count = Math.min(
    Math.floor(fstatSync(rowFile).size / rowBytes),
    Math.floor(fstatSync(keyFile).size / entryBytes),
  );
  ftruncateSync(rowFile, count * rowBytes);
  ftruncateSync(keyFile, count * entryBytes);
  return {
    append(entries, rows) {
      const keys = Buffer.concat(
        entries.map(({ key, readable }) =>
          Buffer.concat([Buffer.from(key, 'latin1'), Buffer.of(readable ? sound : unreadable)]),
        ),
      );
      // A row without a key is cut off the next time, a key without a row would be of another picture's.
      writeAll(rowFile, new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
      writeAll(keyFile, keys);
    },
    close() {
      closeSync(rowFile);
      closeSync(keyFile);
    },
  };
}

/** A single write may take a part only, as where the disk is nearly full. */
function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
}
