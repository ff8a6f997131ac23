/** The network that learns, in the engine's thread: state in, batches through, state out. */
import { createEngine, type Engine, type RuntimeTensor, type Session } from '../../engine/engine.ts';
import { lower } from '../../engine/onnx/lower.ts';
import { EidosError } from '../../errors.ts';
import { initialValues } from '../../graph/initialise.ts';
import { elementCount, type FloatTensor } from '../../graph/tensor.ts';
import { inputsOf } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import {
  type StepMoment,
  type StepParameter,
  type TrainingStep,
  type TrainingStepOptions,
  trainingStep,
} from '../step/step.ts';

/** What a step tells of itself. */
export interface StepFigures {
  /** The whole loss. */
  loss: number;
  /** Its parts before they are weighted, by name. */
  parts: Record<string, number>;
  /** Of all gradients together, before clipping. */
  gradientNorm: number;
  /** Of each parameter's gradient, by name. */
  gradientNorms: { name: string; norm: number }[];
  /** 1 / e^logit_scale after the step; absent where nothing is compared by it. */
  temperature?: number;
}

export interface Network {
  /** Names of the state: parameters, moments, averages. */
  readonly stateNames: readonly string[];
  /** Names and shapes that the program reads besides the state. */
  readonly inputNames: ReadonlySet<string>;
  /** Begins with these values; parameters without one at random, moments at zero, averages at their parameter. */
  setState(values: ReadonlyMap<string, FloatTensor>, seed: number): Promise<void>;
  /** One step. The batch's memory goes to the engine. */
  run(batch: Readonly<Record<string, RuntimeTensor>>, moment: StepMoment): Promise<StepFigures>;
  getState(names?: readonly string[]): Promise<Record<string, RuntimeTensor>>;
  close(): Promise<void>;
}

/**
 * @param constants inputs that are the same in every step, such as the tokens of classes
 * @throws EidosError `invalid_option` for options that contradict each other, `engine_failed`
 */
export async function openNetwork(
  architecture: ClipArchitecture,
  options: TrainingStepOptions,
  { threads, constants = {} }: { threads?: number | undefined; constants?: Record<string, RuntimeTensor> },
): Promise<Network> {
  const step = trainingStep(architecture, options);
  const engine = createEngine(threads === undefined ? {} : { threads });
  try {
    const session = await engine.compile(lower(step.results));
    return createNetwork(engine, session, step, constants);
  } catch (error) {
    await engine.close();
    throw error;
  }
}

function createNetwork(
  engine: Engine,
  session: Session,
  step: TrainingStep,
  constants: Record<string, RuntimeTensor>,
): Network {
  const stateNames = [
    ...new Set([...step.parameters.map(({ name }) => name), ...step.feedback.map(([, name]) => name)]),
  ];
  const state = new Set(stateNames);
  const declared = inputsOf(Object.values(step.results)).map(({ attributes }) => attributes.name);
  const inputNames = new Set(declared.filter((name) => !state.has(name)));
  const told = Object.keys(step.results).filter((name) => !name.startsWith('next:'));
  return {
    stateNames,
    inputNames,
    async setState(values, seed) {
      await session.setState(firstState(step, stateNames, values, seed));
    },
    async run(batch, moment) {
      const read = Object.entries(batch).filter(([name]) => inputNames.has(name));
      const fixed = Object.entries(constants).filter(([name]) => inputNames.has(name));
      const feeds = { ...Object.fromEntries([...fixed, ...read]), ...step.inputs(moment) };
      const outputs = await session.run(feeds, {
        fetches: told,
        feedback: step.feedback,
        transfer: read.map(([name]) => name),
      });
      return figuresOf(outputs, step.trained);
    },
    getState: (names = stateNames) => session.getState(names),
    close: () => engine.close(),
  };
}

function figuresOf(outputs: Record<string, RuntimeTensor>, trained: readonly string[]): StepFigures {
  const number = (name: string): number => Number(outputs[name]?.data[0] ?? Number.NaN);
  const parts = Object.keys(outputs).filter((name) => name.startsWith('loss:'));
  return {
    loss: number('loss'),
    parts: Object.fromEntries(parts.map((name) => [name.slice('loss:'.length), number(name)])),
    gradientNorm: number('gradient_norm'),
    gradientNorms: trained.map((name, at) => ({
      name,
      norm: Number(outputs.gradient_norms?.data[at] ?? Number.NaN),
    })),
    ...(outputs.temperature === undefined ? {} : { temperature: number('temperature') }),
  };
}

function firstState(
  { parameters }: TrainingStep,
  stateNames: readonly string[],
  values: ReadonlyMap<string, FloatTensor>,
  seed: number,
): Record<string, RuntimeTensor> {
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const first = (name: string): RuntimeTensor => {
    const [, kind, owner = name] = /^(mean|square|ema):(.*)$/.exec(name) ?? [];
    const parameter = byName.get(owner);
    if (parameter === undefined)
      throw new EidosError('invalid_graph', `The state '${name}' belongs to no parameter.`);
    const { shape } = parameter;
    const given = values.get(name) ?? (kind === 'ema' ? values.get(owner) : undefined);
    if (given !== undefined && given.data.length !== elementCount(shape)) {
      throw new EidosError(
        'config_mismatch',
        `The first values of '${name}' have the shape [${given.shape}]; [${shape}] is expected.`,
      );
    }
    const isMoment = kind === 'mean' || kind === 'square';
    const data =
      given?.data ?? (isMoment ? new Float32Array(elementCount(shape)) : randomValues(parameter, seed));
    return { type: 'float32', data, shape };
  };
  return Object.fromEntries(stateNames.map((name) => [name, first(name)]));
}

function randomValues({ name, shape, initialiser }: StepParameter, seed: number): Float32Array {
  const attributes = { name, shape: [...shape], initialiser, trainable: true };
  return initialValues({ operator: 'parameter', attributes, inputs: [], outputs: [] }, seed);
}
