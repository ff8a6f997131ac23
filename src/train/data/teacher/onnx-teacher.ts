/** A teacher from an ONNX file, whatever it was trained for, that gives a row of numbers a picture. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createEngine, type ProgramPort, type Session } from '../../../engine/engine.ts';
import { EidosError } from '../../../errors.ts';
import type { SquarePicture } from '../augment.ts';
import type { TeacherConfig } from '../config.ts';
import type { Teacher } from './teacher.ts';

/** Outputs by which published models call their features, the likeliest first. */
const usualOutputs = [
  'features',
  'image_embeds',
  'image_embeddings',
  'embeddings',
  'embedding',
  'pooler_output',
  'pooled',
];

/** Pictures of ordinary size are seen with this side, where the model leaves it open. */
const usualSide = 192;
/** Tiles are recognised better when they are enlarged, up to what such nets are trained on. */
const mostSide = 224;

/** @throws EidosError `not_found`, `engine_failed`, `config_mismatch` for inputs and outputs that do not fit */
export async function openOnnxTeacher(config: TeacherConfig & { model: string }): Promise<Teacher> {
  const path = config.model;
  const bytes = await readFile(path).catch((cause: Error) => {
    throw new EidosError('not_found', `The teacher ${path} cannot be read: ${cause.message}.`, { cause });
  });
  const hash = createHash('sha256').update(bytes);
  const engine = createEngine();
  try {
    const session = await engine.compile({
      model: new Uint8Array(bytes),
      weightFolder: dirname(path),
      weightFiles: [],
      inputs: [],
      outputs: [],
    });
    const { inputs, outputs } = await session.ports();
    const input = chooseInput(inputs, config.input, path);
    const output = chooseOutput(outputs, config.output, path);
    const fixed = sideOf(input, config.size, path);
    const see = createSight(session, { input: input.name, output: output.name }, config);
    const { mean, deviation } = config;
    hash.update(JSON.stringify([input.name, output.name, mean, deviation]));
    const sideFor = (tile: number | undefined): number =>
      config.size ??
      fixed ??
      (tile === undefined ? usualSide : Math.min(mostSide, Math.ceil((2 * tile) / 32) * 32));
    const width = await widthOf(output, see, sideFor(undefined), path);
    return {
      fingerprint: hash.digest('hex').slice(0, 16),
      width,
      sideFor,
      root: config.root ?? true,
      centre: config.centre ?? true,
      see,
      close: () => engine.close(),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

function createSight(
  session: Session,
  { input, output }: { input: string; output: string },
  { mean, deviation }: TeacherConfig,
): Teacher['see'] {
  return async (pictures) => {
    const data = normalised(pictures, mean, deviation);
    const side = pictures[0]!.side;
    const outputs = await session.run(
      { [input]: { type: 'float32', data, shape: [pictures.length, 3, side, side] } },
      { fetches: [output], transfer: [input] },
    );
    return outputs[output]!.data as Float32Array;
  };
}

/** [pictures, 3, side, side], (value / 255 − mean) / deviation. */
function normalised(
  pictures: readonly SquarePicture[],
  mean: readonly number[],
  deviation: readonly number[],
): Float32Array {
  const plane = pictures[0]!.side ** 2;
  const values = new Float32Array(pictures.length * 3 * plane);
  for (const [row, { data }] of pictures.entries()) {
    for (let channel = 0; channel < 3; channel++) {
      const scale = 1 / (255 * deviation[channel]!);
      const shift = -mean[channel]! / deviation[channel]!;
      const start = (row * 3 + channel) * plane;
      for (let pixel = 0; pixel < plane; pixel++) {
        values[start + pixel] = data[pixel * 3 + channel]! * scale + shift;
      }
    }
  }
  return values;
}

function chooseInput(inputs: readonly ProgramPort[], wanted: string | undefined, path: string): ProgramPort {
  const fitting = inputs.filter(({ type, shape }) => type === 'float32' && shape.length === 4);
  const input = wanted === undefined ? fitting[0] : inputs.find(({ name }) => name === wanted);
  if (input !== undefined && (wanted !== undefined || fitting.length === 1)) {
    if (input.shape[1] === 3 || typeof input.shape[1] === 'string') return input;
    throw new EidosError(
      'config_mismatch',
      `The input "${input.name}" of the teacher ${path} is [${input.shape.join(', ')}]: pictures are [n, 3, height, width].`,
    );
  }
  throw new EidosError(
    'config_mismatch',
    `The teacher ${path} has the inputs ${listed(inputs)}: name the one for pictures as teacher.input.`,
  );
}

function chooseOutput(
  outputs: readonly ProgramPort[],
  wanted: string | undefined,
  path: string,
): ProgramPort {
  const usual = usualOutputs.find((name) => outputs.some((port) => port.name === name));
  const name = wanted ?? usual ?? (outputs.length === 1 ? outputs[0]!.name : undefined);
  const output = outputs.find((port) => port.name === name);
  if (output !== undefined) return output;
  throw new EidosError(
    'config_mismatch',
    `The teacher ${path} has the outputs ${listed(outputs)}: name the one with features as teacher.output.`,
  );
}

/** The side that the model is made for; undefined where it takes any. */
function sideOf({ name, shape }: ProgramPort, wanted: number | undefined, path: string): number | undefined {
  const [, , height, width] = shape;
  if (typeof height !== 'number' || height <= 0) return undefined;
  if (height === width && (wanted === undefined || wanted === height)) return height;
  throw new EidosError(
    'config_mismatch',
    `The input "${name}" of the teacher ${path} is [${shape.join(', ')}]${wanted === undefined ? ': squares are wanted' : `, and teacher.size is ${wanted}`}.`,
  );
}

/** Features a picture, told from what the output is for a black one. */
async function widthOf(
  { name, shape }: ProgramPort,
  see: Teacher['see'],
  side: number,
  path: string,
): Promise<number> {
  // Pooled features are often [n, width, 1, 1].
  const isRow = shape.length === 2 || (shape.length > 2 && shape.slice(2).every((size) => size === 1));
  if (!isRow) {
    throw new EidosError(
      'config_mismatch',
      `The output "${name}" of the teacher ${path} is [${shape.join(', ')}]: a row of features a picture is wanted, so name another one as teacher.output.`,
    );
  }
  return (await see([{ side, data: new Uint8Array(side * side * 3) }])).length;
}

function listed(ports: readonly ProgramPort[]): string {
  return ports.map(({ name, shape }) => `"${name}" [${shape.join(', ')}]`).join(', ') || 'none';
}
