/** Small pictures for a page: made once, kept while there is room, the least recently wanted one going first. */
import { availableParallelism } from 'node:os';
import { decodingError, openDecoder } from '../../image/decode.ts';
import { readHeader } from '../../image/header.ts';
import { createGate } from '../batching/admission.ts';
import type { Limits } from '../options.ts';

/** Bytes of all thumbnails that are kept: some ten thousand of the usual size. */
const keptBytes = 128 * 1024 * 1024;
/** Of WebP; the eye sees no difference at this size. */
const quality = 78;

export interface Thumbnails {
  /**
   * WebP with so many pixels on the longer side, or fewer where the picture has fewer; turned by the camera's note.
   * @param key the same for the same bytes and size
   * @throws EidosError `invalid_image`, `image_too_large`, `aborted`, and what `read` throws
   */
  make(
    key: string,
    size: number,
    read: () => Promise<Uint8Array>,
    signal: AbortSignal,
  ): Promise<Uint8Array<ArrayBuffer>>;
}

export function createThumbnails({ imagePixels: maxPixels }: Pick<Limits, 'imagePixels'>): Thumbnails {
  const kept = new Map<string, Uint8Array<ArrayBuffer>>();
  let bytes = 0;
  const gate = createGate(Math.max(2, Math.min(4, availableParallelism())));

  function keep(key: string, thumbnail: Uint8Array<ArrayBuffer>): void {
    if (kept.has(key)) return;
    kept.set(key, thumbnail);
    bytes += thumbnail.length;
    for (const [oldest, { length }] of kept) {
      if (bytes <= keptBytes) break;
      kept.delete(oldest);
      bytes -= length;
    }
  }

  return {
    async make(key, size, read, signal) {
      const known = kept.get(key);
      if (known !== undefined) {
        kept.delete(key);
        kept.set(key, known);
        return known;
      }
      const thumbnail = await gate(async () => {
        const label = 'the picture';
        const file = await read();
        try {
          const decoder = await openDecoder(file, readHeader(file, label), { maxPixels }, label);
          const small = decoder.resize({
            width: size,
            height: size,
            fit: 'inside',
            withoutEnlargement: true,
          });
          return new Uint8Array(await small.webp({ quality, effort: 2 }).toBuffer());
        } catch (cause) {
          throw decodingError(cause, label, maxPixels);
        }
      }, signal);
      keep(key, thumbnail);
      return thumbnail;
    },
  };
}
