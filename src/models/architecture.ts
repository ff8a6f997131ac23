/** What a CLIP is made of, as plain data: everything that the towers need to know besides their weights. */
import type { PictureRotation } from './layers/rotary.ts';

/** The non-linearity of the MLPs: x·σ(1.702x), x·Φ(x), the tanh approximation of the latter, max(x, 0), x·σ(x). */
export type Activation = 'quick_gelu' | 'gelu' | 'gelu_tanh' | 'relu' | 'silu';

/** The side of a square in pixels, or height and width. */
export type Sides = number | readonly [height: number, width: number];

/**
 * The stack of residual attention blocks that image and text encoders share. Fields that may be left out say in what a
 * stack differs from CLIP's; where they are left out, it does not.
 */
export interface TransformerArchitecture {
  width: number;
  layers: number;
  heads: number;
  mlpWidth: number;
  activation: Activation;
  normEpsilon: number;
  /** Width of the queries of all heads together. @default `width` */
  attentionWidth?: number | undefined;
  /**
   * Where the norm of a branch stands.
   * - `before` the branch (Radford et al. 2019); `branch`: after it, before its result is added (EVA-02's largest);
   * - `sum`: after the addition (Vaswani et al. 2017, BERT).
   * @default 'before'
   */
  normPlace?: 'before' | 'branch' | 'sum' | undefined;
  /** Layer norm, or root mean squares alone, without shift (Zhang and Sennrich 2019, T5). @default 'layer' */
  normKind?: 'layer' | 'rms' | undefined;
  /** Norms within the branches. @default none */
  innerNorms?: readonly InnerNorm[] | undefined;
  /** A learned factor for each channel of what a branch adds (Touvron et al. 2021, LayerScale). @default false */
  layerScale?: true | undefined;
  /** A learned factor for each head (Shleifer et al. 2021, NormFormer). @default false */
  headScale?: true | undefined;
  /** `cosine`: cosines times a learned factor of at most 100 for each head; `unscaled`: products alone. @default products by √width */
  scores?: 'cosine' | 'unscaled' | undefined;
  /** Which maps of the attention have biases. @default 'all' */
  attentionBiases?: 'all' | 'no_keys' | 'none' | undefined;
  /** Whether the maps of the MLP have biases. @default true */
  mlpBiases?: false | undefined;
  /** The MLP multiplies act(G·x) by U·x (Shazeer 2020). @default false */
  gated?: true | undefined;
}

/**
 * Norms besides those of the branches: of each head's queries and keys (`queries_keys`); of the heads side by side, before
 * the output's map (`heads`); of what attention gives (`attention`); of what the MLP gets (`mlp`) and has inside (`hidden`).
 */
export type InnerNorm = 'queries_keys' | 'heads' | 'attention' | 'mlp' | 'hidden';

/** How the tower's result becomes an embedding: as it is, or through a linear map, with or without bias. */
export type Projection = 'none' | 'linear' | 'linear_bias';

/** A Vision Transformer. */
export interface VitArchitecture extends TransformerArchitecture {
  kind: 'vit';
  /** Sides of the input in pixels. */
  imageSize: Sides;
  patchSize: Sides;
  patchBias: boolean;
  /**
   * What is added to the tokens. `fixed`: a table that is kept with the weights and does not learn; `patches`: a learned one
   * that has no row for the class token. @default 'learned'
   */
  positions?: 'fixed' | 'patches' | 'none' | undefined;
  /** Queries and keys of the patches are turned by row and column besides. @default none */
  rotary?: PictureRotation | undefined;
  /** What makes the patches, where it is not one linear map. */
  stem?: VitStem | undefined;
  /** A learned token before the patches. */
  classToken: boolean;
  /** Layer norm between the embeddings and the first block. */
  normBefore: boolean;
  /** Layer norm of all tokens before pooling, of the pooled vector, or none. */
  normAfter: 'tokens' | 'pooled' | 'none';
  pool: ImagePool;
  projection: Projection;
}

/**
 * Convolutions in place of the linear map of patches.
 * - `convolutions`: each over its own stride, with batch norm and GELU after all but the last (MobileCLIP B).
 * - `inverted_residuals`: two convolutions, then stages of inverted residuals with layer norms over the channels, which
 *   halve the sides, and a convolution that halves them once more (Chen et al. 2024, ViTamin).
 */
export type VitStem =
  | { kind: 'convolutions'; kernels: readonly number[]; widths: readonly number[] }
  | {
      kind: 'inverted_residuals';
      stemWidth: number;
      stages: readonly { width: number; blocks: number; expansion: number }[];
    };

/**
 * How the tokens become one vector.
 * - `class`: the class token, once normed through tanh(W·x + b) where it is `dense` (BERT's pooler); `average`: the mean of the patch tokens (never the class token).
 * - `probe`: SigLIP's head, a learned query attends to all tokens, then a residual MLP.
 * - `queries`: CoCa's pooler, learned queries attend to the normalised tokens. The first one is the embedding, or the mean
 *   of the others (`take: 'others'`), or a second pooler of one query makes it, of the tokens (`second: 'parallel'`, the first
 *   pooler then serves captions alone) or of the first pooler's (`second: 'cascade'`).
 */
export type ImagePool =
  | { kind: 'class'; dense?: true | undefined }
  | { kind: 'average' }
  | { kind: 'probe'; heads: number; mlpWidth: number; activation: Activation }
  | {
      kind: 'queries';
      heads: number;
      queries: number;
      width: number;
      take?: 'others' | undefined;
      second?: 'parallel' | 'cascade' | undefined;
    };

/** CLIP's ModifiedResNet: a stem of three convolutions, anti-aliased strides, attention pooling. */
export interface ResNetArchitecture {
  kind: 'resnet';
  imageSize: number;
  /** Channels after the stem; stage i has width·2^i·4. */
  width: number;
  /** Blocks a stage. */
  layers: [number, number, number, number];
  /** Heads of the attention pooling. */
  heads: number;
}

/**
 * A residual net of basic blocks (He et al. 2016, figure 5 left) over patches. Convolutions over a few wide maps train
 * fast on a processor and learn much from few pictures.
 */
export interface BasicResNetArchitecture {
  kind: 'basic_resnet';
  /** Side of the square input in pixels; a multiple of what one place of the last map covers. */
  imageSize: number;
  /** Side of the patches whose pixels are the channels of the first convolution. */
  patchSize: number;
  /** Channels of the maps of each stage; from stage to stage the sides of the maps are halved. */
  widths: readonly number[];
  /** Residual blocks of each stage. */
  blocks: readonly number[];
}

/**
 * A ConvNeXt (Liu et al. 2022): patches, then blocks of a depthwise convolution and an MLP on each place; from stage to
 * stage the sides of the maps are halved.
 */
export interface ConvNextArchitecture {
  kind: 'convnext';
  /** Side of the square input in pixels; a multiple of what one place of the last map covers. */
  imageSize: number;
  patchSize: number;
  /** Channels of the maps of each stage. */
  widths: readonly number[];
  /** Blocks of each stage. */
  blocks: readonly number[];
  /** Side of the depthwise kernels; odd. */
  kernelSize: number;
  activation: Activation;
  normEpsilon: number;
  /** In which order the numbers of a patch stand: pixel by pixel, or channel by channel. @default 'pixels' */
  patchNumbers?: 'channels' | undefined;
  /** The projection is two maps. @default one without bias */
  projectionMlp?: ProjectionMlp | undefined;
}

/** W·gelu(U·x + b) as a projection: so many numbers inside, with b or without. */
export interface ProjectionMlp {
  hidden: number;
  bias: boolean;
}

/**
 * An EfficientNet (Tan and Le 2019) of the Lite family: inverted residuals without squeeze and excitation, rectified
 * units that end at six. Zeros are put around maps as TensorFlow's "SAME" does, so that any side is read.
 */
export interface EfficientNetArchitecture {
  kind: 'efficientnet';
  /** Side of the square input in pixels. */
  imageSize: number;
  /** Channels after the first convolution, which halves the sides. */
  stemWidth: number;
  stages: readonly InvertedResidualStage[];
  /** Channels of the last map, which a pointwise convolution makes of the last stage's. */
  headWidth: number;
  activation: 'relu6';
  normEpsilon: number;
  /** How the last map becomes one vector: its mean, or mean and maximum one after the other. */
  pool: 'average' | 'average_max';
  projection: ProjectionHead;
}

/** Blocks that widen each place, look around in each channel, and narrow again (Sandler et al. 2018, MobileNetV2). */
export interface InvertedResidualStage {
  /** Side of the depthwise kernels; odd. */
  kernelSize: number;
  /** By what the first block divides the sides of the maps. */
  stride: number;
  /** How many times wider a block is inside than what comes into it; 1 for no widening. */
  expansion: number;
  /** Channels of the stage's maps. */
  width: number;
  blocks: number;
}

/**
 * FastViT (Vasu et al. 2023), MobileCLIP's image tower: convolutions whose branches were folded into one after training, or
 * not yet, and attention in the last stages.
 */
export interface FastVitArchitecture {
  kind: 'fastvit';
  /** Side of the square input in pixels; a multiple of what one place of the last map covers. */
  imageSize: number;
  stages: readonly FastVitStage[];
  /** Whether the stem's convolutions have a branch of single places. */
  stemPoints: boolean;
  /** Whether each convolution's branches are one. */
  folded: boolean;
  attentionHeadWidth: number;
  /** The norm before attention: of the batch, or over the channels of each place. */
  attentionNorm: 'batch' | 'layer';
  /** Channels of the last map, and inside its squeeze and excitation. */
  headWidth: number;
  headSqueeze: number;
  normEpsilon: number;
  projection: Projection;
}

export interface FastVitStage {
  width: number;
  blocks: number;
  /** What lets places see others. */
  mixer: 'convolution' | 'attention';
  mlpWidth: number;
  /** Whether the stage begins by halving the sides, by kernels of such a side. */
  downsample: boolean;
  kernelSize: number;
  /** Width inside the squeeze and excitation of that. @default none */
  squeeze?: number | undefined;
  /** Side of the kernels that tell a place where it is (Chu et al. 2021). @default none */
  positions?: number | undefined;
}

/**
 * What makes an embedding of pooled features x.
 * - `linear`: W·x.
 * - `perceptron`: W·n + V·gelu(U·n + b) of n = layer norm(x), so many numbers inside.
 */
export type ProjectionHead = { kind: 'linear' } | { kind: 'perceptron'; hidden: number };

/** A text Transformer. */
export interface TransformerTextArchitecture extends TransformerArchitecture {
  /** May be left out: models made before there were other text towers do not say it. */
  kind?: 'transformer' | undefined;
  contextLength: number;
  vocabularySize: number;
  causal: boolean;
  positions: TextPositions;
  /** Rows of the table of positions. @default as many as the context needs */
  positionRows?: number | undefined;
  /** No token sees the padding, and positions may be counted without it. @default nothing is hidden */
  padToken?: number | undefined;
  /** Embeddings of words are multiplied by the root of the width (Vaswani et al. 2017, section 3.4). @default false */
  embeddingScale?: true | undefined;
  /** Kinds of sentences that have a vector each (Devlin et al. 2019), of which the first is added to all tokens. @default none */
  sentenceKinds?: number | undefined;
  /** A norm of the embeddings before the first block. @default false */
  normBefore?: true | undefined;
  /** A norm after the last block. @default true */
  normAfter?: false | undefined;
  pool: TextPool;
  projection: Projection;
  /** The projection is two maps. @default one, or none */
  projectionMlp?: ProjectionMlp | undefined;
}

/**
 * How a token knows its place.
 * - `learned`: a table; `sinusoidal`: sines and cosines in turn (Vaswani et al. 2017, section 3.5).
 * - `counted`: a table whose rows are counted over what is no padding, the first word's after the padding's id (RoBERTa);
 *   `counted_sinusoidal`: sines, then cosines, of places counted alike; padding has none (NLLB).
 * - `buckets`: scores are raised by a learned number for each distance, the far ones together (Raffel et al. 2020, T5).
 */
export type TextPositions = 'learned' | 'sinusoidal' | 'counted' | 'counted_sinusoidal' | 'buckets';

/**
 * How the tokens become one vector.
 * - `end`: the first end-of-text token; its id, or `highest` for the highest id of the sentence (OpenAI's rule).
 * - `first`, `last`: that position, whatever stands there; the first may go through W·x + b (`dense`), bent by tanh as BERT's pooler does.
 * - `mean`, `max`: over what is no padding.
 * - `class`: CoCa's learned token after the text; nothing sees the padding but for its first token.
 * - `attention`: a learned query attends to all tokens; nothing in the tower sees the padding.
 */
export type TextPool =
  | { kind: 'end'; endToken: number | 'highest' }
  | { kind: 'first'; dense?: { width: number; curve: 'tanh' | 'none' } | undefined }
  | { kind: 'last' }
  | { kind: 'mean' }
  | { kind: 'max' }
  | { kind: 'class'; padToken: number }
  | { kind: 'attention'; heads: number; padToken: number };

/**
 * A deep averaging network (Iyyer et al. 2015) over pieces of words and their n-grams, as the fast form of the Universal
 * Sentence Encoder (Cer et al. 2018) has it: sums over the sentence, then a perceptron. A fraction of a Transformer's work.
 */
export interface AveragingTextArchitecture {
  kind: 'averaging';
  contextLength: number;
  vocabularySize: number;
  /** Numbers that stand for a piece of a word. */
  width: number;
  /** Convolutions over neighbouring pieces (Kim 2014): over how many, each size once, and into how many numbers. */
  ngrams: readonly { size: number; width: number }[];
  /** Width of the perceptron. */
  hidden: number;
  /** Layers of the perceptron, of which all but the first are residual. */
  layers: number;
  /** The first end-of-text token ends a sentence; its id, or `highest` for the highest id of the sentence. */
  endToken: number | 'highest';
  activation: Activation;
  normEpsilon: number;
  projection: Projection;
}

/** The text towers. */
export type TextArchitecture = TransformerTextArchitecture | AveragingTextArchitecture;

/** The image towers. */
export type ImageArchitecture =
  | VitArchitecture
  | ResNetArchitecture
  | BasicResNetArchitecture
  | ConvNextArchitecture
  | EfficientNetArchitecture
  | FastVitArchitecture;

/** A net that names pictures by a list of classes, without words: an image tower and a classifier of its features. */
export interface ImageClassifierArchitecture {
  /** Its projection is not the net's: it is what a CLIP's tower that begins with the net has where nothing is said. */
  image: ImageArchitecture;
  classes: number;
}

/** Two towers and what compares them. */
export interface ClipArchitecture {
  /** Length of the embeddings, the same for both towers. */
  embeddingSize: number;
  image: ImageArchitecture;
  text: TextArchitecture;
  /** How cosines become probabilities: over the labels together, or each label for itself (SigLIP). */
  probability: 'softmax' | 'sigmoid';
  /** Whether a learned `logit_bias` is added to the scaled cosines. */
  logitBias: boolean;
}
