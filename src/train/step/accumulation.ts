/**
 * A contrastive batch larger than memory, chunk by chunk, with the gradients of the whole (Gao et al. 2021, GradCache).
 *
 * The loss sees a batch only through its embeddings. So the chunks are embedded first, without keeping what lies
 * between; the loss of all embeddings is differentiated by the embeddings; then every chunk is embedded again and its
 * part of those gradients is led back to the parameters, where the chunks' gradients add up; at last the optimiser moves
 * the parameters once.
 */
import { EidosError } from '../../errors.ts';
import { normalize } from '../../graph/derived.ts';
import { differentiate, differentiateFrom } from '../../graph/differentiate.ts';
import { add, input } from '../../graph/operations.ts';
import { inputsOf, parametersOf, type Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { textEncoder } from '../../models/clip.ts';
import { declareInputs } from './inputs.ts';
import { type Noise, noise } from './noise.ts';
import { embedsClasses, objective } from './objective.ts';
import { chooseTrained, type StepParameter } from './parameters.ts';
import { type StepSettings, stepSettings, type TrainingStepOptions } from './settings.ts';
import { type TrainedTowers, trainedTowers } from './towers.ts';
import { temperatureOf, updateParameters } from './update.ts';

/** The four programs of a step. Parameters are inputs of each under their own names. */
export interface AccumulatedStep {
  /** Of one chunk: `images` and `texts` [chunk, embeddingSize], those of them that the loss reads. */
  embed: Record<string, Value>;
  /**
   * Of the whole batch, from `images` and `texts` [batch, embeddingSize]: `loss`, `loss:PART`, the gradients `d:images`
   * and `d:texts`, and `d:NAME` of parameters that the loss reads itself.
   */
  loss: Record<string, Value>;
  /** Of one chunk, from its rows of `d:images` and `d:texts`: `next:gradient:NAME`, which is added to `gradient:NAME`. */
  backward: Record<string, Value>;
  /** From `gradient:NAME` of every trained parameter: see updateParameters. */
  update: Record<string, Value>;
  /** Of both `backward` and `update`. */
  feedback: { backward: [string, string][]; update: [string, string][] };
  parameters: StepParameter[];
  trained: string[];
  /** Noise of the towers by chunk, and of the classes' words. */
  noise: { towers: Noise; classes: Noise };
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
  const { batch, optimizer } = settings;
  if (!Number.isInteger(chunk) || chunk < 1 || batch % chunk !== 0) {
    throw new EidosError(
      'invalid_option',
      `accumulation.chunk is ${chunk}; the batch of ${batch} must be a multiple of it.`,
    );
  }
  const forward = chunkTowers(architecture, settings, chunk);
  const whole = wholeLoss(architecture, settings);
  const read = (['images', 'texts'] as const).filter((name) => whole.embeddings.has(name));
  const embed = Object.fromEntries(read.map((name) => [name, forward[name]]));

  // Parameters of both programs are the same where their names are: the loss may embed words by the text tower, too.
  const both = [...Object.values(embed), whole.loss];
  const { parameters, trained } = chooseTrained(architecture, both, settings.freeze);
  const trainedNames = new Set(trained.map(({ name }) => name));
  const ofEmbeddings = parameterValues(Object.values(embed));
  const ofLoss = parameterValues([whole.loss]);

  const loss: Record<string, Value> = { loss: whole.loss, ...whole.parts };
  const lossTargets = [...ofLoss].filter(([name]) => trainedNames.has(name));
  const byEmbeddings = read.map((name): [string, Value] => [name, whole.embeddings.get(name)!]);
  const lossValues = [...byEmbeddings, ...lossTargets];
  const lossGradients = differentiate(
    whole.loss,
    lossValues.map(([, value]) => value),
  );
  lossValues.forEach(([name], i) => {
    loss[`d:${name}`] = lossGradients[i]!;
  });

  const backward: Record<string, Value> = {};
  const tower = [...ofEmbeddings].filter(([name]) => trainedNames.has(name));
  const seeds = read.map((name) => ({
    value: forward[name],
    gradient: input(`d:${name}`, forward[name].shape),
  }));
  const towerGradients = differentiateFrom(
    seeds,
    tower.map(([, value]) => value),
  );
  tower.forEach(([name, value], i) => {
    backward[`next:gradient:${name}`] = add(input(`gradient:${name}`, value.shape), towerGradients[i]!);
  });

  const updates = updateParameters(
    trained.map((one) => ({
      ...one,
      value: input(one.name, one.shape),
      gradient: input(`gradient:${one.name}`, one.shape),
    })),
    optimizer,
  );
  const scale = updates.results['next:logit_scale'];
  return {
    embed,
    loss,
    backward,
    update: {
      ...updates.results,
      ...(scale === undefined ? {} : { temperature: temperatureOf(scale) }),
    },
    feedback: {
      backward: tower.map(([name]) => [`next:gradient:${name}`, `gradient:${name}`]),
      update: updates.feedback,
    },
    parameters: parameters.map(({ value: _, ...described }) => described),
    trained: trained.map(({ name }) => name),
    noise: { towers: forward.noise, classes: whole.noise },
    chunks: batch / chunk,
  };
}

/** The towers over one chunk. */
function chunkTowers(architecture: ClipArchitecture, settings: StepSettings, chunk: number): TrainedTowers {
  const towers = trainedTowers(architecture, declareInputs(), {
    ...settings,
    batch: chunk,
    embeddedClasses: 0,
    batchStatistics: !settings.freeze.includes('image'),
  });
  if (towers.statistics.size > 0 && chunk < settings.batch) {
    throw new EidosError(
      'invalid_option',
      'accumulation.chunk: the image tower has batch norms, which would see single chunks in place of the batch; ' +
        'freeze the image tower, or train without accumulation.',
    );
  }
  return towers;
}

interface WholeLoss {
  loss: Value;
  /** As `loss:PART`. */
  parts: Record<string, Value>;
  /** The embeddings that the loss reads. */
  embeddings: Map<string, Value>;
  noise: Noise;
}

/** The loss of the whole batch as a function of its embeddings. */
function wholeLoss(architecture: ClipArchitecture, settings: StepSettings): WholeLoss {
  const { batch, textLength, loss: config, regularisation } = settings;
  const declare = declareInputs();
  const shape = [batch, architecture.embeddingSize];
  const count = embedsClasses(config) ? (settings.classes ?? 0) : 0;
  const random = noise(architecture, declare, regularisation, { images: batch, texts: count });
  const classes =
    count === 0
      ? undefined
      : normalize(
          textEncoder(architecture, declare('class_tokens', [count, textLength], 'int64'), {
            branch: random.branch.text,
          }),
        );
  const embeddings = { images: declare('images', shape), texts: declare('texts', shape), classes };
  const { loss, parts } = objective(architecture, declare, embeddings, settings);
  const read = inputsOf([loss]).map((node): [string, Value] => [node.attributes.name, node.outputs[0]!]);
  return {
    loss,
    parts: Object.fromEntries(Object.entries(parts).map(([name, value]) => [`loss:${name}`, value])),
    embeddings: new Map(read),
    noise: random,
  };
}

function parameterValues(results: readonly Value[]): Map<string, Value> {
  return new Map(parametersOf(results).map((node) => [node.attributes.name, node.outputs[0]!]));
}
