/** Tar archives of pictures, read as a stream, an entry at a time. */
import { createReadStream } from 'node:fs';
import { extract } from 'tar-stream';
import { EidosError } from '../../errors.ts';

/** A file of an archive. */
export interface ArchiveEntry {
  /** Its path inside the archive. */
  name: string;
  bytes: Uint8Array;
}

/**
 * The files of an archive in their order; folders and links are passed over.
 * @throws EidosError `not_found` where the archive cannot be read, `invalid_option` where it is no tar archive.
 */
export async function* readArchive(path: string): AsyncGenerator<ArchiveEntry, void, undefined> {
  const entries = extract();
  const source = createReadStream(path);
  source.on('error', (error) => entries.destroy(error));
  source.pipe(entries);
  try {
    for await (const entry of entries) {
      const pieces: Uint8Array[] = [];
      for await (const piece of entry) pieces.push(piece as Uint8Array);
      if (entry.header.type !== 'file') continue;
      yield { name: entry.header.name.replace(/^\.\//, ''), bytes: Buffer.concat(pieces) };
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
