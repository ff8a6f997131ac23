/** Reads a checkpoint that is split over several files, by the `*.index.json` that says which tensor is in which. */
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { EidosError } from '../../errors.ts';
import type { StoredTensor } from '../../graph/tensor.ts';
import { readJson } from '../files.ts';
import { limits } from '../limits.ts';
import type { Weights } from './format.ts';

/** Zod's records pass over `__proto__` without a word: the tensor of that name would be lost. */
const wholeRecord = z.custom<object>((value) => !Object.hasOwn(Object(value), '__proto__'));

const indexSchema = z.object({ weight_map: wholeRecord.pipe(z.record(z.string(), z.string())) });

/** What the index says: the shard of every tensor. Shards are plain file names beside the index. */
async function readIndex(path: string): Promise<Map<string, string>> {
  const parsed = indexSchema.safeParse(await readJson(path));
  if (!parsed.success) {
    throw new EidosError(
      'invalid_checkpoint',
      `'${path}' has no 'weight_map' from tensor names to file names.`,
    );
  }
  const weightMap = new Map(Object.entries(parsed.data.weight_map));
  const shards = new Set(weightMap.values());
  if (weightMap.size > limits.tensors || shards.size > limits.shards) {
    throw new EidosError(
      'invalid_checkpoint',
      `'${path}' names ${weightMap.size} tensors in ${shards.size} files, over the limit of ${limits.tensors} in ${limits.shards}.`,
    );
  }
  for (const shard of shards) {
    if (/^[\w-][\w.-]*$/.test(shard) && !shard.endsWith('.json')) continue;
    throw new EidosError(
      'invalid_checkpoint',
      `'${path}' names the shard '${shard}', which is no plain file name of weights.`,
    );
  }
  return weightMap;
}

/**
 * The file names of a checkpoint's shards.
 * @throws EidosError `invalid_checkpoint` where the index is malformed.
 */
export async function shardNames(path: string): Promise<string[]> {
  return [...new Set((await readIndex(path)).values())];
}

/**
 * The tensors of all shards, which must lie beside the index.
 * @param open reads one shard, whatever its format.
 * @throws EidosError `invalid_checkpoint` where the index and the shards contradict each other.
 */
export async function readSharded(path: string, open: (path: string) => Promise<Weights>): Promise<Weights> {
  const weightMap = await readIndex(path);
  const tensors = new Map<string, StoredTensor>();
  const files: string[] = [];
  let metadata: Record<string, string> = {};
  let format: Weights['format'] = 'safetensors';
  for (const shard of new Set(weightMap.values())) {
    const weights = await open(join(dirname(path), shard));
    format = weights.format;
    files.push(...weights.files);
    metadata = { ...metadata, ...weights.metadata };
    for (const [name, tensor] of weights.tensors) {
      if (weightMap.get(name) !== shard) {
        throw new EidosError(
          'invalid_checkpoint',
          `'${shard}' holds '${name}', which '${path}' ${weightMap.has(name) ? `places in '${weightMap.get(name)}'` : 'does not know'}.`,
        );
      }
      tensors.set(name, tensor);
    }
  }
  for (const [name, shard] of weightMap) {
    if (!tensors.has(name)) {
      throw new EidosError(
        'invalid_checkpoint',
        `'${path}' places '${name}' in '${shard}', where it is not.`,
      );
    }
  }
  return { format, files, tensors, metadata };
}
