import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
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
  const [, , module, path, model, root] = process.argv;
  const { openIndex } = await import(module);
  const index = await openIndex(path, { model, create: true });
  console.log('opened');
  await index.sync([root], { commitEvery: 4, batchSize: 4, onProgress: ({ stage }) => console.log(stage) });
  console.log('synced');
  await index.close();
`;

const kills = 20;

test.skipIf(!existsSync(built))(
  'killed twenty times at any moment, the index comes to hold every picture once',
  async () => {
    const folder = await temporaryFolder();
    const model = await writeTinyModel();
    const root = join(folder, 'pictures');
    const path = join(folder, 'index');
    const script = join(folder, 'sync.mjs');
    await writeFile(script, program);
    const files = new Map(Array.from({ length: 60 }, (_, number) => [`${number}.png`, number]));
    await writePictures(root, Object.fromEntries(files));

    let random = 12345;
    const chance = (below: number): number => {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
      return (random >>> 8) % below;
    };
    const anyFile = (): string => [...files.keys()][chance(files.size)]!;
    let killed = 0;
    for (let attempt = 0; killed < kills && attempt < 2 * kills; attempt++) {
      // Its least work prints seven lines; the first sync prints more.
      const steps = chance(attempt < 5 ? 20 : 6);
      killed += Number(await runAndKill([script, built, path, model, root], { steps, delay: chance(25) }));
      // Meanwhile pictures move, go and come.
      const moving = anyFile();
      await rename(join(root, moving), join(root, `moved-${moving}`));
      files.set(`moved-${moving}`, files.get(moving)!);
      files.delete(moving);
      const leaving = anyFile();
      await rm(join(root, leaving));
      files.delete(leaving);
      const coming = Object.fromEntries(
        [0, 1, 2, 3, 4].map((i) => [`${attempt}-${i}.png`, 100 + 5 * attempt + i]),
      );
      await writePictures(root, coming);
      for (const [name, number] of Object.entries(coming)) files.set(name, number);
    }
    expect(killed).toBe(kills);

    const index = await openIndex(path, { model });
    const report = await index.sync();
    const { pictures } = await index.pictures({ limit: 1000 });
    const wanted = [...files.keys()].map((name) => join(root, name));
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
  command: readonly string[],
  { steps, delay }: { steps: number; delay: number },
): Promise<boolean> {
  const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] });
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
