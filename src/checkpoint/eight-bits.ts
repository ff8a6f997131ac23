/**
 * Weights of a model file in eight bits: whole numbers of −127 to 127, and beside `NAME` a tensor `NAME.row_factors` with
 * a single float for each row of its first axis, by which they are multiplied. A quarter of the file, and no other
 * numbers than single floats once it is open.
 */
import { EidosError } from '../errors.ts';
import { elementCount, floatsInMemory, type StoredTensor } from '../graph/tensor.ts';
import { readBytes, readTensor } from './tensors.ts';
import type { TensorEntry } from './write-safetensors.ts';

const suffix = '.row_factors';
const most = 127;

/**
 * The two tensors of a parameter: each row is divided by its largest magnitude / 127 and rounded to the nearest.
 * @param shape of at least one axis
 */
export function inEightBits(name: string, shape: number[], data: Float32Array): TensorEntry[] {
  const rows = shape[0] ?? 1;
  const length = data.length / rows;
  const whole = new Int8Array(data.length);
  const factors = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const own = data.subarray(row * length, (row + 1) * length);
    const factor = Math.fround(own.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) / most);
    factors[row] = factor;
    if (factor === 0) continue;
    for (let i = 0; i < length; i++) whole[row * length + i] = Math.round(own[i]! / factor);
  }
  return [
    { name, type: 'int8', shape, data: whole },
    { name: name + suffix, type: 'float32', shape: [rows], data: factors },
  ];
}

/**
 * The tensors with those in eight bits as single floats in memory, and without their factors.
 * @throws EidosError `invalid_checkpoint` for factors that do not fit the rows or are no numbers
 */
export async function withRestoredRows(
  tensors: ReadonlyMap<string, StoredTensor>,
): Promise<Map<string, StoredTensor>> {
  const restored = new Map(tensors);
  for (const [name, factors] of tensors) {
    if (!name.endsWith(suffix)) continue;
    const tensor = tensors.get(name.slice(0, -suffix.length));
    if (tensor?.type !== 'int8') continue;
    restored.delete(name);
    restored.set(tensor.name, await restore(tensor, factors));
  }
  return restored;
}

async function restore(tensor: StoredTensor, factors: StoredTensor): Promise<StoredTensor> {
  const rows = tensor.shape[0] ?? 1;
  const values = factors.shape.length === 1 && factors.shape[0] === rows ? await readTensor(factors) : [];
  if (values.length !== rows || !values.every(Number.isFinite)) {
    throw new EidosError(
      'invalid_checkpoint',
      `'${factors.name}' of shape [${factors.shape}] has to be a number for each of the ${rows} rows of '${tensor.name}'.`,
    );
  }
  const bytes = await readBytes(tensor);
  const whole = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const data = new Float32Array(elementCount(tensor.shape));
  const length = data.length / rows;
  for (let row = 0, at = 0; row < rows; row++) {
    const factor = values[row]!;
    for (const end = at + length; at < end; at++) data[at] = factor * whole[at]!;
  }
  return { ...tensor, ...floatsInMemory(data) };
}
