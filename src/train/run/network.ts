/** The network that learns, in the engine's thread: its first state, and what each step tells of itself. */
import { createEngine, type RuntimeTensor } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import { initialValues } from '../../graph/initialise.ts';
import { elementCount, type FloatTensor } from '../../graph/tensor.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { type OpenStep, type OpenStepOptions, openStep } from '../step/open-step.ts';
import type { StepMoment } from '../step/step.ts';
import { type CachedClasses, type ClassCache, openClassCache } from './cached-classes.ts';

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
  /** How many numbers training changes. */
  readonly trainedCount: number;
  /** One step. The batch's memory goes to the engine. */
  run(batch: Readonly<Record<string, RuntimeTensor>>, moment: StepMoment): Promise<StepFigures>;
  getState(names?: readonly string[]): Promise<Record<string, RuntimeTensor>>;
  close(): Promise<void>;
}

export interface NetworkOptions {
  /** Values to begin with by name of the state: parameters without one begin at random, moments at zero, averages at their parameter. */
  values: ReadonlyMap<string, FloatTensor>;
  /** Of random values. */
  seed: number;
  threads?: number | undefined;
  /** Inputs that are the same in every step, such as the tokens of classes. */
  constants?: Readonly<Record<string, RuntimeTensor>>;
  /** Classes whose words are embedded now and then. */
  cachedClasses?: readonly CachedClasses[];
}

/** @throws EidosError `invalid_option` for options that contradict each other, `config_mismatch`, `engine_failed` */
export async function openNetwork(
  architecture: ClipArchitecture,
  options: OpenStepOptions,
  { values, seed, threads, constants = {}, cachedClasses = [] }: NetworkOptions,
): Promise<Network> {
  const engine = createEngine(threads === undefined ? {} : { threads });
  try {
    const step = await openStep(engine, architecture, options);
    const { state, made } = firstState(step, values, seed);
    // What was made here is nobody else's; a copy of the moments would be the peak of a training's memory.
    await step.setState(state, made);
    const trained = step.parameters.filter((parameter) => parameter.trained);
    const caches: ClassCache[] = [];
    for (const one of cachedClasses) caches.push(await openClassCache(engine, architecture, one));
    /** The text tower as it is now; where no part of the loss trains it, as it was at the beginning. */
    const textParameters = async (names: readonly string[]): Promise<Record<string, RuntimeTensor>> => {
      const kept = names.filter((name) => step.stateNames.includes(name));
      const missing = names.filter((name) => !kept.includes(name));
      const given = missing.map((name): [string, RuntimeTensor] => {
        const value = values.get(name);
        if (value === undefined) {
          throw new EidosError(
            'invalid_option',
            `loss.classification, loss.distillation: nothing trains the text tower, which is to embed the words of classes, and it has no '${name}' to begin with ("initialise").`,
          );
        }
        return [name, { type: 'float32', data: value.data, shape: value.shape }];
      });
      return { ...(await step.getState(kept)), ...Object.fromEntries(given) };
    };
    return {
      stateNames: step.stateNames,
      trainedCount: trained.reduce((sum, { shape }) => sum + elementCount(shape), 0),
      async run(batch, moment) {
        for (const classes of caches.filter(({ isDue }) => isDue(moment.step))) {
          await step.renew(await classes.embed(await textParameters(classes.reads)));
        }
        const moved = Object.keys(batch);
        return figuresOf(await step.run({ ...constants, ...batch }, moment, moved), step.trained);
      },
      getState: (names) => step.getState(names),
      close: () => engine.close(),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
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

/** The state to begin with, and the names in it that no value was given for. */
function firstState(
  { parameters, stateNames }: OpenStep,
  values: ReadonlyMap<string, FloatTensor>,
  seed: number,
): { state: Record<string, RuntimeTensor>; made: string[] } {
  const made: string[] = [];
  const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const first = (name: string): RuntimeTensor => {
    const [, kind, owner = name] = /^(mean|square|ema):(.*)$/.exec(name) ?? [];
    const parameter = byName.get(owner);
    if (parameter === undefined) {
      throw new EidosError('invalid_graph', `The state '${name}' belongs to no parameter.`);
    }
    const { shape } = parameter;
    const given = values.get(name) ?? (kind === 'ema' ? values.get(owner) : undefined);
    if (given === undefined) made.push(name);
    if (given !== undefined && given.data.length !== elementCount(shape)) {
      throw new EidosError(
        'config_mismatch',
        `The first values of '${name}' have the shape [${given.shape}]; [${shape}] is expected.`,
      );
    }
    const isMoment = kind === 'mean' || kind === 'square';
    const data =
      given?.data ?? (isMoment ? new Float32Array(elementCount(shape)) : initialValues(parameter, seed));
    return { type: 'float32', data, shape };
  };
  return { state: Object.fromEntries(stateNames.map((name) => [name, first(name)])), made };
}
