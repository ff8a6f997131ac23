/** What a picture's file tells about it without being decoded: sides, and what the camera noted. */
import { decodingError, defaultMaxPixels, openDecoder } from './decode.ts';
import { readHeader } from './header.ts';

export interface PictureFacts {
  /** Pixels, after turning by the camera's note. */
  width: number;
  height: number;
  /** The EXIF block as it lies in the file. */
  exif: Uint8Array | undefined;
}

/**
 * @param label names the picture in errors
 * @throws EidosError `invalid_image`
 */
export async function readFacts(bytes: Uint8Array, label: string): Promise<PictureFacts> {
  // Nothing is decoded, so that a picture may be as large as it likes.
  const options = { maxPixels: Number.MAX_SAFE_INTEGER };
  const decoder = await openDecoder(bytes, readHeader(bytes, label), options, label);
  try {
    const { autoOrient, exif } = await decoder.metadata();
    return { width: autoOrient.width, height: autoOrient.height, exif };
  } catch (cause) {
    throw decodingError(cause, label, defaultMaxPixels);
  }
}
