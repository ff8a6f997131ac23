/**
 * A training packed into a folder for an engine elsewhere: the program of a step, its first state, and what it reads
 * step by step. `bench/torch/pack.py` says what each part is.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checkpoints } from './eidos.mjs';

/**
 * @typedef {import('../../src/engine/engine.ts').RuntimeTensor} RuntimeTensor
 * @typedef {{ scale: number[], offset: number[] }} ByteCode a byte b stands for b · scale + offset of its channel
 * @typedef {{
 *   folder: string, program: Uint8Array, state: Record<string, RuntimeTensor>,
 *   feedback: readonly (readonly [string, string])[], reports: string[],
 *   numbers: Record<string, Float32Array>, batches(): AsyncIterable<Record<string, RuntimeTensor>>,
 *   bytes?: Record<string, ByteCode>, halves?: readonly string[], pieceBytes?: number, about?: object
 * }} Packing
 * `numbers` are inputs of one number a step; `bytes` and `halves` name inputs that are packed in 8 and 16 bits;
 * `about` is kept in the description for whoever unpacks.
 * @typedef {{
 *   format: number, program: string, state: string, feedback: [string, string][], reports: string[],
 *   numbers: string, batches: string[], count: number, bytes: Record<string, ByteCode>, about: any
 * }} Description
 */

const format = 1;
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
 * Writes the folder and returns its description.
 * @param {Packing} packing
 * @returns {Promise<Description>}
 */
export async function writePack(packing) {
  const { folder, bytes = {}, halves = [], pieceBytes = defaultPieceBytes, about = {} } = packing;
  const { writeSafetensors } = await checkpoints();
  await mkdir(folder, { recursive: true });
  const within = (/** @type {string} */ name) => join(folder, name);
  await writeFile(within('step.onnx'), packing.program);
  await writeSafetensors(within('state.safetensors'), Object.entries(packing.state).map(asEntry));
  const series = Object.entries(packing.numbers).map(([name, data]) =>
    asEntry([name, { type: 'float32', data, shape: [data.length] }]),
  );
  await writeSafetensors(within('numbers.safetensors'), series);

  /** @type {string[]} */
  const files = [];
  /** @type {Entry[]} */
  let piece = [];
  let held = 0;
  const flush = async () => {
    if (piece.length === 0) return;
    const name = `batches-${String(files.length).padStart(3, '0')}.safetensors`;
    await writeSafetensors(within(name), widestFirst(piece));
    files.push(name);
    piece = [];
    held = 0;
  };
  let count = 0;
  for await (const batch of packing.batches()) {
    const entries = Object.entries(batch).map(([name, tensor]) => ({
      ...packed(name, tensor, bytes[name], halves.includes(name)),
      name: `${count}/${name}`,
    }));
    const length = entries.reduce((sum, { data, type }) => sum + data.length * widths[type], 0);
    if (held + length > pieceBytes) await flush();
    piece.push(...entries);
    held += length;
    count++;
  }
  await flush();
  /** @type {Description} */
  const description = {
    format,
    program: 'step.onnx',
    state: 'state.safetensors',
    feedback: packing.feedback.map(([output, input]) => [output, input]),
    reports: packing.reports,
    numbers: 'numbers.safetensors',
    batches: files,
    count,
    bytes,
    about,
  };
  await writeFile(within('training.json'), `${JSON.stringify(description, undefined, 1)}\n`);
  return description;
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
  for (let at = 0; at < data.length; at++) {
    const channel = Math.floor(at / plane) % channels;
    bytes[at] = (Number(data[at]) - (offset[channel] ?? 0)) / (scale[channel] ?? 1);
  }
  return new Uint8Array(bytes.buffer);
}
