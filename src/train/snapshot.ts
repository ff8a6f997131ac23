/** The state of a training run in a file, so that it can be looked at while it runs and go on after an end. */
import { openWeights, readTensor, writeSafetensors } from '../checkpoint/index.ts';
import { EidosError } from '../errors.ts';
import type { FloatTensor } from '../graph/tensor.ts';

/** Writes arrays as a safetensors file; the old file stays whole until the new one is. */
export async function writeSnapshot(
  path: string,
  tensors: ReadonlyMap<string, FloatTensor>,
  notes: Record<string, string>,
): Promise<void> {
  const entries = [...tensors].map(([name, tensor]) => ({ name, type: 'float32' as const, ...tensor }));
  await writeSafetensors(path, entries, notes);
}

/**
 * Reads the named arrays.
 * @throws EidosError `invalid_checkpoint` where one is missing.
 */
export async function readSnapshot(
  path: string,
  names: readonly string[],
): Promise<Map<string, FloatTensor>> {
  const { tensors } = await openWeights(path);
  const result = new Map<string, FloatTensor>();
  for (const name of names) {
    const stored = tensors.get(name);
    if (stored === undefined)
      throw new EidosError('invalid_checkpoint', `${path} lacks the tensor '${name}'.`);
    result.set(name, { data: await readTensor(stored), shape: stored.shape });
  }
  return result;
}
