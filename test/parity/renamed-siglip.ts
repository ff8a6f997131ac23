/** Writes the weights of `siglip-hf` under the names of open_clip's SigLIP, as the fixture's table says. */
import { join } from 'node:path';
import { type TensorEntry, writeSafetensors } from '../../src/checkpoint/write-safetensors.ts';
import { readFixtureJson, readFixtureTensors } from './fixture-files.ts';

interface NameRow {
  from: string[];
  how: string;
  shape: number[];
}

/** Replaces the `model.safetensors` of the folder. */
export async function renamedSiglip(folder: string): Promise<void> {
  const names = readFixtureJson<Record<string, NameRow>>('open_clip-siglip/names.json');
  const weights = await readFixtureTensors('siglip-hf/model.safetensors');
  const entries = Object.entries(names).map(([name, { from, how, shape }]): TensorEntry => {
    const all = from.flatMap((part) => Array.from(weights.get(part)!.data));
    return { name, type: 'float32', shape, data: Float32Array.from(cut(all, how)) };
  });
  await writeSafetensors(join(folder, 'model.safetensors'), entries);
}

/** Everything else that the table does only changes the shape. */
function cut(data: number[], how: string): number[] {
  if (how === 'first third of the first axis') return data.slice(0, data.length / 3);
  if (how === 'last two thirds of the first axis') return data.slice(data.length / 3);
  return data;
}
