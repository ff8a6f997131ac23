/** All published layouts, and the way from the names and shapes of a checkpoint to its architecture. */
import { EidosError } from '../../errors.ts';
import type {
  ClipArchitecture,
  ImageArchitecture,
  ImageClassifierArchitecture,
  Projection,
  TextArchitecture,
  VitStem,
} from '../../models/architecture.ts';
import { imageFeatureWidth } from '../../models/image/encoder.ts';
import { heightAndWidth } from '../../models/sides.ts';
import { limits } from '../limits.ts';
import { efficientNetLite } from './efficientnet-lite.ts';
import { eidos } from './eidos.ts';
import { unsupportedFamily } from './families.ts';
import { huggingFaceClip, huggingFaceSiglip } from './hugging-face/clip-and-siglip.ts';
import { huggingFacePair } from './hugging-face/pairs.ts';
import type {
  Configurations,
  ImageClassifierLayout,
  ImageClassifierLayoutName,
  Layout,
  LayoutName,
  LayoutOptions,
} from './layout.ts';
import { openAi, openClip, openClipCustomText, openClipTimmSiglip } from './open-clip/layouts.ts';
import { shapeTable } from './shape-table.ts';

/** One row a layout. */
export const layouts: { readonly [L in LayoutName]: Layout } = {
  openai: openAi,
  open_clip_custom_text: openClipCustomText,
  open_clip_timm_siglip: openClipTimmSiglip,
  open_clip: openClip,
  hugging_face_clip: huggingFaceClip,
  hugging_face_siglip: huggingFaceSiglip,
  hugging_face_pair: huggingFacePair,
  eidos,
};

/** One row a layout of image classifiers. */
export const imageClassifierLayouts: {
  readonly [L in ImageClassifierLayoutName]: ImageClassifierLayout;
} = { efficientnet_lite: efficientNetLite };

/** A recognised checkpoint: its layout, the prefix before all its names, and what it is. */
export interface Recognised {
  layout: LayoutName;
  /** What stands before the layout's names, such as `state_dict.module.` in training checkpoints. */
  prefix: string;
  architecture: ClipArchitecture;
}

/** The same for an image classifier. */
export interface RecognisedImageClassifier {
  layout: ImageClassifierLayoutName;
  prefix: string;
  architecture: ImageClassifierArchitecture;
}

/**
 * What image classifier the names and shapes of a checkpoint's tensors are of; undefined where they are of none.
 * @throws EidosError `unsupported_checkpoint` for variants that eidos does not have, `invalid_checkpoint` for tensors
 * that are missing or of the wrong shape.
 */
export function imageClassifierFromShapes(
  shapes: ReadonlyMap<string, readonly number[]>,
): RecognisedImageClassifier | undefined {
  for (const layout of Object.keys(imageClassifierLayouts) as ImageClassifierLayoutName[]) {
    const row = imageClassifierLayouts[layout];
    const prefix = prefixBefore(row.anchor, shapes.keys());
    const own = withoutPrefix(shapes, prefix);
    if (!row.recognise(own)) continue;
    const architecture = row.architecture(shapeTable(own));
    checkImageSizes(architecture.image, [architecture.classes]);
    return { layout, prefix, architecture };
  }
  return undefined;
}

/**
 * The architecture of a checkpoint from the names and shapes of its tensors, and its configuration where there is one.
 * @throws EidosError `unsupported_checkpoint` naming the model family, `config_mismatch` naming field and tensor,
 * `invalid_checkpoint` naming a tensor that is missing or of the wrong shape.
 */
export function architectureFromShapes(
  shapes: ReadonlyMap<string, readonly number[]>,
  configurations: Configurations = {},
  options: LayoutOptions = {},
): Recognised {
  const prefix = prefixBefore('logit_scale', shapes.keys());
  const own = withoutPrefix(shapes, prefix);
  const isDetector = shapes.has('class_head.dense0.weight');
  for (const layout of Object.keys(layouts) as LayoutName[]) {
    const row = layouts[layout];
    // The towers of a detector are CLIP's under another prefix; its heads would be dropped without a word.
    if (isDetector || !row.recognise(own)) continue;
    const architecture = row.architecture(shapeTable(own), configurations, options);
    checkSizes(architecture);
    checkDepth(architecture, own.size);
    checkEmbeddings(architecture);
    return { layout, prefix, architecture };
  }
  const family = unsupportedFamily(isDetector ? shapes.keys() : own.keys());
  throw new EidosError(
    'unsupported_checkpoint',
    family === undefined
      ? `These ${shapes.size} tensors (${[...shapes.keys()].slice(0, 3).join(', ')} …) are no CLIP in a layout that eidos knows: ${Object.keys(layouts).join(', ')}.`
      : `The checkpoint is ${family}, which eidos does not have.`,
  );
}

/** Shapes are only claims until the numbers are read: sizes that no model has are refused before anything is built of them. */
function checkSizes({ image, text, embeddingSize }: ClipArchitecture): void {
  checkClaims([
    ['text positions', text.contextLength, limits.contextLength],
    ['words', text.vocabularySize, limits.vocabularySize],
  ]);
  checkImageSizes(image, [...textWidths(text), embeddingSize]);
}

/** Every block has tensors of its own: deeper than there are tensors no model is, whatever its configuration claims. */
function checkDepth({ image, text }: ClipArchitecture, tensors: number): void {
  for (const [tower, blocks] of [
    ['image', imageBlocks(image)],
    ['text', text.layers],
  ] as const) {
    if (blocks <= tensors) continue;
    throw new EidosError(
      'config_mismatch',
      `The configuration gives the ${tower} tower ${blocks} blocks, and the checkpoint has ${tensors} tensors in all.`,
    );
  }
}

/** Blocks of an image tower, all stages together. */
function imageBlocks(image: ImageArchitecture): number {
  const stages = (() => {
    switch (image.kind) {
      case 'vit':
        return [image.layers];
      case 'resnet':
        return image.layers;
      case 'basic_resnet':
      case 'convnext':
        return image.blocks;
      case 'efficientnet':
      case 'fastvit':
        return image.stages.map(({ blocks }) => blocks);
    }
  })();
  return stages.reduce((sum, blocks) => sum + blocks, 0);
}

/** @param others widths besides those of the image tower */
function checkImageSizes(image: ImageArchitecture, others: readonly number[]): void {
  checkClaims([
    ['pixels a side', Math.max(...heightAndWidth(image.imageSize)), limits.imageSize],
    ['numbers in its widest layer', Math.max(...imageWidths(image), ...others), limits.width],
  ]);
}

function checkClaims(claims: readonly [name: string, size: number, limit: number][]): void {
  for (const [name, size, limit] of claims) {
    if (size < 1 || size > limit) {
      throw new EidosError(
        'invalid_checkpoint',
        `The model claims ${size} ${name}; up to ${limit} are believed.`,
      );
    }
  }
}

/** The widths of an image tower's layers. */
function imageWidths(image: ImageArchitecture): readonly number[] {
  switch (image.kind) {
    case 'vit':
      return [image.width, image.mlpWidth, ...stemWidths(image.stem)];
    case 'resnet':
      return [image.width];
    case 'basic_resnet':
      return image.widths;
    case 'convnext':
      return image.widths.map((width) => 4 * width);
    case 'fastvit':
      return [image.headWidth, ...image.stages.flatMap(({ width, mlpWidth }) => [width, mlpWidth])];
    case 'efficientnet': {
      const { stemWidth, stages, headWidth, projection } = image;
      const inside = stages.flatMap(({ width, expansion }, at) => {
        const from = at === 0 ? stemWidth : stages[at - 1]!.width;
        return [width, expansion * Math.max(from, width)];
      });
      return [stemWidth, ...inside, 2 * headWidth, projection.kind === 'linear' ? 1 : projection.hidden];
    }
  }
}

function stemWidths(stem: VitStem | undefined): readonly number[] {
  if (stem === undefined) return [];
  if (stem.kind === 'convolutions') return stem.widths;
  return [stem.stemWidth, ...stem.stages.map(({ width, expansion }) => width * expansion)];
}

/** The widths of a text tower's layers. */
function textWidths(text: TextArchitecture): readonly number[] {
  if (text.kind !== 'averaging') return [text.width, text.mlpWidth];
  const { width, ngrams, hidden } = text;
  const unfolded = ngrams.map(({ size }) => size * width);
  return [...unfolded, ngrams.reduce((sum, ngram) => sum + ngram.width, width), hidden];
}

/** Towers without a projection must give vectors of the embedding's length by themselves. */
function checkEmbeddings({ image, text, embeddingSize }: ClipArchitecture): void {
  // Convolutional towers besides FastViT always have a projection.
  const free = image.kind === 'vit' || image.kind === 'fastvit' ? image : undefined;
  const pooled = free === undefined ? embeddingSize : imageFeatureWidth(free);
  const ends: [tower: string, projection: Projection, width: number][] = [
    ['image', free?.projection ?? 'linear', pooled],
    ['text', text.projection, text.kind === 'averaging' ? text.hidden : text.width],
  ];
  for (const [tower, projection, width] of ends) {
    if (projection !== 'none' || width === embeddingSize) continue;
    throw new EidosError(
      'invalid_checkpoint',
      `The ${tower} tower gives ${width} numbers and has no projection to the ${embeddingSize} of the embedding; the checkpoint is incomplete.`,
    );
  }
}

/** The entries that begin with a prefix, without it. */
export function withoutPrefix<T>(entries: ReadonlyMap<string, T>, prefix: string): Map<string, T> {
  const result = new Map<string, T>();
  for (const [name, value] of entries)
    if (name.startsWith(prefix)) result.set(name.slice(prefix.length), value);
  return result;
}

/** Every CLIP has one `logit_scale` at its root: what stands before the shortest such name stands before all. */
function prefixBefore(anchor: string, names: Iterable<string>): string {
  let prefix: string | undefined;
  for (const name of names) {
    if (name !== anchor && !name.endsWith(`.${anchor}`)) continue;
    const candidate = name.slice(0, -anchor.length);
    if (prefix === undefined || candidate.length < prefix.length) prefix = candidate;
  }
  return prefix ?? '';
}
