/**
 * The frozen beginning of an image tower as a program of its own, whose weights are constants: it is folded and optimised
 * as for inference, and the step begins with what it gives. The numbers are the same.
 */
import { compileGraph } from '../../engine/compile.ts';
import type { Engine, RuntimeTensor, Session } from '../../engine/engine.ts';
import { EidosError } from '../../errors.ts';
import { symbolic } from '../../graph/dimension.ts';
import { input } from '../../graph/operations.ts';
import { type BoundTensor, floatsInMemory } from '../../graph/tensor.ts';
import { parametersOf, type Value } from '../../graph/value.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { imageEncoder } from '../../models/image/encoder.ts';
import { parametersOfClip } from '../../models/parameters.ts';
import { pictureShape } from '../../models/sides.ts';
import { frozenNames } from './freeze.ts';
import type { OpenStep } from './open-step.ts';
import { frozenNorms, type StepParameter } from './parameters.ts';
import { chosen, pick, type TensorKind, type Tensors } from './program.ts';

/** What a step reads in place of pixels. */
export const belowInput = 'below';

/** The place in a tower up to which everything is frozen. */
export interface FrozenBelow {
  /** Of the value there, as the tower calls it to whoever watches. */
  name: string;
  /** From the input `pixels` [n, ...pictureShape(image)]. */
  value: Value;
  /** The size of a picture's part of it. */
  shape: readonly number[];
  parameters: StepParameter[];
}

/**
 * The last watched value of the image tower that frozen parameters alone have made of the pixels.
 * @throws EidosError `invalid_option` where there is none
 */
export function frozenBelow(architecture: ClipArchitecture, freeze: readonly string[]): FrozenBelow {
  const names = parametersOfClip(architecture).map(({ name }) => name);
  // Statistics of batch norms stay as they are where the norm is frozen; a pattern may name its gain and bias alone.
  const frozen = frozenNames(freeze, names);
  const keepsStatistics = frozenNorms(architecture, freeze);
  const stays = (name: string): boolean => {
    const norm = /^(.*)\.running_(?:mean|variance)$/.exec(name)?.[1];
    return frozen.has(name) || (norm !== undefined && keepsStatistics(norm));
  };
  const watched: [name: string, value: Value][] = [];
  imageEncoder(architecture, input('pixels', [symbolic('n'), ...pictureShape(architecture.image)]), {
    watch: (name, value) => {
      watched.push([name, value]);
      return value;
    },
  });
  const found = watched.findLast(([, value]) =>
    parametersOf([value]).every(({ attributes }) => stays(attributes.name)),
  );
  if (found === undefined) {
    throw new EidosError(
      'invalid_option',
      `imageTower.frozenApart: nothing at the beginning of the image tower is frozen; "freeze" names what is, such as ${names
        .find((name) => name.startsWith('image.'))
        ?.split('.')
        .slice(0, 2)
        .join('.')}.*.`,
    );
  }
  const [name, value] = found;
  return {
    name,
    value,
    shape: value.shape.slice(1).map(Number),
    parameters: parametersOf([value]).map(({ attributes }) => ({ ...attributes, trained: false })),
  };
}

/**
 * The same step for batches of pixels, which go through the frozen part first.
 * @param step whose batches bring `below`
 */
export function aboveFrozen(
  engine: Engine,
  { image }: ClipArchitecture,
  below: FrozenBelow,
  step: OpenStep,
): OpenStep {
  const read = step.batchInputs.get(belowInput);
  // Where no part of the loss reads pictures, nothing is below either.
  if (read === undefined) return step;
  const program = openFrozenBelow(engine, below);
  const names = new Set(below.parameters.map(({ name }) => name));
  let kept: Tensors = {};
  const pixels: TensorKind = { type: 'float32', shape: [read.shape[0]!, ...pictureShape(image)] };
  const stateNames = [...names, ...step.stateNames];
  return {
    ...step,
    parameters: [...below.parameters, ...step.parameters],
    stateNames,
    batchInputs: new Map(
      [...step.batchInputs, ['pixels', pixels] as const].filter(([name]) => name !== belowInput),
    ),
    async setState(state, moved = []) {
      kept = chosen(state, names);
      await program.setState(kept);
      const others = moved.filter((name) => !names.has(name));
      await step.setState(
        pick(state, (name) => !names.has(name)),
        others,
      );
    },
    async getState(wanted = stateNames) {
      const own = pick(kept, (name) => wanted.includes(name));
      return { ...own, ...(await step.getState(wanted.filter((name) => !names.has(name)))) };
    },
    async run(batch, moment, moved = []) {
      const { pixels: given } = chosen(batch, ['pixels']);
      const others = pick(batch, (name) => name !== 'pixels');
      const seen = await program.run(given!);
      const movable = [...moved.filter((name) => name !== 'pixels'), belowInput];
      return step.run({ ...others, [belowInput]: seen }, moment, movable);
    },
  };
}

interface OpenBelow {
  /** @param state has its parameters */
  setState(state: Readonly<Tensors>): Promise<void>;
  /** Pixels [n, ...pictureShape(image)] → [n, …]. */
  run(pixels: RuntimeTensor): Promise<RuntimeTensor>;
}

/** Pictures that are seen at once: more need memory and are no faster. */
const atOnce = 32;

function openFrozenBelow(engine: Engine, { value, shape, parameters }: FrozenBelow): OpenBelow {
  let session: Session | undefined;
  const length = shape.reduce((product, size) => product * size, 1);
  return {
    async setState(state) {
      const weights = new Map(
        parameters.map(({ name }): [string, BoundTensor] => {
          const { data, shape: own } = state[name]!;
          return [name, { name, shape: [...own], ...floatsInMemory((data as Float32Array).slice()) }];
        }),
      );
      await session?.release();
      session = await compileGraph(engine, { [belowInput]: value }, weights);
    },
    async run({ data, shape: given }) {
      const [count = 0, ...picture] = given;
      const pixels = data.length / count;
      const result = new Float32Array(count * length);
      for (let first = 0; first < count; first += atOnce) {
        const rows = Math.min(atOnce, count - first);
        const part = data.subarray(first * pixels, (first + rows) * pixels) as Float32Array;
        const outputs = await session!.run(
          { pixels: { type: 'float32', data: part, shape: [rows, ...picture] } },
          { fetches: [belowInput] },
        );
        result.set(outputs[belowInput]!.data as Float32Array, first * length);
      }
      return { type: 'float32', data: result, shape: [count, ...shape] };
    },
  };
}
