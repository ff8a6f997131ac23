/** The data of a training, as the loop and the network want them. */
import { EidosError } from '../../errors.ts';
import type { ImagePreprocessing } from '../../models/preprocessing.ts';
import { fillTemplate, promptTemplates } from '../../text/templates.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { TrainingConfig } from '../config.ts';
import type { Concept } from '../data/captions.ts';
import { createNameBatches, readClassNames } from '../data/class-names.ts';
import { openBatches } from '../data/loader.ts';
import { widthOfVectors } from '../data/sentences/open-sentences.ts';
import { openTextBatches } from '../data/sentences/text-batches.ts';
import { openData, type TrainingData } from '../data/training-data.ts';
import { asksAboutWhole, cachedNames, distillingLoss, embeddedNames } from '../step/distillation.ts';
import { cachedClasses, namingLoss } from '../step/objective.ts';
import type { OpenStepOptions } from '../step/open-step.ts';
import type { Tensors } from '../step/program.ts';
import { readsPictures, sentencesOf, translationsOf } from '../step/text-groups.ts';
import { type CachedClasses, sentencesOfClasses } from './cached-classes.ts';
import type { TrainingEvent } from './events.ts';
import type { BatchSource } from './loop.ts';

export { learnTokenizer } from '../data/tokenizer.ts';

/**
 * Opens the sources.
 * @throws EidosError what openData throws, `aborted` with the signal; `config_mismatch` where the image tower is made
 * for other features
 */
export async function openTrainingData(
  config: TrainingConfig,
  imageSize: number,
  onEvent: (event: TrainingEvent) => void,
  signal?: AbortSignal,
): Promise<TrainingData> {
  const data = await openData(config.data, {
    imageSize,
    kinds: (namingLoss(config.loss)?.kinds ?? 0) > 0,
    packs: config.imageTower.kind === 'model',
    textVectors: sentencesOf(config.loss) > 0,
    signal,
    onProgress: ({ stage, source, done, total }) => {
      const what =
        stage === 'packing' ? `Packing the pictures of ${source}` : `Asking the teacher about ${source}`;
      onEvent({ kind: 'preparing', what, done, total });
    },
  });
  if (data.size === 1) {
    throw new EidosError(
      'invalid_option',
      `The data have one picture (${data.sources.flatMap(({ pictures }) => pictures)[0]!.name}), which teaches nothing: pictures are told apart from others. Add pictures.`,
    );
  }
  if (data.size > 0 && config.batch > data.size) {
    const message = `"batch" is ${config.batch}, but the data have ${data.size} pictures: every step sees some more than once. Make "batch" ${data.size} or less, or add pictures.`;
    onEvent({ kind: 'warning', message });
  }
  const { features, similarities } = config.loss;
  const isTaught = [features, similarities].some((part) => (part?.weight ?? 0) > 0);
  if (!isTaught && isAllTheSame(data)) {
    const message = `All ${data.size} pictures have the same words ("${data.sources[0]!.pictures[0]!.concept?.key}"), from which nothing can be learned: more classes are needed, or captions. Where a table has these, name it as the source's path.`;
    onEvent({ kind: 'warning', message });
  }
  const { imageTower } = config;
  if (imageTower.kind === 'teacher' && imageTower.size !== data.lessons?.width) {
    throw new EidosError(
      'config_mismatch',
      `"imageTower.size" is ${imageTower.size}, but the data have ${data.lessons?.width} features a picture.`,
    );
  }
  const distilling = distillingLoss(config.loss);
  if (distilling === undefined) return data;
  const languages = Object.keys(config.data.captions.languages);
  return { ...data, names: await readClassNames(distilling.names, languages, distilling.kinds) };
}

/** Whether all that is said of any picture is the name of one and the same class. */
function isAllTheSame({ sources }: TrainingData): boolean {
  const [first, ...others] = sources
    .flatMap(({ pictures }) => pictures)
    .map(({ description: { captions }, concept }) =>
      Object.keys(captions).length === 0 ? concept?.key : undefined,
    );
  return first !== undefined && others.length > 0 && others.every((key) => key === first);
}

/** Of broken samples. */
const mostExamples = 5;

export interface OpenedBatches extends BatchSource {
  /** Samples that turned out broken so far. */
  broken(): { count: number; examples: readonly string[] };
  close(): Promise<void>;
}

/** @param firstStep steps that are behind */
export async function openTrainingBatches(
  data: TrainingData,
  config: TrainingConfig,
  { preprocessing, tokenizer }: { preprocessing: ImagePreprocessing; tokenizer: Tokenizer },
  firstStep: number,
): Promise<OpenedBatches> {
  const { loss, seed } = config;
  const texts = await openTextBatches(data.sentences, {
    sentences: sentencesOf(loss),
    translations: translationsOf(loss),
    tokenizer,
    seed,
  });
  const loader = readsPictures(loss)
    ? await openBatches(data, {
        preprocessing,
        tokenizer,
        batch: config.batch,
        seed,
        firstStep,
        threads: config.threads.data,
        pixels: config.imageTower.kind === 'model',
        wholeFeatures: asksAboutWhole(loss),
        classTargets: namingLoss(loss),
      })
    : undefined;
  const names =
    embeddedNames(loss, data.names?.concepts.length) === 0
      ? undefined
      : createNameBatches(data.names!.concepts, config.data.captions, tokenizer, seed);
  const brokenLines = data.sentences.flatMap(({ broken }) => broken);
  let step = firstStep;
  return {
    async next() {
      const number = step++;
      const [pairs, beside] = await Promise.all([loader?.next(), texts.make(number)]);
      const tensors = { ...pairs, ...beside } as Tensors;
      if (names !== undefined) {
        const shape = [data.names!.concepts.length, tokenizer.contextLength];
        tensors.name_tokens = { type: 'int64', data: names(number), shape };
      }
      return {
        tensors,
        samples: () => [...(loader?.namesOf(number) ?? []), ...texts.textsOf(number)],
      };
    },
    broken() {
      const ofPictures = loader?.broken ?? { count: 0, examples: [] };
      const examples = brokenLines.map(({ name, reason }) => `${name}: ${reason}`);
      return {
        count: ofPictures.count + brokenLines.length,
        examples: [...ofPictures.examples, ...examples].slice(0, mostExamples),
      };
    },
    async close() {
      await loader?.close();
      texts.close();
    },
  };
}

/** What of the data a step is made for. */
export interface DataSizes {
  classCount: number;
  /** Of a teacher, where there is one. */
  featureWidth: number | undefined;
  /** Names that an image net's own classifier is foretold by, where a part of the loss is about it. */
  nameCount: number | undefined;
  /** Classes of that classifier, where there are more names than classes. */
  namedClasses?: number | undefined;
  /** Of a text teacher, where there is one. */
  sentenceWidth: number | undefined;
}

export function sizesOf({ classes, lessons, names, sentences }: TrainingData): DataSizes {
  return {
    classCount: classes.length,
    featureWidth: lessons?.width,
    nameCount: names?.concepts.length,
    namedClasses: names?.shares === undefined ? undefined : names.classes,
    sentenceWidth: widthOfVectors(sentences),
  };
}

/** What a training's step is, given what its data turned out to be. */
export function stepOptions(
  config: TrainingConfig,
  { classCount, featureWidth, nameCount, namedClasses, sentenceWidth }: DataSizes,
): OpenStepOptions {
  const { batch, chunk, loss, optimizer, regularisation, freeze, imageTower } = config;
  return {
    batch,
    chunk,
    targets: true,
    classes: classCount === 0 ? undefined : classCount,
    features: featureWidth,
    names: nameCount,
    namedClasses,
    sentenceWidth,
    loss,
    optimizer,
    regularisation,
    freeze,
    imageTower,
  };
}

/** What of the classes' words a step needs: the same in every step, or what to embed now and then. */
export function stepClasses(
  { loss, data: { captions } }: Pick<TrainingConfig, 'loss' | 'data'>,
  { classes, names }: Pick<TrainingData, 'classes' | 'names'>,
  tokenizer: Tokenizer,
): { constants: Tensors; cachedClasses: CachedClasses[] } {
  const languages = Object.keys(captions.languages);
  const naming = namingLoss(loss);
  const distilling = distillingLoss(loss);
  const cached = (state: string, concepts: readonly Concept[], everySteps: number): CachedClasses => ({
    state,
    sentences: sentencesOfClasses(concepts, languages),
    count: concepts.length,
    tokenizer,
    everySteps,
  });
  return {
    constants: {
      ...(naming?.classes === 'embedded' ? classTokens(classes, tokenizer) : {}),
      ...(names?.shares === undefined
        ? {}
        : {
            name_shares: {
              type: 'float32',
              data: names.shares,
              shape: [names.classes, names.concepts.length],
            },
          }),
    },
    cachedClasses: [
      ...(naming?.classes === 'cached' ? [cached(cachedClasses, classes, naming.renewEverySteps)] : []),
      ...(distilling?.classes === 'cached'
        ? [cached(cachedNames, names?.concepts ?? [], distilling.renewEverySteps)]
        : []),
    ],
  };
}

/** A sentence for each class through the tokenizer, [classes, length]. */
function classTokens(classes: readonly Concept[], tokenizer: Tokenizer): Tensors {
  const [template] = promptTemplates.simple;
  const sentences = classes.map(({ words, key }) =>
    fillTemplate(template, words.en?.[0] ?? Object.values(words)[0]?.[0] ?? key),
  );
  const { data, shape } = tokenizer.tokenize(sentences);
  return { class_tokens: { type: 'int64', data, shape } };
}
