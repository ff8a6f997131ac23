/** The towers as a step trains them: with noise, and above or beside features in the image tower's place if wanted. */
import { linear, normalize } from '../../graph/derived.ts';
import { normal } from '../../graph/initialise.ts';
import { concat, parameter, slice } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { imageEncoder, textEncoder } from '../../models/clip.ts';
import { imageFeatureWidth, projectImage } from '../../models/image-encoder.ts';
import type { ImageTowerConfig, RegularisationConfig } from './config.ts';
import type { Inputs } from './inputs.ts';
import { type Noise, noise } from './noise.ts';
import type { Embeddings } from './objective.ts';

export interface TowersOptions {
  /** Pictures, and sentences, at once. */
  batch: number;
  /** Tokens a sentence. */
  textLength: number;
  regularisation: RegularisationConfig;
  imageTower: ImageTowerConfig;
  /** Classes whose words are embedded with the sentences; 0 for none. */
  embeddedClasses: number;
  /** Whether a batch norm uses its running statistics as they are; others take those of the batch and let them run. */
  keepsStatistics(norm: string): boolean;
}

export interface TrainedTowers extends Embeddings {
  noise: Noise;
  /** Next running statistics of batch norms, by the parameter's name. */
  statistics: Map<string, Value>;
}

/**
 * Embeds the inputs `pixels` [batch, 3, side, side] (or, in their place, `image_features` [batch, width of the tower's
 * features] or `features` [batch, size]), `tokens` [batch, length] and `class_tokens` [classes, length].
 * @throws EidosError `invalid_option` for noise that the towers cannot have
 */
export function trainedTowers(
  architecture: ClipArchitecture,
  input: Inputs,
  options: TowersOptions,
): TrainedTowers {
  const { batch, textLength, imageTower, embeddedClasses } = options;
  const texts = batch + embeddedClasses;
  const random = noise(architecture, input, options.regularisation, { images: batch, texts });
  const statistics = new Map<string, Value>();
  const embedImages = (): Value => {
    switch (imageTower.kind) {
      case 'model': {
        const side = architecture.image.imageSize;
        return imageEncoder(architecture, input('pixels', [batch, 3, side, side]), {
          keptPatches: random.keptPatches,
          branch: random.branch.image,
          onStatistics: (norm) =>
            options.keepsStatistics(norm) ? undefined : (name, next) => statistics.set(name, next),
        });
      }
      case 'features': {
        const seen = input('image_features', [batch, imageFeatureWidth(architecture.image)]);
        return projectImage(architecture, seen);
      }
      case 'teacher':
        return mapFeatures(architecture, input('features', [batch, imageTower.size]));
    }
  };
  const images = embedImages();

  const tokens = input('tokens', [batch, textLength], 'int64');
  const sentences =
    embeddedClasses === 0
      ? tokens
      : concat([tokens, input('class_tokens', [embeddedClasses, textLength], 'int64')], 0);
  const embedded = normalize(textEncoder(architecture, sentences, { branch: random.branch.text }));
  return {
    images: normalize(images),
    texts: embeddedClasses === 0 ? embedded : slice(embedded, 0, 0, batch),
    classes: embeddedClasses === 0 ? undefined : slice(embedded, 0, batch, texts),
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
