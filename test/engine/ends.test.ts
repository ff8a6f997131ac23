/** Programs that use the library end by themselves once they have nothing left to do. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeTinyModel } from '../tiny-model.ts';

const library = join(import.meta.dirname, '../../dist/index.js');
let model: string;
let cache: string;
beforeAll(async () => {
  model = await writeTinyModel();
  cache = await mkdtemp(join(tmpdir(), 'eidos-ends-'));
});
afterAll(async () => {
  for (const folder of [model, cache]) await rm(folder, { recursive: true });
});

describe.skipIf(!existsSync(library))('a program ends that', () => {
  test.each([
    ['loads a model and embeds nothing', ''],
    ['makes a classifier', "await createZeroShotClassifier(clip, ['a dog', 'a cat']);"],
    // From the second time on the class matrix comes from the cache.
    ['takes a classifier from the cache', "await createZeroShotClassifier(clip, ['a dog', 'a cat']);"],
    ['embeds', "await clip.embedTexts('a dog');"],
    ['closes by its block’s end', 'await clip[Symbol.asyncDispose]();'],
    ['fails', "await clip.embedImages('nowhere.jpg').catch(() => {});"],
  ])('%s', (_, body) => {
    const program = `
      import { createZeroShotClassifier, loadClip } from ${JSON.stringify(pathToFileURL(library).href)};
      const clip = await loadClip(${JSON.stringify(model)});
      ${body}`;
    const { status, signal, stderr } = spawnSync(
      process.execPath,
      ['--input-type=module', '--eval', program],
      { encoding: 'utf8', timeout: 30_000, env: { ...process.env, XDG_CACHE_HOME: cache } },
    );
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  });
});
