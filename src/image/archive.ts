/** Tar archives of pictures, read as a stream, an entry at a time. */
import { createReadStream } from 'node:fs';
import { extract } from 'tar-stream';
import { EidosError } from '../errors.ts';
import { defaultMaxBytes } from './source.ts';

/** A file of an archive. */
export interface ArchiveEntry {
  /** Its path inside the archive. */
  name: string;
  bytes: Uint8Array;
}

export interface ArchiveOptions {
  /** Files for which it says no are passed over without being kept in memory. @default all are wanted */
  wants?: (name: string) => boolean;
  /** The largest file that is read. @default 256 MiB */
  maxBytes?: number;
}

/**
 * The files of an archive in their order; folders and links are passed over.
 * @throws EidosError `not_found` where the archive cannot be read, `invalid_option` where it is no tar archive,
 * `image_too_large` for a wanted file over `maxBytes`.
 */
export async function* readArchive(
  path: string,
  { wants = () => true, maxBytes = defaultMaxBytes }: ArchiveOptions = {},
): AsyncGenerator<ArchiveEntry, void, undefined> {
  const entries = extract();
  const source = createReadStream(path);
  source.on('error', (error) => entries.destroy(error));
  source.pipe(entries);
  try {
    for await (const entry of entries) {
      const name = entry.header.name.replace(/^\.\//, '');
      if (entry.header.type !== 'file' || !wants(name)) {
        entry.resume();
        continue;
      }
      const { size = 0 } = entry.header;
      if (size > maxBytes) {
        throw new EidosError(
          'image_too_large',
          `${name} in ${path} has ${size} bytes, more than the ${maxBytes} that are read.`,
        );
      }
      const pieces: Uint8Array[] = [];
      for await (const piece of entry) pieces.push(piece as Uint8Array);
      yield { name, bytes: Buffer.concat(pieces) };
    }
  } catch (cause) {
    if (cause instanceof EidosError) throw cause;
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new EidosError(
      missing ? 'not_found' : 'invalid_option',
      `The archive ${path} ${missing ? 'is not there' : 'is no sound tar archive'}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  } finally {
    source.destroy();
  }
}
