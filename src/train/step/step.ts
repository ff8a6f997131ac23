/** One step of training as one program: forward, backward and the optimiser. */
import type { RuntimeTensor } from '../../engine/engine.ts';
import { differentiate } from '../../graph/differentiate.ts';
import type { Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import type { OptimizerConfig } from './config.ts';
import { distillingLoss } from './distillation.ts';
import { declareInputs } from './inputs.ts';
import { embedsClasses, objective } from './objective.ts';
import { stepScalars } from './optimizer.ts';
import { chooseTrained, frozenNorms, type StepParameter } from './parameters.ts';
import { stepSettings, type TrainingStepOptions } from './settings.ts';
import { readsPictures, rowsBeside } from './text-groups.ts';
import { trainedTowers } from './towers.ts';
import { averagingDecay, temperatureOf, updateParameters } from './update.ts';

export type { StepParameter } from './parameters.ts';
export type { TrainingStepOptions } from './settings.ts';

/** Where a step stands. */
export interface StepMoment {
  /** From 1. */
  step: number;
  learningRate: number;
  /** From which the noise is drawn. */
  seed: number;
}

/** What the program reads and writes. */
export interface TrainingStep {
  /**
   * Results by name: `loss`, each part unweighted as `loss:contrastive` and so on, those of updateParameters,
   * `temperature` (1 / e^logit_scale after the step) where the loss has one, and `next:NAME` for running statistics.
   *
   * Inputs by name: `pixels` [batch, 3, side, side], `tokens` [batch, length] int64, `targets`, `features`,
   * `text_features`, `class_targets`, `class_tokens`, `name_tokens`, `name_shares`, `whole_features`, `sentence_tokens`, `sentence_vectors` as the
   * options ask, what inputs() gives, and the state NAME, `mean:NAME`, `square:NAME`, `ema:NAME`.
   */
  results: Record<string, Value>;
  /** In the order in which they are declared. */
  parameters: StepParameter[];
  /** Names to which the numbers of `gradient_norms` belong. */
  trained: string[];
  /** Outputs that become the state of the next step. */
  feedback: [output: string, input: string][];
  /** What the program reads besides state and batch: rate, corrections, noise; a pure function of its argument. */
  inputs(moment: StepMoment): Record<string, RuntimeTensor>;
}

/**
 * Builds the step for an architecture.
 * @throws EidosError `invalid_option` where the options contradict one another or nothing is left to be trained
 */
export function trainingStep(architecture: ClipArchitecture, options: TrainingStepOptions): TrainingStep {
  const settings = stepSettings(architecture, options);
  const { loss, optimizer, freeze } = settings;
  const input = declareInputs();
  const towers = trainedTowers(architecture, input, {
    ...settings,
    beside: rowsBeside(loss, embedsClasses(loss) ? (settings.classes ?? 0) : 0, settings.names),
    readsFeatures: distillingLoss(loss) !== undefined,
    pictures: readsPictures(loss),
    keepsStatistics: frozenNorms(architecture, freeze),
  });
  const wanted = objective(architecture, input, towers, settings);

  const results: Record<string, Value> = { loss: wanted.loss };
  for (const [part, value] of Object.entries(wanted.parts)) results[`loss:${part}`] = value;
  const feedback: [string, string][] = [];
  for (const [name, next] of towers.statistics) {
    results[`next:${name}`] = next;
    feedback.push([`next:${name}`, name]);
  }

  const { parameters, trained } = chooseTrained(architecture, Object.values(results), freeze);
  const gradients = differentiate(
    wanted.loss,
    trained.map(({ value }) => value),
    wanted.targets,
  );
  const updates = updateParameters(
    trained.map((one, i) => ({ ...one, gradient: gradients[i]! })),
    optimizer,
    parameters.map(({ name }) => name),
  );
  Object.assign(results, updates.results);
  const scale = results['next:logit_scale'] ?? parameters.find(({ name }) => name === 'logit_scale')?.value;
  if (scale !== undefined) results.temperature = temperatureOf(scale);
  return {
    results,
    parameters: parameters.map(({ value: _, ...described }) => described),
    trained: trained.map(({ name }) => name),
    feedback: [...feedback, ...updates.feedback],
    inputs: (moment) => ({ ...stepNumbers(moment, optimizer), ...towers.noise.draw(moment) }),
  };
}

/** The single numbers of a step, as inputs of its program. */
export function stepNumbers(
  { step, learningRate }: StepMoment,
  optimizer: OptimizerConfig,
): Record<string, RuntimeTensor> {
  const numbers = {
    ...stepScalars(step, learningRate, optimizer),
    ...(optimizer.averaging === undefined ? {} : { ema_decay: averagingDecay(step, optimizer) }),
  };
  return Object.fromEntries(
    Object.entries(numbers).map(([name, value]) => [
      name,
      { type: 'float32', data: Float32Array.of(value), shape: [] },
    ]),
  );
}
