/** The programs of an accumulated step in the engine, and the way of a batch through them. */
import type { Engine, RuntimeTensor } from '../../engine/engine.ts';
import { elementCount } from '../../graph/tensor.ts';
import type { ClipArchitecture } from '../../models/architecture.ts';
import { type AccumulatedStep, accumulatedStep } from './accumulation.ts';
import type { OpenStep } from './open-step.ts';
import {
  chosen,
  type OpenProgram,
  openProgram,
  pick,
  rows,
  type TensorKind,
  type Tensors,
} from './program.ts';
import { type StepSettings, stepSettings, type TrainingStepOptions } from './settings.ts';
import { type StepMoment, stepNumbers } from './step.ts';

/** What is open, and what its functions need to know. */
interface Opened {
  step: AccumulatedStep;
  settings: StepSettings;
  embed: OpenProgram;
  loss: OpenProgram;
  /** Missing where no tower is trained. */
  backward: OpenProgram | undefined;
  update: OpenProgram;
}

/**
 * Opens the step chunk by chunk. Parameters lie in each program that reads them; once the optimiser has moved them they
 * are handed to the others, which takes little beside the chunks' own work.
 */
export async function openAccumulatedStep(
  engine: Engine,
  architecture: ClipArchitecture,
  options: TrainingStepOptions,
  chunk: number,
): Promise<OpenStep> {
  const settings = stepSettings(architecture, options);
  const step = accumulatedStep(architecture, options, chunk);
  const opened: Opened = {
    step,
    settings,
    embed: await openProgram(engine, step.embed),
    loss: await openProgram(engine, step.loss),
    backward: step.feedback.backward.length === 0 ? undefined : await openProgram(engine, step.backward),
    update: await openProgram(engine, step.update),
  };
  const { update } = opened;
  const names = new Set(step.parameters.map(({ name }) => name));
  const moving = new Set(step.feedback.update.map(([, name]) => name));
  const batchInputs = inputsOfBatch(opened, names);
  // The other programs read the next parameters; moments stay where they are.
  const read = new Set(step.trained.map((name) => `next:${name}`));
  const fetches = update.outputs.filter((name) => read.has(name) || !name.startsWith('next:'));
  /** Frozen parameters; no program gives them back. */
  let frozen: Tensors = {};

  return {
    parameters: step.parameters,
    trained: step.trained,
    stateNames: [...new Set([...names, ...moving])],
    batchInputs,
    async setState(state) {
      await update.session.setState(chosen(state, moving));
      frozen = pick(state, (name) => names.has(name) && !moving.has(name));
      await spread(opened, chosen(state, names));
    },
    async getState(wanted = [...new Set([...names, ...moving])]) {
      const state = await update.session.getState(wanted.filter((name) => moving.has(name)));
      return { ...state, ...pick(frozen, (name) => wanted.includes(name)) };
    },
    async renew(fixed) {
      frozen = { ...frozen, ...fixed };
      await spread(opened, fixed);
    },
    async run(batch, moment) {
      const whole = chosen(batch, batchInputs.keys());
      const told = await lossOfAll(opened, whole, moment);
      const gradients = await gradientsOfAll(opened, { ...whole, ...told }, moment);
      const outputs = await update.session.run(
        { ...gradients, ...stepNumbers(moment, settings.optimizer) },
        { fetches, feedback: step.feedback.update },
      );
      await spread(opened, Object.fromEntries(step.trained.map((name) => [name, outputs[`next:${name}`]!])));
      return {
        ...pick(told, (name) => name === 'temperature' || name.startsWith('loss')),
        ...pick(outputs, (name) => !name.startsWith('next:')),
      };
    },
  };
}

/** Embeds the batch chunk by chunk and differentiates its loss: the results of the loss program. */
async function lossOfAll(
  { step, embed, loss }: Opened,
  whole: Tensors,
  moment: StepMoment,
): Promise<Tensors> {
  const embeddings: Tensors = {};
  for (const name of embed.outputs) {
    const { shape } = loss.inputs.get(name)!;
    embeddings[name] = { type: 'float32', data: new Float32Array(elementCount(shape)), shape };
  }
  const noise = step.noise(moment);
  for (let part = 0; part < step.chunks; part++) {
    const feeds = chunkOf({ ...whole, ...noise.pairs }, embed, part);
    const outputs = await embed.session.run(feeds, { fetches: embed.outputs });
    for (const [name, { data }] of Object.entries(outputs)) {
      (embeddings[name]!.data as Float32Array).set(data as Float32Array, part * data.length);
    }
  }
  const feeds = { ...whole, ...embeddings, ...noise.beside };
  return loss.session.run(feedsOf(loss, feeds), { fetches: loss.outputs });
}

/** `gradient:NAME` of all trained parameters: what the loss program says of them, and what comes through embeddings. */
async function gradientsOfAll(
  { step, backward }: Opened,
  known: Tensors,
  moment: StepMoment,
): Promise<Tensors> {
  const gradients: Tensors = {};
  for (const { name, shape } of step.parameters.filter(({ trained }) => trained)) {
    const none = (): RuntimeTensor => ({
      type: 'float32',
      data: new Float32Array(elementCount(shape)),
      shape,
    });
    gradients[`gradient:${name}`] = known[`d:${name}`] ?? none();
  }
  if (backward === undefined) return gradients;
  const accumulated = step.feedback.backward.map(([, name]) => name);
  await backward.session.setState(chosen(gradients, accumulated));
  const { pairs } = step.noise(moment);
  for (let part = 0; part < step.chunks; part++) {
    const feeds = chunkOf({ ...known, ...pairs }, backward, part);
    await backward.session.run(feeds, { fetches: [], feedback: step.feedback.backward });
  }
  return { ...gradients, ...(await backward.session.getState(accumulated)) };
}

/** Gives parameters to the programs that read them beside the optimiser's. */
async function spread({ embed, loss, backward }: Opened, parameters: Tensors): Promise<void> {
  for (const program of [embed, loss, backward]) {
    if (program === undefined) continue;
    await program.session.setState(pick(parameters, (name) => program.inputs.has(name)));
  }
}

/** What a batch must bring: all that the towers and the loss read and no part of the step makes. */
function inputsOfBatch(
  { step, embed, loss }: Opened,
  parameters: ReadonlySet<string>,
): Map<string, TensorKind> {
  const noise = step.noise({ seed: 0, step: 1 });
  const made = new Set([
    ...parameters,
    ...embed.outputs,
    ...Object.keys({ ...noise.pairs, ...noise.beside }),
  ]);
  const ofChunks = [...embed.inputs].map(([name, { type, shape }]): [string, TensorKind] => [
    name,
    { type, shape: [shape[0]! * step.chunks, ...shape.slice(1)] },
  ]);
  return new Map([...ofChunks, ...loss.inputs].filter(([name]) => !made.has(name)));
}

/** What the program reads besides its state. */
function feedsOf({ inputs }: OpenProgram, tensors: Tensors): Tensors {
  return pick(tensors, (name) => inputs.has(name));
}

/** The same for one chunk: its rows of what the whole batch has. */
function chunkOf(tensors: Tensors, program: OpenProgram, part: number): Tensors {
  const feeds = Object.entries(feedsOf(program, tensors)).map(([name, tensor]) => {
    const count = program.inputs.get(name)!.shape[0]!;
    return [name, ...Object.values(rows({ [name]: tensor }, part * count, (part + 1) * count))];
  });
  return Object.fromEntries(feeds);
}
