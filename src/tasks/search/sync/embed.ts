/** Reads the files of a plan ahead of the network, and embeds those whose embedding is not known. */
import type { Clip } from '../../../clip/clip.ts';
import type { DecodedPicture } from '../../../image/decode.ts';
import { perceptualHash } from '../../../image/perceptual-hash.ts';
import { type PixelBatch, preprocessImages } from '../../../image/pipeline.ts';
import type { ImagePreprocessing } from '../../../models/preprocessing.ts';
import { encodePixels, type PictureRow } from '../store/rows.ts';
import type { SyncOptions } from '../types.ts';
import type { FreshPictures } from './fresh.ts';
import type { KnownFiles } from './known.ts';
import type { Plan } from './plan.ts';
import { mapAhead, readPictureFile, type SoundFile } from './read.ts';
import type { Failure } from './unreadable.ts';

/** What becomes of the files of a plan. */
export interface Outcome {
  known: KnownFiles;
  fresh: FreshPictures;
  failures: Failure[];
  /** Milliseconds in which the network ran. */
  networkTime: number;
}

/** A commit takes some hundredths of a second. */
const rowsPerCommit = 512;

/** Files that are read ahead of the network. */
const readAhead = 4;

/** A file on its way through the network, and what its pixels looked like once they were decoded. */
interface Sent {
  read: SoundFile;
  known: PictureRow | undefined;
  pixels: string | null;
}

/** @throws EidosError `aborted`, and what opening the model and writing to the store throw */
export async function embedFiles(
  openClip: () => Promise<Clip>,
  { toRead }: Plan,
  outcome: Outcome,
  { signal, onProgress, batchSize = 16, commitEvery = rowsPerCommit }: SyncOptions,
): Promise<void> {
  if (toRead.length === 0) return;
  const clip = await openClip();
  const { preprocessing } = clip.config;
  /** In the order in which the pipeline counts them. */
  const sent: Sent[] = [];
  let passed = 0;
  const tell = () => onProgress?.({ stage: 'embed', done: passed, total: toRead.length });

  async function* sources(): AsyncGenerator<File> {
    for await (const { read, known } of readAll(toRead, preprocessing)) {
      if ('error' in read) outcome.failures.push({ ...read, known });
      else if (!outcome.known.take(read, known)) {
        sent.push({ read, known, pixels: null });
        // A File has a name, which errors then tell.
        yield new File([read.bytes as Uint8Array<ArrayBuffer>], read.file.path);
        continue;
      }
      passed += 1;
    }
  }

  const onDecoded = (picture: DecodedPicture, path: string): void => {
    const own = sent.findLast((waiting) => waiting?.read.file.path === path);
    if (own !== undefined) own.pixels = encodePixels(perceptualHash(picture, preprocessing));
  };

  tell();
  const { maxPixels } = clip.config;
  const options = { signal, batchSize, maxPixels, onDecoded };
  for await (const batch of preprocessImages(sources(), preprocessing, options)) {
    await embedBatch(clip, batch, sent, outcome);
    passed += batch.items.length;
    if (outcome.fresh.isDue(commitEvery)) await outcome.fresh.commit();
    tell();
  }
}

function readAll(toRead: Plan['toRead'], preprocessing: ImagePreprocessing) {
  return mapAhead(toRead, readAhead, async ({ file, known, lacksPixels }) => ({
    read: await readPictureFile(file, lacksPixels ? preprocessing : undefined),
    known,
  }));
}

async function embedBatch(
  clip: Clip,
  { data, shape, items, release }: PixelBatch,
  sent: Sent[],
  outcome: Outcome,
): Promise<void> {
  const size = clip.embeddingSize;
  const begun = performance.now();
  const embeddings = shape[0] === 0 ? undefined : await clip.embedPixels({ data, shape });
  outcome.networkTime += performance.now() - begun;
  release();
  for (const item of items) {
    const { read, known, pixels } = sent[item.index]!;
    delete (sent as unknown[])[item.index]; // its bytes
    if ('error' in item) outcome.failures.push({ file: read.file, error: item.error, known });
    else {
      const vector = embeddings!.data.slice(item.row * size, (item.row + 1) * size);
      outcome.fresh.add(read, known, { vector, pixels });
    }
  }
}
