/** Where the bytes of a picture lie, as a value that may be sent to another thread, and how they are read. */
import { type FileHandle, open } from 'node:fs/promises';
import { EidosError } from '../../errors.ts';

export type PicturePlace =
  /** A file of its own. */
  | { kind: 'file'; path: string }
  /** A part of a file: a member of a tar archive. */
  | { kind: 'part'; path: string; offset: number; length: number }
  /** A tile of a sheet; sheets are packed before training, since one tile costs as much as all. */
  | { kind: 'tile'; path: string; side: number; columns: number; tile: number; tiles: number }
  /** Decoded: a square of RGB bytes [side, side, 3] in a file of such squares. */
  | { kind: 'square'; path: string; offset: number; side: number };

/** Files of more bytes are no pictures for training. */
const mostBytes = 256 * 1024 * 1024;

/** Files that stay open, because the next picture lies in one of them too. */
const mostOpen = 32;

/** Reads parts of files; the files that were read last stay open. */
export interface PartReader {
  /**
   * @throws EidosError `not_found` where the file cannot be read, `invalid_image` where it ends before the part does,
   * `closed`
   */
  read(place: { path: string; offset: number; length: number }): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

export function createPartReader(): PartReader {
  const files = new Map<string, Promise<FileHandle>>();
  let closed = false;
  const fileOf = (path: string): Promise<FileHandle> => {
    const known = files.get(path);
    // Set again, so that the map's order says which was used last.
    files.delete(path);
    const file = known ?? open(path);
    files.set(path, file);
    const [oldest] = files;
    if (files.size > mostOpen && oldest !== undefined) {
      files.delete(oldest[0]);
      // Not before reads that have begun have ended.
      void oldest[1].then((handle) => handle.close()).catch(() => {});
    }
    return file;
  };
  return {
    async read({ path, offset, length }) {
      if (length > mostBytes) {
        throw new EidosError(
          'image_too_large',
          `A picture in ${path} has ${length} bytes, more than ${mostBytes}.`,
        );
      }
      if (closed) throw new EidosError('closed', 'The pictures have been closed.');
      const bytes = new Uint8Array(length);
      let done = 0;
      try {
        const file = await fileOf(path);
        while (done < length) {
          const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
      } catch (cause) {
        throw new EidosError('not_found', `${path} cannot be read: ${(cause as Error).message}.`, { cause });
      }
      if (done === length) return bytes;
      throw new EidosError('invalid_image', `${path} ends at ${offset + done}, within a picture.`);
    },
    async close() {
      closed = true;
      const open = [...files.values()];
      files.clear();
      await Promise.all(open.map((file) => file.then((handle) => handle.close()).catch(() => {})));
    },
  };
}
