/** Weights in eight bits: as near as their step allows, and refused where the factors do not fit. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inEightBits, withRestoredRows } from '../../src/checkpoint/eight-bits.ts';
import { readTensor } from '../../src/checkpoint/tensors.ts';
import { openWeights } from '../../src/checkpoint/weights.ts';
import { type TensorEntry, writeSafetensors } from '../../src/checkpoint/write-safetensors.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-eight-bits-'));
});
afterAll(() => rm(folder, { recursive: true }));

const shape = [3, 4];
const data = Float32Array.of(1, -0.5, 0.25, 0, 0, 0, 0, 0, 100, -254, 3, 0.9);

async function restored(entries: readonly TensorEntry[]) {
  const path = join(folder, 'weights.safetensors');
  await writeSafetensors(path, entries);
  return withRestoredRows((await openWeights(path)).tensors);
}

it('comes back within half a step of each row, rows of zeros as zeros', async () => {
  const tensors = await restored([
    ...inEightBits('matrix', shape, data),
    { name: 'other', type: 'float32', shape: [1], data: Float32Array.of(7) },
  ]);
  expect([...tensors.keys()].sort()).toEqual(['matrix', 'other']);
  const back = await readTensor(tensors.get('matrix')!);
  for (const [at, value] of data.entries()) {
    const row = data.subarray(Math.floor(at / 4) * 4, Math.floor(at / 4) * 4 + 4);
    const step = Math.max(...row.map(Math.abs)) / 127;
    expect(Math.abs(back[at]! - value)).toBeLessThanOrEqual(step / 2 + 1e-5);
  }
  expect([...back.subarray(4, 8)]).toEqual([0, 0, 0, 0]);
});

it('refuses factors of another number of rows, and such as are no numbers', async () => {
  const [whole, factors] = inEightBits('matrix', shape, data) as [TensorEntry, TensorEntry];
  const short = { ...factors, shape: [2], data: Float32Array.of(1, 2) };
  await expect(restored([whole, short])).rejects.toMatchObject({ code: 'invalid_checkpoint' });
  const none = { ...factors, data: Float32Array.of(1, Number.NaN, 2) };
  await expect(restored([whole, none])).rejects.toThrow("'matrix.row_factors'");
});

it('leaves whole numbers without factors as they are', async () => {
  const [whole] = inEightBits('matrix', shape, data) as [TensorEntry];
  expect((await restored([whole])).get('matrix')?.type).toBe('int8');
});
