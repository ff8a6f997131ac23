/** Reads a file once for everything that is wanted of it: its hash, its sides, the camera's notes, its bytes. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EidosError } from '../../../errors.ts';
import { decodeImage } from '../../../image/decode.ts';
import { readFacts } from '../../../image/facts.ts';
import { perceptualHash } from '../../../image/perceptual-hash.ts';
import { defaultMaxBytes } from '../../../image/source.ts';
import type { ImagePreprocessing } from '../../../models/preprocessing.ts';
import { encodePixels, type PictureRow } from '../store/rows.ts';
import { type CameraNotes, readCameraNotes } from './exif.ts';
import { type FoundFile, pathBytes } from './scan.ts';

export type ReadFile =
  | { file: FoundFile; hash: string; facts: FileFacts; bytes: Uint8Array; pixels?: string }
  | { file: FoundFile; error: EidosError };

/** A file that could be read so far. */
export type SoundFile = Extract<ReadFile, { hash: string }>;

/** What is stored beside path, size and time. */
export type FileFacts = Pick<PictureRow, 'width' | 'height'> & CameraNotes;

/**
 * An error is an answer; what is thrown would be a fault of ours.
 * @param preprocessing where the perceptual hash is wanted at once, and not only when the picture is embedded
 */
export async function readPictureFile(
  file: FoundFile,
  preprocessing?: ImagePreprocessing,
): Promise<ReadFile> {
  try {
    if (file.size > defaultMaxBytes) {
      throw new EidosError('image_too_large', `${file.path} has more than ${defaultMaxBytes} bytes.`);
    }
    const bytes = await readBytes(file);
    const hash = createHash('sha256').update(bytes).digest('hex');
    const { width, height, exif } = await readFacts(bytes, file.path);
    const read = { file, hash, facts: { width, height, ...readCameraNotes(exif) }, bytes };
    if (preprocessing === undefined) return read;
    const pixels = encodePixels(perceptualHash(await decodeImage(bytes, {}, file.path), preprocessing));
    return { ...read, pixels };
  } catch (error) {
    if (error instanceof EidosError) return { file, error };
    throw error;
  }
}

async function readBytes(file: FoundFile): Promise<Uint8Array> {
  try {
    return await readFile(pathBytes(file));
  } catch (cause) {
    throw new EidosError('not_found', `${file.path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Maps in order, with a few calls ahead of the consumer, which are the ones that take time. */
export async function* mapAhead<In, Out>(
  items: Iterable<In>,
  ahead: number,
  map: (item: In) => Promise<Out>,
): AsyncGenerator<Out, void, undefined> {
  const waiting: Promise<Out>[] = [];
  for (const item of items) {
    const result = map(item);
    result.catch(() => {}); // it is thrown where it is asked for
    waiting.push(result);
    if (waiting.length > ahead) yield await waiting.shift()!;
  }
  for (const result of waiting) yield await result;
}
