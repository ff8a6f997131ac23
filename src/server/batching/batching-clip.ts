/**
 * A clip whose texts and pictures are embedded together with those of other requests. Pictures are read and decoded
 * a few at a time while the network runs, each within the server's limits, and wait as pixels for their run.
 */
import { availableParallelism } from 'node:os';
import type { Clip, EmbeddedBatch, EmbedImagesOptions } from '../../clip/clip.ts';
import { type Embeddings, normalizeRows } from '../../clip/embeddings.ts';
import { EidosError } from '../../errors.ts';
import { writeNormalised } from '../../image/normalise.ts';
import type { BatchItem } from '../../image/pipeline.ts';
import { imageSquare, tablesOf } from '../../image/preprocess.ts';
import { type ImageSource, type ImageSources, imageLabel, images } from '../../image/source.ts';
import type { Limits } from '../options.ts';
import { createAdmission, createGate } from './admission.ts';
import { type Batcher, createBatcher } from './batcher.ts';

export interface BatchingClip extends Clip {
  /** The same for one request, which gives up with its signal. */
  for(signal: AbortSignal): Clip;
  /**
   * The same for an index: its queries share runs with requests, the pictures that it takes in go their own way,
   * in batches of their own.
   */
  readonly forIndex: Clip;
  /** Texts and pictures that are being embedded or wait for it. */
  readonly inside: number;
}

export interface BatchingOptions {
  limits: Limits;
  onRun?: ((run: { kind: 'text' | 'image'; inputs: number; seconds: number }) => void) | undefined;
}

/** What one picture became. */
type Read = { label: string; pixels: Float32Array } | { label: string; error: EidosError };

export function createBatchingClip(clip: Clip, { limits, onRun }: BatchingOptions): BatchingClip {
  const { batchSize, gatherTime, waitingInputs } = limits;
  const { preprocessing } = clip.config;
  const pixelCount = 3 * preprocessing.size ** 2;
  const admission = createAdmission(waitingInputs, 'texts and pictures');
  const decoding = createGate(Math.max(2, Math.min(4, availableParallelism())));

  const batcher = <Input>(kind: 'text' | 'image', embed: (inputs: readonly Input[]) => Promise<Embeddings>) =>
    createBatcher<Input, Float32Array>({
      process: async (inputs) => rowsOf(await embed(inputs)),
      batchSize,
      gatherTime,
      onRun: (run) => onRun?.({ kind, ...run }),
    });
  const texts = batcher<string>('text', (sentences) => clip.embedTexts(sentences, { normalize: false }));
  const pictures = batcher<Float32Array>('image', (tensors) => {
    const data = new Float32Array(tensors.length * pixelCount);
    tensors.forEach((tensor, i) => {
      data.set(tensor, i * pixelCount);
    });
    const shape = [tensors.length, 3, preprocessing.size, preprocessing.size];
    return clip.embedPixels({ data, shape }, { normalize: false });
  });

  /** Runs inputs through a batcher while there is room for them. */
  async function embed<Input>(
    { run }: Batcher<Input, Float32Array>,
    inputs: readonly Input[],
    { normalize = true, signal }: { normalize?: boolean | undefined; signal?: AbortSignal | undefined },
  ): Promise<Embeddings> {
    const embeddings = joined(await run(inputs, signal), clip.embeddingSize);
    return normalize ? normalizeRows(embeddings) : embeddings;
  }

  async function read(source: ImageSource, index: number, options: EmbedImagesOptions): Promise<Read> {
    const label = imageLabel(source, index);
    try {
      return await decoding(async () => {
        const { imageBytes: maxBytes, imagePixels: maxPixels } = limits;
        const square = await imageSquare(source, preprocessing, { ...options, maxBytes, maxPixels }, label);
        const pixels = new Float32Array(pixelCount);
        writeNormalised(square, preprocessing.size, tablesOf(preprocessing), pixels, 0);
        return { label, pixels };
      }, options.signal);
    } catch (error) {
      const isAnswer = error instanceof EidosError && error.code !== 'aborted' && options.onError !== 'throw';
      if (!isAnswer) throw error;
      return { label, error };
    }
  }

  /** All pictures of a request as one batch. */
  async function embedTogether(sources: ImageSources, options: EmbedImagesOptions): Promise<EmbeddedBatch> {
    const all: ImageSource[] = [];
    for await (const source of images(sources)) all.push(source);
    const leave = admission.enter(all.length);
    try {
      const reads = await Promise.all(all.map((source, index) => read(source, index, options)));
      const pixels: Float32Array[] = [];
      const items = reads.map((result, index): BatchItem => {
        const { label } = result;
        if ('error' in result) return { index, label, error: result.error };
        return { index, label, row: pixels.push(result.pixels) - 1 };
      });
      return { embeddings: await embed(pictures, pixels, options), items };
    } finally {
      leave();
    }
  }

  const bound = (own?: AbortSignal): Clip => ({
    ...clip,
    async embedTexts(given, options = {}) {
      // Sentences with a wish of their own about their length go alone.
      if ((options.overflow ?? 'truncate') !== 'truncate') return clip.embedTexts(given, options);
      const sentences = typeof given === 'string' ? [given] : given;
      const leave = admission.enter(sentences.length);
      try {
        return await embed(texts, sentences, { normalize: options.normalize, signal: own });
      } finally {
        leave();
      }
    },
    async embedImages(sources, options = {}) {
      const signal = options.signal ?? own;
      return (await embedTogether(sources, { ...options, signal, onError: 'throw' })).embeddings;
    },
    async *embedImageStream(sources, options = {}) {
      yield await embedTogether(sources, { ...options, signal: options.signal ?? own });
    },
  });

  return {
    ...bound(),
    for: bound,
    forIndex: { ...bound(), embedImageStream: clip.embedImageStream },
    get inside() {
      return admission.inside;
    },
  };
}

function rowsOf({ data, shape }: Embeddings): Float32Array[] {
  const [rows = 0, width = 0] = shape;
  return Array.from({ length: rows }, (_, row) => data.subarray(row * width, (row + 1) * width));
}

function joined(rows: readonly Float32Array[], width: number): Embeddings {
  const data = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    data.set(row, i * width);
  });
  return { data, shape: [rows.length, width] };
}
