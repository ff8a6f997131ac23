/** A training step in the engine: state in, batches through, state out, in one program or chunk by chunk. */
import type { Engine } from '../../engine/engine.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { aboveFrozen } from './frozen-below.ts';
import { openAccumulatedStep } from './open-accumulated.ts';
import type { StepParameter } from './parameters.ts';
import { chosen, openProgram, pick, type TensorKind, type Tensors } from './program.ts';
import { stepSettings, type TrainingStepOptions } from './settings.ts';
import { type StepMoment, trainingStep } from './step.ts';

export interface OpenStep {
  /** The parameters that the loss depends on. */
  readonly parameters: readonly StepParameter[];
  /** Names of the parameters that move, to which the numbers of `gradient_norms` belong. */
  readonly trained: readonly string[];
  /** Names of all that is kept from step to step: parameters, moments, averages. */
  readonly stateNames: readonly string[];
  /** What a batch must bring. */
  readonly batchInputs: ReadonlyMap<string, TensorKind>;
  /** Gives all that stateNames names. The memory of tensors that `moved` names may go to the engine. */
  setState(state: Readonly<Tensors>, moved?: readonly string[]): Promise<void>;
  getState(names?: readonly string[]): Promise<Tensors>;
  /** Gives other values to parameters that the optimiser does not move. */
  renew(fixed: Readonly<Tensors>): Promise<void>;
  /**
   * One step: `loss`, `loss:PART`, `gradient_norm`, `gradient_norms` and, where the loss has one, `temperature`. The
   * memory of tensors that `moved` names may go to the engine, where that saves a copy.
   * @throws EidosError `invalid_option` where the batch lacks an input
   */
  run(batch: Readonly<Tensors>, moment: StepMoment, moved?: readonly string[]): Promise<Tensors>;
}

export interface OpenStepOptions extends TrainingStepOptions {
  /** Pairs that are computed at once, where the batch is larger than memory. @default the whole batch */
  chunk?: number | undefined;
}

/** @throws EidosError as trainingStep, accumulatedStep and Engine.compile do */
export async function openStep(
  engine: Engine,
  architecture: ClipArchitecture,
  { chunk, ...options }: OpenStepOptions,
): Promise<OpenStep> {
  const step =
    chunk === undefined || chunk === options.batch
      ? await openWholeStep(engine, architecture, options)
      : await openAccumulatedStep(engine, architecture, options, chunk);
  const { below } = stepSettings(architecture, options);
  return below === undefined ? step : aboveFrozen(engine, architecture, below, step);
}

async function openWholeStep(
  engine: Engine,
  architecture: ClipArchitecture,
  options: TrainingStepOptions,
): Promise<OpenStep> {
  const step = trainingStep(architecture, options);
  const { session, inputs, outputs } = await openProgram(engine, step.results);
  const stateNames = [
    ...new Set([...step.parameters.map(({ name }) => name), ...step.feedback.map(([, name]) => name)]),
  ];
  const own = new Set([...stateNames, ...Object.keys(step.inputs({ step: 1, learningRate: 0, seed: 0 }))]);
  const batchInputs = new Map([...inputs].filter(([name]) => !own.has(name)));
  const fetches = outputs.filter((name) => !name.startsWith('next:'));
  return {
    parameters: step.parameters,
    trained: step.trained,
    stateNames,
    batchInputs,
    setState: (state, moved = []) => session.setState(chosen(state, stateNames), { transfer: moved }),
    getState: (names = stateNames) => session.getState(names),
    renew: (fixed) => session.setState(fixed),
    async run(batch, moment, moved = []) {
      const feeds = {
        ...chosen(batch, batchInputs.keys()),
        ...pick(step.inputs(moment), (name) => inputs.has(name)),
      };
      const transfer = moved.filter((name) => batchInputs.has(name));
      return session.run(feeds, { fetches, feedback: step.feedback, transfer });
    },
  };
}
