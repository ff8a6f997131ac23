/** What a training begins with: the architecture, its first weights, its tokenizer and how pictures are prepared. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Checkpoint, canonicalShapes, openCheckpoint, parameterShape } from '../../checkpoint/index.ts';
import { bundledModel, findModel } from '../../clip/load.ts';
import { EidosError } from '../../errors.ts';
import { initialValues } from '../../graph/initialise.ts';
import type { FloatTensor } from '../../graph/tensor.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { parametersOfClip } from '../../models/parameters.ts';
import { clipPreprocessing } from '../../models/preprocessing.ts';
import { squareSide } from '../../models/sides.ts';
import { loadTokenizer } from '../../text/load-tokenizer.ts';
import { openAiVocabularyFile } from '../../text/openai-vocabulary.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import { usualVocabulary } from '../../text/train-vocabulary.ts';
import type { TrainingConfig } from '../config.ts';
import type { TokenizerConfig } from '../data/config.ts';
import { readsPictures } from '../step/text-groups.ts';
import { architectureOf, preprocessingOf } from './architecture-config.ts';
import { readCheckpoint } from './checkpoints.ts';
import {
  type FirstImageTower,
  imageTowerValues,
  learnedNumbers,
  openFirstImageTower,
} from './image-beginning.ts';
import { folderOfCheckpoint } from './places.ts';
import type { PublishedModel } from './publish.ts';

export interface Beginning extends PublishedModel {
  tokenizer: Tokenizer;
}

/** A vocabulary learned from the data, with its files. */
export interface LearnedTokenizer {
  tokenizer: Tokenizer;
  files: Readonly<Record<string, string>>;
}

/** What a configuration begins with. */
export interface FirstModel {
  /** Undefined where all is new that nothing else begins. */
  model?: Checkpoint | undefined;
  /** Where the model is a checkpoint of a training: all that it has, heads of losses included. */
  state?: ReadonlyMap<string, FloatTensor> | undefined;
  /** What begins the image tower in the model's place. */
  image?: FirstImageTower | undefined;
}

/** The models that a configuration begins with. */
export async function findFirstModel(config: TrainingConfig): Promise<FirstModel> {
  const { initialise, architecture } = config;
  const image =
    initialise?.image === undefined ? undefined : await openFirstImageTower(initialise.image.from);
  const source = initialise?.from ?? (architecture === undefined ? bundledModel : undefined);
  if (source === undefined) return { image };
  const folder = folderOfCheckpoint(source);
  if (folder === undefined) return { image, model: await openCheckpoint(await findModel(source)) };
  const { state } = await readCheckpoint(source);
  return { image, model: await openCheckpoint(folder), state };
}

/** Side of the pictures that the network will see. */
export function imageSizeOf({ architecture }: TrainingConfig, { model }: FirstModel): number {
  return squareSide((architecture ?? model!.architecture).image.imageSize, 'training');
}

/**
 * @param earlier the folder of an earlier part of the training, whose tokenizer it keeps
 * @param learnTokenizer called where a vocabulary is to be learned
 * @throws EidosError `invalid_option` where the configuration contradicts the model that it begins with
 */
export async function beginTraining(
  config: TrainingConfig,
  first: FirstModel,
  earlier: string | undefined,
  learnTokenizer: (wanted: VocabularyConfig) => Promise<LearnedTokenizer>,
): Promise<Beginning> {
  const { model, image } = first;
  const wanted =
    config.tokenizer ??
    (model === undefined ? { train: { ...usualVocabulary, texts: [] } } : { from: model.folder });
  const { tokenizer, files } =
    'from' in wanted
      ? await readTokenizer(wanted.from, config, model)
      : earlier === undefined
        ? await learnTokenizer(wanted.train)
        : await readTokenizer(earlier, config, undefined);
  const architecture = architectureFor(config, model, tokenizer);
  requireFittingTokenizer(architecture, tokenizer);
  return {
    architecture,
    preprocessing: preprocessingOf(
      config.preprocessing,
      squareSide(architecture.image.imageSize, 'training'),
      image?.opened.preprocessing ?? model?.preprocessing ?? clipPreprocessing,
    ),
    tokenizer,
    tokenizerFiles: files,
    firstValues: withUnseenTower(await valuesOf(first, architecture, config), architecture, config),
  };
}

/**
 * Where a teacher's features stand for pictures, or all that is learned is text, no step sees the image tower, which is
 * part of the model all the same: a new one is as random as any. Text alone has no temperature either.
 */
function withUnseenTower(
  values: ReadonlyMap<string, FloatTensor>,
  architecture: ClipArchitecture,
  { imageTower, loss, seed }: TrainingConfig,
): Map<string, FloatTensor> {
  const isUnseen = imageTower.kind === 'teacher' || !readsPictures(loss);
  const unseen = isUnseen ? parametersOfClip(architecture) : [];
  const random = unseen
    .filter(({ name }) => !name.startsWith('text.') && !values.has(name))
    .map((parameter): [string, FloatTensor] => [
      parameter.name,
      { data: initialValues(parameter, seed), shape: [...parameter.shape] },
    ]);
  return new Map([...random, ...values]);
}

export type VocabularyConfig = Extract<TokenizerConfig, { train: unknown }>['train'];

/**
 * The architecture that a configuration asks for, or that of the model that it begins with.
 * @throws EidosError `invalid_option` for sizes that do not fit each other
 */
export function architectureFor(
  config: TrainingConfig,
  model: Checkpoint | undefined,
  tokenizer: Pick<Tokenizer, 'contextLength' | 'vocabularySize'>,
): ClipArchitecture {
  if (config.architecture !== undefined) {
    return architectureOf(config.architecture, tokenizer, config.probability ?? 'softmax');
  }
  const { architecture } = model!;
  const probability = config.probability ?? architecture.probability;
  return {
    ...architecture,
    probability,
    logitBias: architecture.logitBias || probability === 'sigmoid',
  };
}

function requireFittingTokenizer({ text }: ClipArchitecture, tokenizer: Tokenizer): void {
  const { vocabularySize, contextLength } = tokenizer;
  if (text.vocabularySize !== vocabularySize || text.contextLength !== contextLength) {
    throw new EidosError(
      'invalid_option',
      `"tokenizer" has ${vocabularySize} tokens and rows of ${contextLength}, the model ${text.vocabularySize} and ${text.contextLength}: leave it out to take the model's own, or give an "architecture" to begin the text tower anew.`,
    );
  }
}

/** Files that a tokenizer may consist of. */
const tokenizerFileNames = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'vocab.json',
  'merges.txt',
  openAiVocabularyFile,
];

async function readTokenizer(
  folder: string,
  config: TrainingConfig,
  model: Checkpoint | undefined,
): Promise<{ tokenizer: Tokenizer; files: Record<string, Uint8Array> }> {
  // A model keeps its sizes; for a new architecture those of the files count.
  const sizes =
    config.architecture === undefined && model !== undefined
      ? {
          contextLength: model.architecture.text.contextLength,
          vocabularySize: model.architecture.text.vocabularySize,
        }
      : {};
  const tokenizer = await loadTokenizer(folder, sizes);
  const files: Record<string, Uint8Array> = {};
  for (const name of tokenizerFileNames) {
    const content = await readFile(join(folder, name)).catch(() => undefined);
    if (content !== undefined) files[name] = content;
  }
  return { tokenizer, files };
}

/** The models' weights for the towers that begin with them. */
async function valuesOf(
  { model, state, image }: FirstModel,
  architecture: ClipArchitecture,
  { initialise }: TrainingConfig,
): Promise<Map<string, FloatTensor>> {
  const only = initialise?.only;
  const values =
    image === undefined ? new Map<string, FloatTensor>() : await imageTowerValues(image, architecture);
  if (model === undefined) return values;
  const shapes = canonicalShapes(architecture);
  for (const [name, shape] of shapes) {
    const tower = name.split('.')[0]!;
    if (only !== undefined && !only.some((wanted) => wanted === tower)) continue;
    if (image !== undefined && tower === 'image') continue;
    const stored = model.parameters.get(name);
    // The bias of the sigmoid loss may be new to the model.
    if (stored === undefined && name === 'logit_bias') continue;
    const storedShape = stored === undefined ? undefined : parameterShape(stored);
    if (stored === undefined || storedShape?.join() !== shape.join()) {
      throw new EidosError(
        'invalid_option',
        `"initialise.from": ${model.folder} has ${stored === undefined ? 'no' : `[${storedShape}] as`} ${name}, the architecture [${shape}]. Give the same "architecture", or name in "initialise.only" the tower that fits.`,
      );
    }
    values.set(name, { data: await learnedNumbers(name, state, stored), shape: [...shape] });
  }
  if (state === undefined || only !== undefined) return values;
  // What the losses have learned besides, such as the map to a teacher's features; rows of classes belong to the data.
  for (const [name, value] of state) {
    const isOfLosses = !shapes.has(name) && !name.includes(':');
    if (isOfLosses && !name.startsWith('classification.')) values.set(name, value);
  }
  return values;
}
