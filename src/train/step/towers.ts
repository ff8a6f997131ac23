/** The towers as a step trains them: with noise, and above or beside features in the image tower's place if wanted. */
import { linear, normalize } from '../../graph/derived.ts';
import { normal } from '../../graph/initialise.ts';
import { parameter } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { type ImageEncoderOptions, imageEncoder } from '../../models/clip.ts';
import { imageFeatures, imageFeatureWidth, projectImage } from '../../models/image/encoder.ts';
import { pictureShape } from '../../models/sides.ts';
import type { ImageTowerConfig, RegularisationConfig } from './config.ts';
import { belowInput, type FrozenBelow } from './frozen-below.ts';
import type { Inputs } from './inputs.ts';
import { type Noise, noise } from './noise.ts';
import type { Embeddings } from './objective.ts';
import { embedTexts, type TextRows, totalRows } from './text-groups.ts';

export interface TowersOptions {
  /** Pictures, and sentences, at once. */
  batch: number;
  /** Tokens a sentence. */
  textLength: number;
  regularisation: RegularisationConfig;
  imageTower: ImageTowerConfig;
  /** Sentences that are embedded with the captions. */
  beside: Omit<TextRows, 'texts'>;
  /** Whether the loss reads pictures and captions. Without it nothing that it reads is made of them. @default true */
  pictures?: boolean;
  /** The frozen beginning of the image tower, where it is no part of the program. */
  below?: Pick<FrozenBelow, 'name' | 'shape'> | undefined;
  /** Whether the loss reads the features below the projection, too. @default false */
  readsFeatures?: boolean;
  /** Whether a batch norm uses its running statistics as they are; others take those of the batch and let them run. */
  keepsStatistics(norm: string): boolean;
}

export interface TrainedTowers extends Embeddings {
  noise: Noise;
  /** Next running statistics of batch norms, by the parameter's name. */
  statistics: Map<string, Value>;
}

/**
 * Embeds the inputs `pixels` [batch, ...pictureShape(architecture.image)] (or, in their place, `image_features` [batch, width of the tower's
 * features] or `features` [batch, size]), `tokens` [batch, length] and those of embedTexts.
 * @throws EidosError `invalid_option` for noise that the towers cannot have
 */
export function trainedTowers(
  architecture: ClipArchitecture,
  input: Inputs,
  options: TowersOptions,
): TrainedTowers {
  const { batch, textLength, imageTower, beside, pictures = true, readsFeatures = false } = options;
  const rows = { texts: pictures ? batch : 0, ...beside };
  const random = noise(architecture, input, options.regularisation, {
    images: batch,
    texts: totalRows(rows),
  });
  const hooksOf = (tower: 'image' | 'text') => ({
    branch: random.branch[tower],
    dropout: random.dropout[tower],
  });
  const statistics = new Map<string, Value>();
  const embedImages = (): { embedded: Value; seen?: Value } => {
    switch (imageTower.kind) {
      case 'model': {
        const { below } = options;
        // Nothing reads the pixels where the tower begins above what is frozen.
        const pixels = input('pixels', [batch, ...pictureShape(architecture.image)]);
        const hooks: ImageEncoderOptions = {
          ...hooksOf('image'),
          watch: (name, value) => (name === below?.name ? input(belowInput, [batch, ...below.shape]) : value),
          keptPatches: random.keptPatches,
          onStatistics: (norm) =>
            !pictures || options.keepsStatistics(norm)
              ? undefined
              : (name, next) => statistics.set(name, next),
        };
        if (!readsFeatures) return { embedded: imageEncoder(architecture, pixels, hooks) };
        const seen = imageFeatures(architecture, pixels, hooks);
        return { seen, embedded: projectImage(architecture, seen, hooks) };
      }
      case 'features': {
        const seen = input('image_features', [batch, imageFeatureWidth(architecture.image)]);
        return { seen, embedded: projectImage(architecture, seen, hooksOf('image')) };
      }
      case 'teacher':
        return { embedded: mapFeatures(architecture, input('features', [batch, imageTower.size])) };
    }
  };
  const { embedded, seen } = embedImages();

  return {
    images: normalize(embedded),
    seen,
    ...embedTexts(architecture, input, rows, { textLength, ...hooksOf('text') }),
    noise: random,
    statistics,
  };
}

/** Features [batch, size] → embeddings [batch, embeddingSize]; the map is no part of the model. */
function mapFeatures({ embeddingSize }: ClipArchitecture, features: Value): Value {
  const size = Number(features.shape[1]);
  return linear(
    features,
    parameter('features.projection.weight', [embeddingSize, size], normal(size ** -0.5)),
  );
}
