/** Where the fixtures lie: the compact selection of this repository first, then the whole set beside the clone. */
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openWeights, readBytes, readTensor } from '../../src/checkpoint/index.ts';
import { sharedFixtures } from '../fixtures.ts';
import type { Numbers } from './check.ts';

/** Folder of the committed selection, with a slash at its end. */
export const committedFixtures = fileURLToPath(new URL('../fixtures/', import.meta.url));

/** The path of a fixture, or undefined where it is in neither place. */
export function findFixture(path: string): string | undefined {
  const committed = committedFixtures + path;
  if (existsSync(committed)) return committed;
  if (sharedFixtures !== undefined && existsSync(sharedFixtures + path)) return sharedFixtures + path;
  return undefined;
}

/** The path of a fixture that is there. */
export function fixture(path: string): string {
  const found = findFixture(path);
  if (found === undefined) throw new Error(`The fixture ${path} is missing.`);
  return found;
}

export function readFixtureJson<T>(path: string): T {
  return JSON.parse(readFileSync(fixture(path), 'utf8')) as T;
}

/** All tensors of a safetensors fixture whose names begin with the prefix, without it. */
export async function readFixtureTensors(path: string, prefix = ''): Promise<Map<string, Numbers>> {
  const result = new Map<string, Numbers>();
  for (const [name, tensor] of (await openWeights(fixture(path))).tensors) {
    if (!name.startsWith(prefix)) continue;
    const data =
      tensor.type === 'int64'
        ? Array.from(new BigInt64Array((await readBytes(tensor)).slice().buffer), Number)
        : await readTensor(tensor);
    result.set(name.slice(prefix.length), { data, shape: tensor.shape });
  }
  return result;
}

/** A folder of fixtures put together anew, [name → path of a fixture, or JSON to write], while it is used. */
export async function withFolder<T>(
  files: Readonly<Record<string, string | object>>,
  use: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'eidos-parity-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      if (typeof content === 'string') await copyFile(fixture(content), join(folder, name));
      else await writeFile(join(folder, name), JSON.stringify(content));
    }
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}
