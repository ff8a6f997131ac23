/** Batches of pictures with captions, mixed from several sets, and which of them belong together. */
import type { RuntimeTensor } from '../../../engine/engine.ts';
import type { ImagePreprocessing } from '../../../models/preprocessing.ts';
import type { Tokenizer } from '../../../text/tokenizer.ts';
import { type AugmentOptions, writeRandomView } from './augment.ts';
import { type Caption, type CaptionShares, captionOf, keysOf } from './captions.ts';
import type { TrainingSource } from './sources.ts';
import { featureCount, meanFeatures, writeFeatures } from './teacher.ts';

export interface BatchOptions {
  /** Pairs in a batch. */
  size: number;
  /** How often pictures of a set are drawn, by its name; the shares need not sum to one. */
  shares: Readonly<Record<string, number>>;
  augment?: AugmentOptions;
  captions?: CaptionShares;
}

/** What a training step reads. */
export interface Batch {
  /** [size, 3, side, side], normalised. */
  pixels: RuntimeTensor;
  /** [size, context length]. */
  tokens: RuntimeTensor;
  /** [size, size], see matchingTargets. */
  targets: RuntimeTensor;
  /** A teacher's features [size, featureCount] of unit length, where the sets have them. */
  features?: RuntimeTensor;
}

/** Draws batches without end; a set is gone through in a new random order each time. */
export function* trainingBatches(
  sources: readonly TrainingSource[],
  preprocessing: ImagePreprocessing,
  tokenizer: Tokenizer,
  random: () => number,
  { size, shares, augment = {}, captions = {} }: BatchOptions,
): Generator<Batch, never, undefined> {
  const drawn = sources.filter(({ name }) => (shares[name] ?? 0) > 0);
  const orders = drawn.map(({ pictures }) => shuffledForever(pictures.count, random));
  const sum = drawn.reduce((total, { name }) => total + shares[name]!, 0);
  const picture = 3 * preprocessing.size ** 2;
  const mean = meanFeatures(drawn);
  for (;;) {
    const pixels = new Float32Array(size * picture);
    const features = mean === undefined ? undefined : new Float32Array(size * featureCount);
    const chosen: Caption[] = [];
    const shown: string[][] = [];
    for (let at = 0; at < size; at++) {
      let place = random() * sum;
      let set = 0;
      while (set < drawn.length - 1 && place >= shares[drawn[set]!.name]!)
        place -= shares[drawn[set++]!.name]!;
      const source = drawn[set]!;
      const index = orders[set]!.next().value;
      const description = source.descriptions[index]!;
      writeRandomView(source.pictures, index, preprocessing, random, pixels, at * picture, augment);
      if (mean !== undefined && features !== undefined) writeFeatures(source, index, mean, features, at);
      chosen.push(captionOf(description, random, captions));
      shown.push(keysOf(description));
    }
    const { data, shape } = tokenizer.tokenize(chosen.map(({ text }) => text));
    const side = preprocessing.size;
    yield {
      pixels: { type: 'float32', data: pixels, shape: [size, 3, side, side] },
      tokens: { type: 'int64', data, shape },
      targets: { type: 'float32', data: matchingTargets(shown, chosen), shape: [size, size] },
      ...(features === undefined
        ? {}
        : { features: { type: 'float32', data: features, shape: [size, featureCount] } }),
    };
  }
}

/**
 * Which picture belongs to which caption, [n, n]: every caption that names something that the picture shows
 * matches. Rows and columns sum to one (by Sinkhorn's alternating scaling, ended after a few rounds with the
 * rows exact), so that no pair counts more because others match as well.
 */
export function matchingTargets(
  shown: readonly (readonly string[])[],
  captions: readonly Caption[],
): Float32Array {
  const n = shown.length;
  const targets = new Float32Array(n * n);
  for (let row = 0; row < n; row++) {
    const keys = new Set(shown[row]);
    for (let column = 0; column < n; column++) {
      if (row === column || keys.has(captions[column]!.key)) targets[row * n + column] = 1;
    }
  }
  for (let round = 0; round < 8; round++) {
    scaleLines(targets, n, 1, n);
    scaleLines(targets, n, n, 1);
  }
  return targets;
}

/** Makes each line sum to one; a line's elements lie `step` apart and lines begin `stride` apart. */
function scaleLines(targets: Float32Array, n: number, stride: number, step: number): void {
  for (let line = 0; line < n; line++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += targets[line * stride + i * step]!;
    for (let i = 0; i < n; i++) targets[line * stride + i * step]! /= sum;
  }
}

/** The numbers below `count` in random order, then in another one, and so on. */
function* shuffledForever(count: number, random: () => number): Generator<number, never, undefined> {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (;;) {
    for (let i = count - 1; i > 0; i--) {
      const other = Math.floor(random() * (i + 1));
      [order[i], order[other]] = [order[other]!, order[i]!];
    }
    yield* order;
  }
}
