/** Pictures as requests bring them, data URIs and URLs, to bytes within the server's limits. */
import { EidosError } from '../../errors.ts';
import { readSource } from '../../image/source.ts';
import type { Limits } from '../options.ts';
import { fetchRemotePicture, type RemoteOptions } from './remote.ts';

/**
 * The bytes that a data URI holds or a URL leads to. What is in them, only decoding tells.
 * @throws EidosError `invalid_image`, `image_too_large`; for URLs `offline` where they are not allowed, `forbidden`,
 * `download_failed`
 */
export type PictureReader = (text: string, signal: AbortSignal) => Promise<Uint8Array>;

export function createPictureReader(
  { imageBytes }: Pick<Limits, 'imageBytes'>,
  { allowUrls, isAllowed }: { allowUrls: boolean } & Pick<RemoteOptions, 'isAllowed'>,
): PictureReader {
  return async (text, signal) => {
    if (/^data:/i.test(text)) {
      const bytes = await readSource(text, { maxBytes: imageBytes });
      if (bytes instanceof Uint8Array) return bytes;
    }
    if (!allowUrls) {
      throw new EidosError(
        'offline',
        'This server fetches no URLs: send the picture as a data URI, or start the server with --allow-urls.',
      );
    }
    return fetchRemotePicture(text, { maxBytes: imageBytes, isAllowed }, signal);
  };
}
