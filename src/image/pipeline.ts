/**
 * Many pictures to batches of tensors. While the consumer works on one batch, the next pictures are read and
 * decoded in sharp's threads; order is kept, and a picture that cannot be read takes nobody with it.
 */
import { availableParallelism } from 'node:os';
import { EidosError } from '../errors.ts';
import type { Sides } from '../models/architecture.ts';
import type { ImagePreprocessing } from '../models/preprocessing.ts';
import { heightAndWidth, pictureNumbers } from '../models/sides.ts';
import { writeNormalised } from './normalise.ts';
import { imageSquare, type PreprocessOptions, tablesOf } from './preprocess.ts';
import { type ImageSource, type ImageSources, imageLabel, images, isImageSource } from './source.ts';

export interface PipelineOptions extends PreprocessOptions {
  /** Pictures in a batch; the last one may have fewer. @default 16 */
  batchSize?: number | undefined;
  /** Pictures that are read and decoded at the same time. @default the number of processors, 2 to 4 */
  concurrency?: number | undefined;
  /**
   * - `entry`: a picture that cannot be read becomes an entry with its error.
   * - `throw`: the first one ends the iteration.
   * @default 'entry'
   */
  onError?: 'entry' | 'throw' | undefined;
}

/** What became of one source: a row of the batch, or an error. `index` counts the sources from 0. */
export type BatchItem =
  | { index: number; label: string; row: number }
  | { index: number; label: string; error: EidosError };

/** Consecutive sources, in their order. */
export interface PixelBatch {
  /** The pictures that could be read, [n, 3, height, width]. May be transferred to another thread. */
  data: Float32Array;
  shape: [number, 3, number, number];
  /** One for each source, those with errors too. */
  items: BatchItem[];
  /** Hands `data` back, to be written again; without it the garbage collector sees to it. */
  release(): void;
}

/** Batches that are begun while the consumer has not asked for them yet. */
const batchesAhead = 2;

/**
 * Preprocesses one picture or many, also from an async iterable that never ends. Sources are pulled only as
 * fast as batches are consumed.
 * @throws EidosError `invalid_option` at once; while iterating `aborted`, and what `sources` itself throws
 */
export function preprocessImages(
  sources: ImageSources,
  preprocessing: ImagePreprocessing,
  options: PipelineOptions = {},
): AsyncGenerator<PixelBatch, void, undefined> {
  const batchSize = wholeNumber('batchSize', options.batchSize ?? 16);
  const concurrency = wholeNumber(
    'concurrency',
    options.concurrency ?? Math.max(2, Math.min(4, availableParallelism())),
  );
  return run(images(sources), preprocessing, options, {
    batchSize: Math.min(batchSize, knownLength(sources) ?? batchSize),
    concurrency,
  });
}

/** A batch on its way: `open` pictures are still being read. */
interface Draft {
  buffer: Float32Array;
  items: BatchItem[];
  open: number;
  full: boolean;
}

async function* run(
  sources: AsyncGenerator<ImageSource>,
  preprocessing: ImagePreprocessing,
  options: PipelineOptions,
  { batchSize, concurrency }: { batchSize: number; concurrency: number },
): AsyncGenerator<PixelBatch, void, undefined> {
  const picture = pictureNumbers(preprocessing.size);
  const tables = tablesOf(preprocessing);
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const change = createChange();
  const drafts: Draft[] = [];
  const spare: Float32Array[] = [];
  let inFlight = 0;
  let ended = false;
  /** Ends the iteration at once. */
  let failure: { cause: unknown } | undefined;
  /** Ends it once the pictures before it are delivered. */
  let brokenSource: { cause: unknown } | undefined;

  const fail = (cause: unknown) => {
    failure ??= { cause };
    ended = true;
    change.announce();
  };
  const onAbort = () =>
    fail(new EidosError('aborted', 'Reading pictures was aborted.', { cause: options.signal?.reason }));

  const hasRoom = () =>
    inFlight < concurrency && (drafts.length <= batchesAhead || drafts.at(-1)?.full === false);

  async function readInto(draft: Draft, position: number, source: ImageSource, index: number) {
    const label = imageLabel(source, index);
    try {
      const square = await imageSquare(source, preprocessing, { ...options, signal }, label);
      writeNormalised(square, preprocessing.size, tables, draft.buffer, position * picture);
      draft.items[position] = { index, label, row: position };
    } catch (cause) {
      if (!(cause instanceof EidosError) || cause.code === 'aborted' || options.onError === 'throw')
        fail(cause);
      else draft.items[position] = { index, label, error: cause };
    }
    draft.open -= 1;
    inFlight -= 1;
    change.announce();
  }

  async function pull() {
    for (let index = 0; !ended; index++) {
      while (!ended && !hasRoom()) await change.next();
      if (ended) break;
      const { value: source, done } = await sources.next();
      if (done || ended) break;
      let draft = drafts.at(-1);
      if (!draft || draft.full) {
        draft = {
          buffer: spare.pop() ?? new Float32Array(batchSize * picture),
          items: [],
          open: 0,
          full: false,
        };
        drafts.push(draft);
      }
      const position = draft.items.length;
      draft.items.push({ index, label: '', row: position });
      draft.open += 1;
      draft.full = draft.items.length === batchSize;
      inFlight += 1;
      void readInto(draft, position, source, index);
    }
    ended = true;
    change.announce();
  }

  if (options.signal?.aborted) onAbort();
  options.signal?.addEventListener('abort', onAbort);
  pull().catch((cause: unknown) => {
    brokenSource = { cause };
    ended = true;
    change.announce();
  });
  try {
    for (;;) {
      const first = drafts[0];
      if (failure) throw failure.cause;
      if (first && first.open === 0 && (first.full || ended)) {
        drafts.shift();
        change.announce();
        yield finish(first, preprocessing.size, (buffer) => spare.push(buffer));
      } else if (!first && ended) {
        if (brokenSource) throw brokenSource.cause;
        return;
      } else await change.next();
    }
  } finally {
    ended = true;
    change.announce();
    options.signal?.removeEventListener('abort', onAbort);
    stop.abort();
    // Not waited for: a source that has stalled would hold the consumer.
    sources.return(undefined).catch(() => {});
  }
}

/** Closes the gaps that unreadable pictures have left. */
function finish({ buffer, items }: Draft, size: Sides, giveBack: (buffer: Float32Array) => void): PixelBatch {
  const picture = pictureNumbers(size);
  let rows = 0;
  for (const item of items) {
    if ('error' in item) continue;
    if (item.row !== rows) buffer.copyWithin(rows * picture, item.row * picture, (item.row + 1) * picture);
    item.row = rows++;
  }
  let released = false;
  return {
    data: buffer.subarray(0, rows * picture),
    shape: [rows, 3, ...heightAndWidth(size)],
    items,
    release() {
      // A buffer that was transferred has no bytes left.
      if (!released && buffer.byteLength > 0) giveBack(buffer);
      released = true;
    },
  };
}

/** Wakes everybody who waits for the state to change; they look for themselves what it is. */
function createChange(): { announce: () => void; next: () => Promise<void> } {
  let waiting: (() => void)[] = [];
  return {
    announce() {
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
    next: () => new Promise((resolve) => waiting.push(resolve)),
  };
}

function knownLength(sources: ImageSources): number | undefined {
  if (isImageSource(sources)) return 1;
  return Array.isArray(sources) ? Math.max(1, sources.length) : undefined;
}

function wholeNumber(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1) return value;
  throw new EidosError('invalid_option', `${name} is ${value}: it must be a whole number from 1 on.`);
}
