/** The towers that stand under open_clip's names: each image tower goes with each text tower. */
import { EidosError } from '../../../errors.ts';
import type {
  Activation,
  ConvNextArchitecture,
  FastVitArchitecture,
  ImageArchitecture,
  ResNetArchitecture,
  TextArchitecture,
  TransformerTextArchitecture,
  VitArchitecture,
} from '../../../models/architecture.ts';
import { clipPreprocessing, type ImagePreprocessing } from '../../../models/preprocessing.ts';
import type { OpenClipConfig } from '../../configuration/open-clip.ts';
import { bareActivation } from '../conventions.ts';
import type { NameTable } from '../names.ts';
import type { ShapeTable } from '../shape-table.ts';
import {
  huggingFaceText,
  huggingFaceTextIgnores,
  huggingFaceTextNames,
  isHuggingFaceText,
} from './hugging-face-text.ts';
import { isOpenAiResNet, openAiResNet, openAiResNetNames } from './resnet.ts';
import { lastTokenText, openAiText, openAiTextNames, openAiTextTower } from './text.ts';
import {
  isTimmConvNext,
  timmConvNext,
  timmConvNextEmbeddingSize,
  timmConvNextNames,
} from './timm-convnext.ts';
import { isTimmFastVit, timmFastVit, timmFastVitEmbeddingSize, timmFastVitNames } from './timm-fastvit.ts';
import {
  isTimmSiglip,
  isTimmVit,
  timmVit,
  timmVitEmbeddingSize,
  timmVitNames,
  timmVitPreprocessing,
} from './timm-vit.ts';
import { isClipa, isOpenAiVit, openAiVit, openAiVitNames } from './vit.ts';

/** What a part is read from. */
export interface PartSource {
  table: ShapeTable;
  config: OpenClipConfig | undefined;
  /** What the caller says of all MLPs, over everything else. */
  activation: Activation | undefined;
}

export interface ImagePart<T extends ImageArchitecture = ImageArchitecture> {
  recognise(shapes: ReadonlyMap<string, readonly number[]>): boolean;
  /** @throws EidosError as a layout's `architecture` does */
  read(source: PartSource): T;
  /** The length of embeddings, and the tensor that shows it. */
  embeddingSize(table: ShapeTable): number;
  embeddingTensor: string;
  names(image: T, table: ShapeTable): NameTable;
  preprocessing(image: T): ImagePreprocessing;
}

export interface TextPart {
  recognise(shapes: ReadonlyMap<string, readonly number[]>): boolean;
  read(source: PartSource): TextArchitecture;
  names(text: TextArchitecture, table: ShapeTable): NameTable;
  /** Names that carry nothing the tower needs. */
  ignores(name: string): boolean;
}

const openAiVitPart: ImagePart<VitArchitecture> = {
  recognise: (shapes) => shapes.has('visual.class_embedding'),
  read(source) {
    const { table, config } = source;
    const act = config?.model.vision_cfg.act_kwargs?.approximate;
    return openAiVit(table, config, chosenActivation(source, act));
  },
  embeddingSize: (table) =>
    table.has('visual.proj') ? table.axis('visual.proj', 2, 1) : table.axis('visual.ln_post.weight', 1, 0),
  embeddingTensor: 'visual.proj',
  names: openAiVitNames,
  preprocessing(image) {
    const clip = { ...clipPreprocessing, size: image.imageSize };
    if (image.normBefore || image.pool.kind !== 'average') return clip;
    // CLIPA was trained on squashed pictures, with ImageNet's statistics.
    return {
      ...clip,
      resize: 'squash',
      interpolation: 'bilinear',
      mean: [0.485, 0.456, 0.406],
      deviation: [0.229, 0.224, 0.225],
    };
  },
};

const openAiResNetPart: ImagePart<ResNetArchitecture> = {
  recognise: (shapes) => shapes.has('visual.attnpool.positional_embedding'),
  read({ table, config }) {
    if (isOpenAiResNet(table)) return openAiResNet(table, config);
    throw new EidosError(
      'unsupported_checkpoint',
      "The image tower under 'visual.' is neither OpenAI's Vision Transformer nor its ResNet.",
    );
  },
  embeddingSize: (table) => table.axis('visual.attnpool.c_proj.weight', 2, 0),
  embeddingTensor: 'visual.attnpool.c_proj.weight',
  names: openAiResNetNames,
  preprocessing: ({ imageSize }) => ({ ...clipPreprocessing, size: imageSize }),
};

const timmVitPart: ImagePart<VitArchitecture> = {
  recognise: isTimmVit,
  read: ({ table, config, activation }) => timmVit(table, config, activation),
  embeddingSize: timmVitEmbeddingSize,
  embeddingTensor: 'visual.trunk.head.weight',
  names: timmVitNames,
  preprocessing: timmVitPreprocessing,
};

const timmConvNextPart: ImagePart<ConvNextArchitecture> = {
  recognise: isTimmConvNext,
  read: ({ table, config }) => timmConvNext(table, config),
  embeddingSize: timmConvNextEmbeddingSize,
  embeddingTensor: 'visual.head.proj.weight',
  names: timmConvNextNames,
  preprocessing: ({ imageSize }) => ({ ...clipPreprocessing, size: imageSize }),
};

const timmFastVitPart: ImagePart<FastVitArchitecture> = {
  recognise: isTimmFastVit,
  read: ({ table, config }) => timmFastVit(table, config),
  embeddingSize: timmFastVitEmbeddingSize,
  embeddingTensor: 'visual.trunk.head.fc.weight',
  names: timmFastVitNames,
  preprocessing: ({ imageSize }) => ({ ...clipPreprocessing, size: imageSize }),
};

/** The image towers, each recognised by tensors that no other has. */
export const imageParts = [
  openAiVitPart,
  openAiResNetPart,
  timmVitPart,
  timmConvNextPart,
  timmFastVitPart,
] as readonly ImagePart[];

/** The part of an image tower of a kind, timm's or OpenAI's own. */
export function imagePartOf(kind: ImageArchitecture['kind'], timm: boolean): ImagePart | undefined {
  const part = {
    vit: timm ? timmVitPart : openAiVitPart,
    resnet: openAiResNetPart,
    convnext: timmConvNextPart,
    fastvit: timmFastVitPart,
  };
  return kind in part ? (part[kind as keyof typeof part] as ImagePart) : undefined;
}

/** OpenAI's text tower, at the top of the checkpoint or under a prefix. */
export function openAiTextPart(prefix: '' | 'text.'): TextPart {
  return {
    recognise: (shapes) =>
      shapes.has(`${prefix}token_embedding.weight`) && shapes.has(`${prefix}positional_embedding`),
    read(source) {
      const { table, config } = source;
      const conventions = isTimmSiglip(table.shapes)
        ? { ...lastTokenText, ...(config === undefined ? { normEpsilon: 1e-6 } : {}) }
        : isClipa(table)
          ? lastTokenText
          : openAiText;
      const act = config?.model.text_cfg.act_kwargs?.approximate;
      return openAiTextTower(table, prefix, config, {
        ...conventions,
        activation: chosenActivation(source, act, prefix),
      });
    },
    names: (text, table) => openAiTextNames(text, prefix, table),
    ignores: () => false,
  };
}

export const huggingFaceTextPart: TextPart = {
  recognise: isHuggingFaceText,
  read: ({ table, config }) => huggingFaceText(table, config),
  names: (text, table) => huggingFaceTextNames(text as TransformerTextArchitecture, table),
  ignores: huggingFaceTextIgnores,
};

/** What open_clip's own towers use; without a configuration, what models of the size were published with. */
function chosenActivation(
  { table, config, activation }: PartSource,
  approximate: 'none' | 'tanh' | undefined,
  textPrefix?: '' | 'text.',
): Activation {
  if (activation !== undefined) return activation;
  if (config === undefined) {
    const vitWidth = isOpenAiVit(table) ? table.axis('visual.conv1.weight', 4, 0) : undefined;
    // Towers of text under a prefix are open_clip's alone, whose default is exact GELU.
    const openClip = textPrefix === 'text.' || table.has('text.token_embedding.weight');
    return openClip ? 'gelu' : bareActivation(vitWidth, isClipa(table));
  }
  if (config.model.quick_gelu === true) return 'quick_gelu';
  return approximate === 'tanh' ? 'gelu_tanh' : 'gelu';
}
