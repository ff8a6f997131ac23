import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openIndex } from '../../../src/tasks/search/index.ts';
import { writeTinyModel } from '../../tiny-model.ts';
import { temporaryFolder, writePictures } from './pictures.ts';

const built = fileURLToPath(new URL('../../../dist/tasks/search/index.js', import.meta.url));

/** A process that syncs and tells of every step. */
const program = `
  const [, module, path, model, root] = process.argv;
  const { openIndex } = await import(module);
  const index = await openIndex(path, { model, create: true });
  console.log('opened');
  await index.sync([root], { commitEvery: 4, batchSize: 4, onProgress: ({ stage }) => console.log(stage) });
  console.log('synced');
  await index.close();
`;

/** Steps after which a process is killed, as from a seed: early, in the middle, at the end. */
const kills = 20;

test.skipIf(!existsSync(built))(
  'killed twenty times at any moment, the index comes to hold every picture once',
  async () => {
    const folder = await temporaryFolder();
    const model = await writeTinyModel();
    const root = join(folder, 'pictures');
    const path = join(folder, 'index');
    const names = Array.from({ length: 120 }, (_, i) => `${i}.png`);
    await writePictures(root, Object.fromEntries(names.map((name, i) => [name, i])));

    let random = 12345;
    const chance = (below: number): number => {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      return random % below;
    };
    let killed = 0;
    for (let attempt = 0; attempt < kills; attempt++) {
      killed += Number(await runAndKill([path, model, root], { steps: chance(14), delay: chance(25) }));
      // Meanwhile pictures move and go.
      await rename(join(root, `${attempt}.png`), join(root, `moved-${attempt}.png`));
      await rm(join(root, `${119 - attempt}.png`));
    }
    expect(killed).toBeGreaterThan(kills / 2);

    const index = await openIndex(path, { model });
    const report = await index.sync();
    const { pictures } = await index.pictures({ limit: 1000 });
    const wanted = names
      .slice(0, 120 - kills)
      .map((name, i) => join(root, i < kills ? `moved-${name}` : name));
    expect(pictures.map(({ image }) => image).sort()).toEqual(wanted.sort());
    expect(new Set(pictures.map(({ id }) => id)).size).toBe(wanted.length);
    expect(report).toMatchObject({ pictures: wanted.length, unreadable: [] });
    // Every vector is its own picture's: each finds itself.
    for (const { image, id } of pictures.slice(0, 10)) {
      expect((await index.search({ image }, { topK: 1, cutOff: false })).hits[0]).toMatchObject({ id });
    }
    await index.close();
    await rm(folder, { recursive: true });
    await rm(model, { recursive: true });
  },
  240_000,
);

/** Lets a process go so many steps and a moment, and kills it; false where it had ended before. */
async function runAndKill(
  [path, model, root]: readonly [string, string, string],
  { steps, delay }: { steps: number; delay: number },
): Promise<boolean> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, built, path, model, root], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<boolean>((resolve) =>
    child.once('exit', (_, signal) => resolve(signal === 'SIGKILL')),
  );
  let seen = 0;
  createInterface({ input: child.stdout }).on('line', () => {
    seen += 1;
    if (seen === steps + 1) setTimeout(() => child.kill('SIGKILL'), delay);
  });
  return ended;
}
