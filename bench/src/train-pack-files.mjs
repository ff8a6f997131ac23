/**
 * A training packed into a folder for an engine elsewhere: the program of a step, its first state, and what it reads
 * step by step. `bench/torch/pack.py` says what each part is.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { checkpoints, trainings } from './eidos.mjs';

/**
 * @typedef {import('../../src/engine/engine.ts').RuntimeTensor} RuntimeTensor
 * @typedef {{ scale: number[], offset: number[] }} ByteCode a byte b stands for b · scale + offset of its channel
 * @typedef {{
 *   folder: string, program: Uint8Array, state: Record<string, RuntimeTensor>,
 *   feedback: readonly (readonly [string, string])[], reports: string[],
 *   numbers: Record<string, Float32Array>, batches(): AsyncIterable<Record<string, RuntimeTensor>>, count: number,
 *   first?: number, ahead?: number | undefined, bytes?: Record<string, ByteCode>, halves?: readonly string[], pieceBytes?: number,
 *   renewal?: Renewal | undefined, about?: object
 * }} Packing
 * `numbers` are inputs of one number a step; `batches` yields those from number `first` to `count`; with `ahead`, no
 * more files of them than that lie there at a time, and the next one is written when another has been taken away;
 * `bytes` and `halves` name inputs that are packed in 8 and 16 bits; `about` is kept in the description for whoever
 * unpacks.
 * @typedef {{
 *   state: string, program: Uint8Array, rows: number, tokens: RuntimeTensor, owners: readonly number[],
 *   classes: number, everySteps: number
 * }} Renewal a part of the state that is made anew now and then; `bench/torch/renewal.py` says what each part is
 * @typedef {{
 *   format: number, program: string, state: string, feedback: [string, string][], reports: string[],
 *   numbers: string, batches: string[], count: number, first: number, perFile: number, bytes: Record<string, ByteCode>,
 *   renewal: object | null, about: any
 * }} Description
 */

const format = 2;
/** A little under 64 MB, so that a piece passes where files of more do not. */
const defaultPieceBytes = 60e6;

/**
 * What steps read besides their batches, parted into numbers and arrays: `numbers` [steps] by name, and the other
 * inputs of step i, counted from 0, which are packed with a batch.
 * @param {number} steps
 * @param {(step: number) => Record<string, RuntimeTensor>} inputs of a step, counted from 1
 */
export function inputsOfSteps(steps, inputs) {
  /** @type {Record<string, Float32Array>} */
  const numbers = {};
  for (let i = 0; i < steps; i++) {
    for (const [name, { data, shape }] of Object.entries(inputs(i + 1))) {
      if (shape.length > 0) continue;
      numbers[name] ??= new Float32Array(steps);
      numbers[name][i] = Number(data[0]);
    }
  }
  const others = (/** @type {number} */ i) =>
    Object.fromEntries(Object.entries(inputs(i + 1)).filter(([, { shape }]) => shape.length > 0));
  return { numbers, others };
}

/** How pixels normalised with these means and deviations are packed as bytes, exactly where they come from bytes. */
export function pixelCode(
  /** @type {{ mean: readonly number[], deviation: readonly number[] }} */ { mean, deviation },
) {
  return {
    scale: deviation.map((d) => 1 / (255 * d)),
    offset: mean.map((m, channel) => -m / (deviation[channel] ?? 1)),
  };
}

/**
 * Writes the folder, in place of a pack that is there, and returns its description. It is written last; with `ahead`
 * before the batches, as whoever reads them meanwhile needs it.
 * @param {Packing} packing
 * @returns {Promise<Description>}
 */
export async function writePack(packing) {
  const { folder, count, first = 0, bytes = {}, halves = [], pieceBytes = defaultPieceBytes } = packing;
  const { writeSafetensors } = await checkpoints();
  await mkdir(folder, { recursive: true });
  const within = (/** @type {string} */ name) => join(folder, name);
  for (const name of await readdir(folder)) {
    if (name === 'training.json' || /^batches-\d+\.safetensors$/.test(name)) await rm(within(name));
  }
  await writeFile(within('step.onnx'), packing.program);
  await writeSafetensors(within('state.safetensors'), Object.entries(packing.state).map(asEntry));
  const series = Object.entries(packing.numbers).map(([name, data]) =>
    asEntry([name, { type: 'float32', data, shape: [data.length] }]),
  );
  await writeSafetensors(within('numbers.safetensors'), series);
  const renewal = packing.renewal === undefined ? null : await writeRenewal(folder, packing.renewal);

  /** @type {Description | undefined} */
  let description;
  /** @type {Entry[]} */
  let piece = [];
  let number = first;
  for await (const batch of packing.batches()) {
    const entries = Object.entries(batch).map(([name, tensor]) => ({
      ...packed(name, tensor, bytes[name], halves.includes(name)),
      name: `${number}/${name}`,
    }));
    if (description === undefined) {
      const length = entries.reduce((sum, { data, type }) => sum + data.length * widths[type], 0);
      description = describe(Math.max(1, Math.floor(pieceBytes / length)));
      if (packing.ahead !== undefined) await writeDescription(description);
    }
    piece.push(...entries);
    number++;
    if (number % description.perFile > 0 && number < count) continue;
    const file = /** @type {string} */ (description.batches[Math.ceil(number / description.perFile) - 1]);
    if (packing.ahead !== undefined) await untilTaken(folder, description.batches, packing.ahead);
    await writeSafetensors(within(file), widestFirst(piece));
    piece = [];
  }
  if (description === undefined || number < count) throw new Error(`${number} of ${count} batches came.`);
  if (packing.ahead === undefined) await writeDescription(description);
  return description;

  /** @param {Description} described */
  async function writeDescription(described) {
    const { saving } = await trainings();
    await saving.writeWholeFile(within('training.json'), `${JSON.stringify(described, undefined, 1)}\n`);
  }

  /** @param {number} perFile batches, which are all of one size @returns {Description} */
  function describe(perFile) {
    return {
      format,
      program: 'step.onnx',
      state: 'state.safetensors',
      feedback: packing.feedback.map(([output, input]) => [output, input]),
      reports: packing.reports,
      numbers: 'numbers.safetensors',
      batches: Array.from(
        { length: Math.ceil(count / perFile) },
        (_, i) => `batches-${String(i).padStart(3, '0')}.safetensors`,
      ),
      count,
      first,
      perFile,
      bytes,
      renewal,
      about: packing.about ?? {},
    };
  }
}

/** Waits while as many of the files lie there as may. @param {string} folder @param {string[]} files @param {number} ahead */
async function untilTaken(folder, files, ahead) {
  const known = new Set(files);
  while ((await readdir(folder)).filter((name) => known.has(name)).length >= ahead) await setTimeout(50);
}

/** @param {string} folder @param {Renewal} renewal */
async function writeRenewal(folder, { program, tokens, owners, ...rest }) {
  const { writeSafetensors } = await checkpoints();
  await writeFile(join(folder, 'classes.onnx'), program);
  await writeSafetensors(join(folder, 'classes.safetensors'), [
    packed('tokens', tokens, undefined, false),
    { name: 'owners', type: 'int32', shape: [owners.length], data: Int32Array.from(owners) },
  ]);
  return { ...rest, program: 'classes.onnx', sentences: 'classes.safetensors' };
}

/**
 * The description in a folder.
 * @param {string} folder
 * @returns {Promise<Description>}
 */
export async function readDescription(folder) {
  const path = join(folder, 'training.json');
  const description = JSON.parse(await readFile(path, 'utf8'));
  if (description.format !== format) {
    throw new Error(`${path} has format ${description.format}; this version reads format ${format}.`);
  }
  return description;
}

/** @typedef {{ name: string, type: keyof typeof widths, shape: number[], data: any }} Entry */

/** Bytes an element takes, of the types that packs hold. */
const widths = { float32: 4, float16: 2, int64: 8, int32: 4, uint8: 1, bool: 1 };

/** @param {[string, RuntimeTensor]} named @returns {Entry} */
function asEntry([name, { type, data, shape }]) {
  return { name, type, shape: [...shape], data };
}

/** Wide elements before narrow ones, so that all begin at multiples of their size. @param {Entry[]} entries */
function widestFirst(entries) {
  return [...entries].sort((a, b) => widths[b.type] - widths[a.type]);
}

/**
 * @param {string} name @param {RuntimeTensor} tensor @param {ByteCode | undefined} code @param {boolean} half
 * @returns {Entry}
 */
function packed(name, tensor, code, half) {
  const shape = [...tensor.shape];
  if (code !== undefined) return { name, type: 'uint8', shape, data: toBytes(tensor, code) };
  if (half) return { name, type: 'float16', shape, data: tensor.data };
  if (tensor.type !== 'int64') return asEntry([name, tensor]);
  return { name, type: 'int32', shape, data: Int32Array.from(/** @type {any} */ (tensor.data), Number) };
}

/** Rounded to the nearest byte. @param {RuntimeTensor} tensor [n, channels, …] @param {ByteCode} code */
function toBytes({ data, shape }, { scale, offset }) {
  const [, channels = 1, ...sides] = shape;
  const plane = sides.reduce((product, side) => product * side, 1);
  const bytes = new Uint8ClampedArray(data.length);
  for (let first = 0; first < data.length; first += plane) {
    const channel = (first / plane) % channels;
    const [from = 0, by = 1] = [offset[channel], scale[channel]];
    for (let at = first; at < first + plane; at++) bytes[at] = (Number(data[at]) - from) / by;
  }
  return new Uint8Array(bytes.buffer);
}
