/** The embedding space itself: pictures and sentences in, comparable vectors out. */

import type { Checkpoint } from '../checkpoint/index.ts';
import type { Device, DeviceChoice, NumberType } from '../engine/devices.ts';
import type { Engine } from '../engine/engine.ts';
import { EidosError, requireKnownOptions } from '../errors.ts';
import { elementCount, type FloatTensor, type IntTensor } from '../graph/tensor.ts';
import { type BatchItem, type PipelineOptions, preprocessImages } from '../image/pipeline.ts';
import type { ImageSources } from '../image/source.ts';
import type { ClipArchitecture } from '../models/architecture.ts';
import type { ImagePreprocessing } from '../models/preprocessing.ts';
import { pictureShape } from '../models/sides.ts';
import type { TextRules } from '../text/rules.ts';
import type { TextOverflow, Tokenizer } from '../text/tokenizer.ts';
import { cosineSimilarity, type Embeddings, meanOfGroups, normalizeRows } from './embeddings.ts';
import type { Encoders } from './encoders.ts';
import { firstUnsoundRow } from './finite.ts';

/** What a loaded model is, and where and how it runs. */
export interface ClipConfig {
  /** What was asked for: a hub id, a folder, a file, or the bundled model's name. */
  model: string;
  architecture: ClipArchitecture;
  preprocessing: ImagePreprocessing;
  /** How names are published: openai, hugging_face_clip … */
  layout: Checkpoint['layout'];
  /** The same for the same weights: caches are kept by it. */
  fingerprint: string;
  /** What was named in place of the model's own: the path of a tokenizer, and how texts are cleaned. */
  tokenizer: string | undefined;
  textRules: TextRules | undefined;
  /** The largest picture that is decoded where a call does not say it; undefined for the usual limit. */
  maxPixels?: number | undefined;
  device: Device;
  /** What `auto` preferred and does not work here, with reasons. */
  passedOver: DeviceChoice['passedOver'];
  dtype: NumberType;
}

export interface EmbedOptions {
  /** Whether rows get unit length. @default true */
  normalize?: boolean;
}

export interface EmbedImagesOptions extends EmbedOptions, PipelineOptions {}

export interface EmbedTextsOptions extends EmbedOptions {
  /** What happens to sentences over the context length. @default 'truncate' */
  overflow?: TextOverflow;
  /** Told about sentences that were cut. */
  onWarning?: (message: string) => void;
}

const imageOptions = {
  normalize: true,
  batchSize: true,
  concurrency: true,
  onError: true,
  resize: true,
  onDecoded: true,
  orientation: true,
  appearance: true,
  maxPixels: true,
  allowNetwork: true,
  maxBytes: true,
  signal: true,
} as const;

const textOptions = { normalize: true, overflow: true, onWarning: true } as const;

/** Some pictures of a stream with their embeddings; pictures that could not be read have none. */
export interface EmbeddedBatch {
  /** [rows, embeddingSize], a row for each item that has one. */
  embeddings: Embeddings;
  items: BatchItem[];
}

/**
 * Pictures and sentences in one space. Embeddings that hold a number that is none (NaN, infinite) never leave it: the
 * call fails with the code `not_finite`, naming model, tower and weight.
 */
export interface Clip {
  readonly config: ClipConfig;
  readonly embeddingSize: number;
  /** The factor of cosines before the softmax, e^logit_scale: about 100 for CLIP. */
  readonly logitScale: number;
  /** Added after the factor by models that compare with a sigmoid; 0 for the others. */
  readonly logitBias: number;
  /** One picture or many → [n, embeddingSize]. Throws for the first picture that cannot be read. */
  embedImages(images: ImageSources, options?: EmbedImagesOptions): Promise<Embeddings>;
  /** The same as a stream of batches, in order; a picture that cannot be read is an item with its error. */
  embedImageStream(images: ImageSources, options?: EmbedImagesOptions): AsyncIterable<EmbeddedBatch>;
  /** One sentence or many → [n, embeddingSize]. */
  embedTexts(texts: string | Iterable<string>, options?: EmbedTextsOptions): Promise<Embeddings>;
  /** [n, 3, side, side] float32, normalised as the model wants it → [n, embeddingSize]. */
  embedPixels(pixels: FloatTensor, options?: EmbedOptions): Promise<Embeddings>;
  /** [n, contextLength] ids → [n, embeddingSize]. */
  embedTokens(
    tokens: IntTensor | readonly (readonly number[])[],
    options?: EmbedOptions,
  ): Promise<Embeddings>;
  /** Cosines of all rows with all rows, [n, m]. */
  similarity(a: Embeddings, b: Embeddings): FloatTensor;
  /** The tokenizer; throws where the model has none. */
  tokenizer(): Promise<Tokenizer>;
  /** Ends the engine's thread. Later calls fail with the code `closed`. */
  close(): Promise<void>;
  /** The same, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ClipParts {
  config: ClipConfig;
  logitScale: number;
  logitBias: number;
  engine: Engine;
  encoders: Encoders;
  tokenizer: () => Promise<Tokenizer>;
}

export function createClip({ config, logitScale, logitBias, engine, encoders, tokenizer }: ClipParts): Clip {
  const { architecture, preprocessing } = config;
  const { embeddingSize } = architecture;
  const finish = (embeddings: Embeddings, { normalize = true }: EmbedOptions): Embeddings =>
    normalize ? normalizeRows(embeddings) : embeddings;

  async function* embedImageStream(
    images: ImageSources,
    options: EmbedImagesOptions = {},
  ): AsyncGenerator<EmbeddedBatch> {
    requireKnownOptions<EmbedImagesOptions>('embedImages', options, imageOptions);
    encoders.prepareImages();
    for await (const { data, shape, items, release } of preprocessImages(images, preprocessing, {
      ...options,
      maxPixels: options.maxPixels ?? config.maxPixels,
    })) {
      const count = shape[0];
      const embeddings =
        count === 0
          ? { data: new Float32Array(0), shape: [0, embeddingSize] }
          : await encoders.encodePixels(data, count);
      release();
      yield { embeddings: finish(embeddings, options), items };
    }
  }

  return {
    config,
    embeddingSize,
    logitScale,
    logitBias,
    embedImageStream,

    async embedImages(images, options = {}) {
      const parts: Embeddings[] = [];
      for await (const { embeddings } of embedImageStream(images, { ...options, onError: 'throw' })) {
        parts.push(embeddings);
      }
      return joinRows(parts, embeddingSize);
    },

    async embedTexts(texts, given = {}) {
      requireKnownOptions<EmbedTextsOptions>('embedTexts', given, textOptions);
      const { overflow = 'truncate', onWarning, ...options } = given;
      const sentences = sentencesOf(texts);
      if (sentences.length === 0) return joinRows([], embeddingSize);
      const rows = (await tokenizer()).tokenize(sentences, {
        overflow,
        ...(onWarning === undefined ? {} : { onWarning }),
      });
      const embeddings = await encoders.encodeTokens(rows.data, rows.shape[1]!);
      if (rows.shape[0] === sentences.length) return finish(embeddings, options);
      // The pieces of a sentence that was split count alike.
      return finish(meanOfGroups(normalizeRows(embeddings), rows.owner, sentences.length), options);
    },

    async embedPixels({ data, shape }, options = {}) {
      const picture = pictureShape(architecture.image);
      const [count = 0, ...rest] = shape;
      if (rest.join() !== picture.join() || data.length !== elementCount(shape)) {
        throw new EidosError(
          'invalid_option',
          `Pixels are [n, ${picture.join(', ')}] for this model, not [${shape.join(', ')}].`,
        );
      }
      const unsound = firstUnsoundRow(data, elementCount(rest));
      if (unsound !== undefined) {
        throw new EidosError(
          'invalid_option',
          `Pixels of picture ${unsound} hold numbers that are none (NaN or infinite): give them as (value / 255 − mean) / deviation.`,
        );
      }
      return finish(await encoders.encodePixels(data, count), options);
    },

    async embedTokens(tokens, options = {}) {
      const { data, length } = tokenRows(tokens, architecture);
      return finish(await encoders.encodeTokens(data, length), options);
    },

    similarity: cosineSimilarity,
    tokenizer,
    close: () => engine.close(),
    [Symbol.asyncDispose]() {
      return this.close();
    },
  };
}

/** @throws EidosError `invalid_option` for what is no sentence and no list of them */
function sentencesOf(texts: string | Iterable<string>): readonly string[] {
  if (typeof texts === 'string') return [texts];
  const isList = typeof texts === 'object' && texts !== null && Symbol.iterator in texts;
  const sentences: readonly unknown[] = isList ? [...texts] : [texts];
  const wrong = sentences.find((sentence) => typeof sentence !== 'string');
  if (isList && wrong === undefined) return sentences as readonly string[];
  const kind = Array.isArray(wrong) ? 'a list in a list' : wrong === null ? 'null' : typeof wrong;
  throw new EidosError(
    'invalid_option',
    `Texts are a sentence or several (a list, a set), but this is ${kind}.`,
  );
}

function joinRows(parts: readonly Embeddings[], width: number): Embeddings {
  if (parts.length === 1) return parts[0]!;
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  let offset = 0;
  for (const part of parts) {
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return { data, shape: [data.length / width, width] };
}

/** Ids as one array, checked against the vocabulary and the context: an id outside would read foreign memory. */
function tokenRows(
  tokens: IntTensor | readonly (readonly number[])[],
  { text }: ClipArchitecture,
): { data: BigInt64Array; length: number } {
  const [rows = 0, length = 0] = 'data' in tokens ? tokens.shape : [tokens.length, tokens[0]?.length];
  const isRectangle = 'data' in tokens || tokens.every((row) => row.length === length);
  const ids = 'data' in tokens ? tokens.data : tokens.flat();
  if (!isRectangle || length < 1 || length > text.contextLength || ids.length !== rows * length) {
    throw new EidosError(
      'invalid_option',
      `Tokens are rows of equal length up to ${text.contextLength} for this model.`,
    );
  }
  const fraction = ids instanceof BigInt64Array ? undefined : ids.find((id) => !Number.isSafeInteger(id));
  if (fraction !== undefined) {
    throw new EidosError(
      'invalid_option',
      `Token ${fraction} is no whole number: tokens are ids of the model's vocabulary.`,
    );
  }
  const data = ids instanceof BigInt64Array ? ids : BigInt64Array.from(ids, BigInt);
  const limit = BigInt(text.vocabularySize);
  const outside = data.find((id) => id < 0n || id >= limit);
  if (outside !== undefined) {
    throw new EidosError(
      'invalid_option',
      `Token ${outside} is not in the vocabulary of ${text.vocabularySize}: take ids from this model's tokenizer.`,
    );
  }
  return { data, length };
}
