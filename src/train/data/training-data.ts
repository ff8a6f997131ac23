/** Everything that a configuration names as data, opened: sources with their words, packed pictures, classes. */
import { createHash } from 'node:crypto';
import { defaultCacheFolder } from '../../engine/cache-folder.ts';
import { EidosError } from '../../errors.ts';
import type { Concept } from './captions.ts';
import type { ClassNames } from './class-names.ts';
import { classesOf } from './class-targets.ts';
import type { DataConfig } from './config.ts';
import type { ImageFeatures } from './features/measure.ts';
import type { BrokenSample } from './forms/form.ts';
import { identityOf, packSource } from './packed.ts';
import { createSquareReader } from './pixels.ts';
import { identityOfSentences, openSentences, type SentenceSource } from './sentences/open-sentences.ts';
import { openSource, type Source } from './source.ts';
import { type Lessons, openLessons } from './teacher/lessons.ts';

export interface TrainingData {
  config: DataConfig;
  sources: Source[];
  /** Pictures of all sources together. */
  size: number;
  /** Side of the squares that pictures become before a view of them is taken. */
  side: number;
  /** See classesOf. */
  classes: Concept[];
  /** What a teacher says, where there is one. */
  lessons?: Lessons;
  /** What a locked image tower has said of all pictures, where there is one. */
  imageFeatures?: ImageFeatures;
  /** Classes of an image net's own classifier, in its order, where a part of the loss is about them. */
  names?: ClassNames;
  /** For each source the place of each picture in an order of all: see placesOfPictures. */
  nearness?: Uint32Array[];
  /** Files of sentences without pictures. */
  sentences: SentenceSource[];
  /** What was found but cannot be trained on. */
  broken: BrokenSample[];
}

export interface OpenDataOptions {
  /** Side of the pictures that the network sees. */
  imageSize: number;
  /** Whether what classes are kinds of are classes as well. @default false */
  kinds?: boolean;
  /** Whether pictures are kept in the cache; where they are looked at once, tiles alone are. @default true */
  packs?: boolean;
  /** Whether a text teacher's vectors are wanted. @default false */
  textVectors?: boolean;
  /** Ends packing and asking with an error; what the teacher has said is kept. */
  signal?: AbortSignal | undefined;
  onProgress?: (progress: DataProgress) => void;
}

/** How far opening has come. */
export interface DataProgress {
  stage: 'packing' | 'teaching';
  source: string;
  done: number;
  total: number;
}

/**
 * Opens the data; paths in the configuration are absolute or begin at the working folder (see resolveDataPaths).
 * @throws EidosError `not_found`, `invalid_option` for sources that are missing, malformed, empty or too broken;
 * `write_failed` for a cache that takes no more; `config_mismatch` and `engine_failed` for a teacher that does not fit
 */
export async function openData(
  config: DataConfig,
  { imageSize, kinds = false, packs = true, textVectors = false, signal, onProgress }: OpenDataOptions,
): Promise<TrainingData> {
  const languages = Object.keys(config.captions.languages);
  const side = config.cacheSide ?? Math.ceil((imageSize * 7) / 6);
  let sources: Source[] = [];
  let lessons: Lessons | undefined;
  const reader = createSquareReader();
  try {
    for (const source of config.sources) {
      const opened = await openSource(source, languages);
      requireOneName(opened.name, sources);
      // A tile alone costs as much as its sheet, so these are packed in any case.
      const isPacked =
        (packs && config.cache !== undefined) || opened.pictures.some(({ place }) => place.kind === 'tile');
      const folder = config.cache ?? defaultCacheFolder('pictures');
      sources.push(
        isPacked
          ? await packSource(opened, {
              folder,
              side,
              reader,
              signal,
              onProgress: (done, total) =>
                onProgress?.({ stage: 'packing', source: opened.name, done, total }),
            })
          : opened,
      );
    }
    const { teacher } = config;
    if (teacher !== undefined) {
      ({ lessons, sources } = await openLessons({ ...config, teacher }, sources, {
        reader,
        signal,
        onProgress: (source, done, total) => onProgress?.({ stage: 'teaching', source, done, total }),
      }));
    }
  } finally {
    await reader.close();
  }
  const sentences = await openSentences(config, {
    vectors: textVectors,
    signal,
    onProgress: (source, done, total) => onProgress?.({ stage: 'teaching', source, done, total }),
  });
  for (const { broken, line } of sentences) {
    requireFewBroken(broken, new Set(line).size + broken.length, config.maxBrokenShare);
  }
  const broken = sources.flatMap((source) => source.broken);
  const size = sources.reduce((sum, { pictures }) => sum + pictures.length, 0);
  if (size > 0) requireFewBroken(broken, size + broken.length, config.maxBrokenShare);
  if (size > 0 && sources.every(({ weight }) => weight === 0)) {
    throw new EidosError('invalid_option', 'Every source has the weight 0: one must be drawn from.');
  }
  return {
    config,
    sources,
    size,
    side,
    classes: classesOf(
      sources.flatMap(({ pictures }) => pictures),
      kinds,
    ),
    ...(lessons === undefined ? {} : { lessons }),
    sentences,
    broken,
  };
}

/** What all pictures are called and in which order they lie, as a short text that other data do not have. */
export function identityOfData({ sources, sentences }: Pick<TrainingData, 'sources' | 'sentences'>): string {
  const own = sources.map(({ name, pictures }) => `${name} ${identityOf(pictures)}`);
  if (sentences.length > 0) own.push(identityOfSentences(sentences));
  return createHash('sha256').update(own.join('\n')).digest('hex').slice(0, 12);
}

/**
 * @param total samples, the broken ones among them
 * @throws EidosError `invalid_image` where more are broken than may be
 */
export function requireFewBroken(broken: readonly BrokenSample[], total: number, mostShare: number): void {
  // One broken picture among few is no reason to stop, unless none may be broken at all.
  const least = mostShare > 0 ? 1 : 0;
  const allowed = Math.min(total - 1, Math.max(least, Math.floor(mostShare * total)));
  if (broken.length <= allowed) return;
  const some = broken.slice(0, 3).map(({ name, reason }) => {
    const why = reason.replace(/\.$/, '');
    return why.includes(name) ? why : `${name} (${why})`;
  });
  // At least one has to be sound, however large the share is.
  const remedy = broken.length < total ? 'Mend them, or raise data.maxBrokenShare.' : 'Mend them.';
  throw new EidosError(
    'invalid_image',
    `${broken.length} of ${total} samples are broken, and ${allowed} may be (maxBrokenShare ${mostShare}), such as ${some.join('; ')}. ${remedy}`,
  );
}

/** Names tell sources apart in the cache and in messages. */
function requireOneName(name: string, sources: readonly Source[]): void {
  if (sources.every((other) => other.name !== name)) return;
  throw new EidosError('invalid_option', `Two sources are called "${name}": give one of them another name.`);
}
