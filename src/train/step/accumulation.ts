/**
 * A contrastive batch larger than memory, chunk by chunk, with the gradients of the whole (Gao et al. 2021, GradCache).
 *
 * The loss sees a batch only through its embeddings. So the chunks are embedded first, without keeping what lies
 * between; the loss of all embeddings is differentiated by the embeddings; then every chunk is embedded again and its
 * part of those gradients is led back to the parameters, where the chunks' gradients add up; at last the optimiser moves
 * the parameters once.
 */
import { EidosError } from '../../errors.ts';
import { differentiate, differentiateFrom } from '../../graph/differentiate.ts';
import { add, input } from '../../graph/operations.ts';
import { inputsOf, parametersOf, type Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { imageFeatureWidth } from '../../models/image/encoder.ts';
import { distillingLoss } from './distillation.ts';
import { declareInputs } from './inputs.ts';
import { noise } from './noise.ts';
import { embedsClasses, type Objective, objective } from './objective.ts';
import { chooseTrained, frozenNorms, type StepParameter } from './parameters.ts';
import { rows, type Tensors } from './program.ts';
import { type StepSettings, stepSettings, type TrainingStepOptions } from './settings.ts';
import { embedTexts, noneBeside, readsPictures, rowsBeside, totalRows } from './text-groups.ts';
import { type TrainedTowers, trainedTowers } from './towers.ts';
import { temperatureOf, updateParameters } from './update.ts';

type Results = Record<string, Value>;

/** The four programs of a step. Parameters are inputs of each under their own names. */
export interface AccumulatedStep {
  /** Of one chunk: `images` and `texts` [chunk, embeddingSize], those of them that the loss reads. */
  embed: Results;
  /**
   * Of the whole batch, from `images` and `texts` [batch, embeddingSize]: `loss`, `loss:PART`, the gradients `d:images`
   * and `d:texts`, `d:NAME` of parameters that the loss reads itself, and `temperature` where it is frozen.
   */
  loss: Results;
  /** Of one chunk, from its rows of `d:images` and `d:texts`: `next:gradient:NAME`, which is added to `gradient:NAME`. */
  backward: Results;
  /** From `gradient:NAME` of every trained parameter: see updateParameters. */
  update: Results;
  /** Of both `backward` and `update`. */
  feedback: { backward: [string, string][]; update: [string, string][] };
  parameters: StepParameter[];
  trained: string[];
  /** The noise of a whole batch, the same as in one piece: that of its pairs, and that of sentences beside them. */
  noise(moment: { seed: number; step: number }): { pairs: Tensors; beside: Tensors };
  /** Chunks in a batch. */
  chunks: number;
}

/**
 * @param chunk pairs that are computed at once
 * @throws EidosError `invalid_option` where the batch is no multiple of the chunk, where batch norms would see single
 * chunks, and as trainingStep does
 */
export function accumulatedStep(
  architecture: ClipArchitecture,
  options: TrainingStepOptions,
  chunk: number,
): AccumulatedStep {
  const settings = stepSettings(architecture, options);
  const { batch, optimizer, loss } = settings;
  if (!readsPictures(loss)) {
    throw new EidosError(
      'invalid_option',
      'chunk: no part of the loss reads pictures, and sentences without them go through the tower at once: leave "chunk" away.',
    );
  }
  if (!Number.isInteger(chunk) || chunk < 1 || batch % chunk !== 0) {
    throw new EidosError(
      'invalid_option',
      `chunk is ${chunk}; the batch of ${batch} must be a multiple of it.`,
    );
  }
  const towers = chunkTowers(architecture, settings, chunk);
  const whole = wholeLoss(architecture, settings);
  const embed = Object.fromEntries(whole.read.map((name) => [name, towers[name]!]));
  const results = [...Object.values(embed), whole.loss];
  const { parameters, trained } = chooseTrained(architecture, results, settings.freeze);
  const names = new Set(trained.map(({ name }) => name));
  const ofTowers = parameterValues(Object.values(embed)).filter(({ name }) => names.has(name));
  const updates = updateParameters(
    trained.map((one) => ({
      ...one,
      value: input(one.name, one.shape),
      gradient: input(`gradient:${one.name}`, one.shape),
    })),
    optimizer,
    parameters.map(({ name }) => name),
  );
  const scale = updates.results['next:logit_scale'];
  if (scale !== undefined) updates.results.temperature = temperatureOf(scale);
  return {
    embed,
    loss: lossProgram(whole, names),
    backward: backwardProgram(embed, ofTowers),
    update: updates.results,
    feedback: {
      backward: ofTowers.map(({ name }) => [`next:gradient:${name}`, `gradient:${name}`]),
      update: updates.feedback,
    },
    parameters: parameters.map(({ value: _, ...described }) => described),
    trained: trained.map(({ name }) => name),
    noise(moment) {
      const drawn = towers.noise.draw(moment, { images: batch, texts: batch + whole.beside });
      return { pairs: rows(drawn, 0, batch), beside: rows(drawn, batch, batch + whole.beside) };
    },
    chunks: batch / chunk,
  };
}

/** The loss and its parts with the gradients by embeddings and by trained parameters of its own. */
function lossProgram({ loss, parts, embeddings, read }: WholeLoss, trained: ReadonlySet<string>): Results {
  const own = parameterValues([loss]);
  const targets = [
    ...read.map((name) => ({ name, value: embeddings[name] })),
    ...own.filter(({ name }) => trained.has(name)),
  ];
  const gradients = differentiate(
    loss,
    targets.map(({ value }) => value),
  );
  const results: Results = { loss };
  for (const [part, value] of Object.entries(parts)) results[`loss:${part}`] = value;
  targets.forEach(({ name }, i) => {
    results[`d:${name}`] = gradients[i]!;
  });
  const scale = own.find(({ name }) => name === 'logit_scale');
  if (scale !== undefined && !trained.has(scale.name)) results.temperature = temperatureOf(scale.value);
  return results;
}

/** Adds to each parameter's gradient what comes to it through the embeddings of a chunk. */
function backwardProgram(embed: Results, parameters: readonly Named[]): Results {
  const seeds = Object.entries(embed).map(([name, value]) => ({
    value,
    gradient: input(`d:${name}`, value.shape),
  }));
  const gradients = differentiateFrom(
    seeds,
    parameters.map(({ value }) => value),
  );
  const added = parameters.map(({ name, value }, i): [string, Value] => [
    `next:gradient:${name}`,
    add(input(`gradient:${name}`, value.shape), gradients[i]!),
  ]);
  return Object.fromEntries(added);
}

/** The towers over one chunk. */
function chunkTowers(architecture: ClipArchitecture, settings: StepSettings, chunk: number): TrainedTowers {
  const towers = trainedTowers(architecture, declareInputs(), {
    ...settings,
    batch: chunk,
    beside: noneBeside,
    keepsStatistics: frozenNorms(architecture, settings.freeze),
  });
  if (towers.statistics.size > 0 && chunk < settings.batch) {
    throw new EidosError(
      'invalid_option',
      'chunk: the image tower has batch norms, which would see single chunks in place of the batch; ' +
        'freeze them (their gains and biases) or the image tower, or leave "chunk" away.',
    );
  }
  return towers;
}

interface WholeLoss extends Objective {
  /** The inputs that stand for the embeddings of all chunks. */
  embeddings: Record<'images' | 'texts', Value>;
  /** Those of them that the loss depends on. */
  read: ('images' | 'texts')[];
  /** Sentences beside captions, which it embeds itself. */
  beside: number;
}

/** The loss of the whole batch as a function of its embeddings; words of classes, and sentences without pictures, it embeds itself. */
function wholeLoss(architecture: ClipArchitecture, settings: StepSettings): WholeLoss {
  const { batch, textLength, regularisation } = settings;
  const declare = declareInputs();
  const shape = [batch, architecture.embeddingSize];
  const classes = embedsClasses(settings.loss) ? (settings.classes ?? 0) : 0;
  const counts = { texts: 0, ...rowsBeside(settings.loss, classes, settings.names) };
  const random = noise(architecture, declare, regularisation, { images: batch, texts: totalRows(counts) });
  const beside = embedTexts(architecture, declare, counts, {
    textLength,
    branch: random.branch.text,
    dropout: random.dropout.text,
  });
  const embeddings = { images: declare('images', shape), texts: declare('texts', shape) };
  const seen = distillingLoss(settings.loss) === undefined ? undefined : seenFeatures();
  const wanted = objective(architecture, declare, { ...beside, ...embeddings, seen }, settings);
  const inputs = new Set(inputsOf([wanted.loss]).map(({ attributes }) => attributes.name));
  const read = (['images', 'texts'] as const).filter((name) => inputs.has(name));
  return { ...wanted, embeddings, read, beside: totalRows(counts) };

  /** Features that come with the batch are there as a whole; those of a tower are seen chunk by chunk. */
  function seenFeatures(): Value {
    if (settings.imageTower.kind === 'features') {
      return declare('image_features', [batch, imageFeatureWidth(architecture.image)]);
    }
    throw new EidosError(
      'invalid_option',
      'chunk: loss.distillation reads the features of the whole batch, which come with it only where "imageTower" is of kind "features": leave "chunk" away.',
    );
  }
}

interface Named {
  name: string;
  value: Value;
}

function parameterValues(results: readonly Value[]): Named[] {
  return parametersOf(results).map(({ attributes, outputs }) => ({
    name: attributes.name,
    value: outputs[0]!,
  }));
}
