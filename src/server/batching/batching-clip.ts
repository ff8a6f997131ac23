/**
 * A clip whose texts and pictures are embedded together with those of other requests. Pictures are read and decoded
 * a few at a time while the network runs, each within the server's limits; only a few runs' worth of them, of all
 * requests together, are held as pixels, which are a thousand times the bytes of a small file.
 */
import { availableParallelism } from 'node:os';
import type { Clip, EmbeddedBatch, EmbedImagesOptions } from '../../clip/clip.ts';
import { type Embeddings, normalizeRows } from '../../clip/embeddings.ts';
import { EidosError } from '../../errors.ts';
import { writeNormalised } from '../../image/normalise.ts';
import type { BatchItem } from '../../image/pipeline.ts';
import { imageSquare, tablesOf } from '../../image/preprocess.ts';
import { type ImageSource, type ImageSources, imageLabel, images } from '../../image/source.ts';
import { heightAndWidth, pictureNumbers } from '../../models/sides.ts';
import type { Limits } from '../options.ts';
import { createAdmission, createGate } from './admission.ts';
import { createBatcher } from './batcher.ts';

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
type Embedded = { label: string; vector: Float32Array } | { label: string; error: EidosError };

/** Pictures held as pixels, in runs: one that runs, one that is ready behind it, and what is being decoded. */
const heldRuns = 4;

export function createBatchingClip(clip: Clip, { limits, onRun }: BatchingOptions): BatchingClip {
  const { batchSize, gatherTime, waitingInputs } = limits;
  const { preprocessing } = clip.config;
  const pixelCount = pictureNumbers(preprocessing.size);
  const admission = createAdmission(waitingInputs, 'texts and pictures');
  const decoding = createGate(Math.max(2, Math.min(4, availableParallelism())));
  const holding = createGate(heldRuns * batchSize);

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
    const shape = [tensors.length, 3, ...heightAndWidth(preprocessing.size)];
    return clip.embedPixels({ data, shape }, { normalize: false });
  });

  async function embedPicture(
    source: ImageSource,
    label: string,
    options: EmbedImagesOptions,
  ): Promise<Embedded> {
    const { signal } = options;
    return holding(async () => {
      const pixels = await decoding(() => read(source, label, options), signal);
      if (pixels instanceof EidosError) return { label, error: pixels };
      const [vector] = await pictures.run([pixels], signal);
      return { label, vector: vector! };
    }, signal);
  }

  /** One picture as pixels, or why not. */
  async function read(
    source: ImageSource,
    label: string,
    options: EmbedImagesOptions,
  ): Promise<Float32Array | EidosError> {
    try {
      const { imageBytes: maxBytes, imagePixels: maxPixels } = limits;
      const square = await imageSquare(source, preprocessing, { ...options, maxBytes, maxPixels }, label);
      const pixels = new Float32Array(pixelCount);
      writeNormalised(square, preprocessing.size, tablesOf(preprocessing), pixels, 0);
      return pixels;
    } catch (error) {
      const isAnswer = error instanceof EidosError && error.code !== 'aborted' && options.onError !== 'throw';
      if (!isAnswer) throw error;
      return error;
    }
  }

  /** All pictures of a request as one batch. */
  async function embedTogether(sources: ImageSources, options: EmbedImagesOptions): Promise<EmbeddedBatch> {
    const all: ImageSource[] = [];
    for await (const source of images(sources)) all.push(source);
    const leave = admission.enter(all.length);
    // Half of the room is left to others, however many pictures come in this request; two runs keep the network busy.
    const turn = createGate((heldRuns / 2) * batchSize);
    try {
      const embedded = await Promise.all(
        all.map((source, index) =>
          turn(() => embedPicture(source, imageLabel(source, index), options), options.signal),
        ),
      );
      const vectors: Float32Array[] = [];
      const items = embedded.map((result, index): BatchItem => {
        const { label } = result;
        if ('error' in result) return { index, label, error: result.error };
        return { index, label, row: vectors.push(result.vector) - 1 };
      });
      return { embeddings: finish(vectors, options.normalize), items };
    } finally {
      leave();
    }
  }

  function finish(vectors: readonly Float32Array[], normalize = true): Embeddings {
    const embeddings = joined(vectors, clip.embeddingSize);
    return normalize ? normalizeRows(embeddings) : embeddings;
  }

  const bound = (own?: AbortSignal): Clip => ({
    ...clip,
    async embedTexts(given, options = {}) {
      // Sentences with a wish of their own about their length go alone.
      if ((options.overflow ?? 'truncate') !== 'truncate') return clip.embedTexts(given, options);
      const sentences = typeof given === 'string' ? [given] : [...given];
      const leave = admission.enter(sentences.length);
      try {
        return finish(await texts.run(sentences, own), options.normalize);
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
