/**
 * Batches of pictures with captions, made ahead of the network. Batch k is a pure function of the data, the seed and k:
 * a run that goes on in the middle gets what it would have got.
 */
import type { RuntimeTensor } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import { heightAndWidth } from '../../models/sides.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import { createCaptioner, keysOf } from './captions.ts';
import { randomAt, seedAt } from './chance.ts';
import { createClassTargets } from './class-targets.ts';
import { createDraws, type Draw } from './draws.ts';
import { openFeatureRows } from './features/rows.ts';
import type { BrokenSample } from './forms/form.ts';
import { createHardDraws } from './hard/hard-draws.ts';
import { type PixelThreads, startPixelThreads } from './pixel-threads.ts';
import type { SourcePicture } from './source.ts';
import { matchingTargets } from './targets.ts';
import { createLessonReader } from './teacher/lesson-reader.ts';
import { requireFewBroken, type TrainingData } from './training-data.ts';

/** What a training step reads. */
export interface Batch {
  /** [batch, 3, side, side], normalised; left out where the caller wants none. */
  pixels?: RuntimeTensor;
  /** [batch, context length]. */
  tokens: RuntimeTensor;
  /** [batch, batch]: which caption belongs to which picture; rows and columns sum to one. */
  targets: RuntimeTensor;
  /** What a teacher sees in the view, [batch, width], rows of unit length. */
  features?: RuntimeTensor;
  /** What a locked image tower says of the view, [batch, width]; in place of pixels. */
  image_features?: RuntimeTensor;
  /** What it says of the whole picture, [batch, width]. */
  whole_features?: RuntimeTensor;
  /** [batch, classes]: see createClassTargets. */
  class_targets?: RuntimeTensor;
}

export interface BatchOptions {
  preprocessing: ImagePreprocessing;
  tokenizer: Tokenizer;
  /** Pairs in a batch. */
  batch: number;
  seed: number;
  /** The batch that next() gives first. @default 0 */
  firstStep?: number;
  /** Threads that read and augment pictures; with 0 the caller's own does. @default 1 */
  threads?: number;
  /** Whether pictures are read at all; where features stand for them none is needed. @default true */
  pixels?: boolean;
  /** Whether a locked tower's features of whole pictures are read beside those of the views. @default false */
  wholeFeatures?: boolean;
  /** For a loss that classifies: the share of a target that goes to what the class is a kind of. @default no targets */
  classTargets?: { kinds: number } | undefined;
}

export interface BatchLoader {
  /**
   * The next batch.
   * @throws EidosError `invalid_image` where too many pictures have turned out broken; `closed`
   */
  next(): Promise<Batch>;
  /** Samples that could not be trained on, so far. */
  readonly broken: { count: number; examples: string[] };
  /** The names of a batch's pictures; those that turned out broken are replaced once that is known. */
  namesOf(step: number): string[];
  close(): Promise<void>;
}

/** Draws for one place of a batch after which a picture is taken for sound: the share of broken ones is small. */
const mostAttempts = 1000;
/** Apart from the chance of other places, see chance.ts. */
const [ofCaptions, ofViews] = [11, 12];
const mostExamples = 5;

/** @throws EidosError `invalid_option` */
export async function openBatches(data: TrainingData, options: BatchOptions): Promise<BatchLoader> {
  const { preprocessing, tokenizer, batch, seed, firstStep = 0, threads = 1, pixels = true } = options;
  const { sources, config } = data;
  const captionOf = createCaptioner(config.captions);
  const targetsOfClasses =
    options.classTargets === undefined || data.classes.length === 0
      ? undefined
      : createClassTargets(data.classes, options.classTargets.kinds);
  const byChance = createDraws(
    sources.map(({ pictures, weight }) => ({ size: pictures.length, weight })),
    seed,
  );
  const { hardBatches } = config;
  const draw =
    hardBatches === undefined || data.nearness === undefined
      ? byChance
      : createHardDraws(byChance, { ...hardBatches, batch, seed, places: data.nearness });
  const total = data.size + data.broken.length;
  const broken: BrokenSample[] = [...data.broken];
  const brokenKeys = new Set<string>();
  const settings = { preprocessing, augmentation: config.augmentation, side: data.side };
  const { lessons } = data;
  const teacher = lessons === undefined ? undefined : createLessonReader(lessons, sources, seed);
  const seen = data.imageFeatures === undefined ? undefined : openFeatureRows(data.imageFeatures, seed);
  const readers: PixelThreads | undefined = pixels ? startPixelThreads(settings, threads) : undefined;

  /** The picture for a place of a batch; those known to be broken are replaced by others of their source. */
  const choose = (number: number): { at: Draw; picture: SourcePicture } => {
    for (let attempt = 0; ; attempt++) {
      const at = draw({ number, attempt });
      if (brokenKeys.has(keyOf(at)) && attempt < mostAttempts) continue;
      return { at, picture: sources[at.source]!.pictures[at.picture]! };
    }
  };

  /** Reads the pixels of rows, and of their replacements, until all are sound. */
  const readRows = async (
    readers: PixelThreads,
    numbers: readonly number[],
    chosen: { at: Draw; picture: SourcePicture }[],
  ): Promise<Float32Array<ArrayBuffer>> => {
    const request = (row: number) => {
      const { at, picture } = chosen[row]!;
      const { place, name } = picture;
      const crop = teacher?.cropOf(at, numbers[row]!);
      return {
        place,
        name,
        views: [{ seed: seedAt(seed, ofViews, numbers[row]!), ...(crop === undefined ? {} : { crop }) }],
      };
    };
    const { data: all, broken: failed } = await readers.read(numbers.map((_, row) => request(row)));
    const length = all.length / numbers.length;
    let rows = failed;
    while (rows.length > 0) {
      for (const { request: row, reason } of rows) {
        const { at, picture } = chosen[row]!;
        // Batches are made side by side: another one may have met the picture first, and this one ends all the same.
        if (!brokenKeys.has(keyOf(at))) broken.push({ name: picture.name, reason });
        brokenKeys.add(keyOf(at));
        requireFewBroken(broken, total, config.maxBrokenShare);
      }
      for (const { request: row } of rows) chosen[row] = choose(numbers[row]!);
      const again = await readers.read(rows.map(({ request: row }) => request(row)));
      for (const [at, { request: row }] of rows.entries()) {
        all.set(again.data.subarray(at * length, (at + 1) * length), row * length);
      }
      rows = again.broken.map(({ request: at, reason }) => ({ request: rows[at]!.request, reason }));
    }
    return all;
  };

  const make = async (step: number): Promise<Batch> => {
    const numbers = Array.from({ length: batch }, (_, row) => step * batch + row);
    const chosen = numbers.map(choose);
    const values = readers === undefined ? undefined : await readRows(readers, numbers, chosen);
    const lesson = await teacher?.read(chosen.map(({ at }, row) => ({ at, number: numbers[row]! })));
    const features = seen?.read(chosen.map(({ at }, row) => ({ at, number: numbers[row]! })));
    const whole = options.wholeFeatures === true ? seen?.readWhole(chosen) : undefined;
    const captions = chosen.map(({ at, picture }, row) =>
      captionOf(picture.description, keyOf(at), randomAt(seed, ofCaptions, numbers[row]!)),
    );
    const shown = chosen.map(({ at, picture }) => keysOf(keyOf(at), picture.description));
    const tokens = tokenizer.tokenize(captions.map(({ text }) => text));
    const targets = matchingTargets(
      shown,
      captions.map(({ key }) => key),
    );
    return {
      ...(values === undefined
        ? {}
        : { pixels: float32(values, [batch, 3, ...heightAndWidth(preprocessing.size)]) }),
      ...(features === undefined
        ? {}
        : { image_features: float32(features, [batch, features.length / batch]) }),
      ...(whole === undefined ? {} : { whole_features: float32(whole, [batch, whole.length / batch]) }),
      tokens: { type: 'int64', data: tokens.data, shape: tokens.shape },
      targets: float32(targets, [batch, batch]),
      ...(lesson === undefined ? {} : { features: float32(lesson, [batch, lesson.length / batch]) }),
      ...(targetsOfClasses === undefined
        ? {}
        : {
            class_targets: float32(targetsOfClasses(chosen.map(({ picture }) => picture)), [
              batch,
              data.classes.length,
            ]),
          }),
    };
  };

  const ahead = (readers?.count ?? 1) + 1;
  const queue: Promise<Batch>[] = [];
  let upcoming = firstStep;
  let closed = false;
  const fill = (): void => {
    while (queue.length < ahead) {
      const made = make(upcoming++);
      // Whoever asks for it gets the error; until then it is nobody's.
      made.catch(() => {});
      queue.push(made);
    }
  };
  fill();

  return {
    async next() {
      if (closed) throw new EidosError('closed', 'The batches have been closed.');
      const first = queue.shift()!;
      fill();
      return await first;
    },
    get broken() {
      const examples = broken.slice(0, mostExamples).map(({ name, reason }) => `${name}: ${reason}`);
      return { count: broken.length, examples };
    },
    namesOf: (step) => Array.from({ length: batch }, (_, row) => choose(step * batch + row).picture.name),
    async close() {
      closed = true;
      await readers?.close();
      await Promise.allSettled(queue);
      await teacher?.close();
      seen?.close();
    },
  };
}

/** A key that no other picture has. */
function keyOf({ source, picture }: Draw): string {
  return `#${source}/${picture}`;
}

function float32(data: Float32Array<ArrayBuffer>, shape: readonly number[]): RuntimeTensor {
  return { type: 'float32', data, shape };
}
