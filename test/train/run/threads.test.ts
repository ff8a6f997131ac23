import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { commandLine } from '../../command.ts';
import { writeColourFolders } from './tiny-training.ts';

const built = join(dirname(commandLine), '../train/data/pixel-threads.js');

/** Closes while an answer is already on its way; nothing else keeps the process alive. */
const script = (picture: string): string => `
const { startPixelThreads } = await import(${JSON.stringify(pathToFileURL(built).href)});
const { augmentationSchema } = await import(${JSON.stringify(pathToFileURL(join(dirname(built), 'config.js')).href)});
const preprocessing = { size: 8, resize: 'shortest', interpolation: 'bicubic', cropRounding: 'down', toRgb: 'first', fill: 0, mean: [0, 0, 0], deviation: [1, 1, 1] };
const threads = startPixelThreads({ preprocessing, augmentation: augmentationSchema.parse({}), side: 8 }, 1);
const request = { place: { kind: 'file', path: ${JSON.stringify(picture)} }, name: 'a', views: [{ seed: 1 }] };
const first = await threads.read([request]);
const reading = threads.read([request]).catch(({ code }) => code);
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
await threads.close();
console.log(first.data.length, await reading);
`;

test.skipIf(!existsSync(built))(
  'threads that prepare pictures let their process live until they have ended',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'eidos-threads-'));
    try {
      await writeColourFolders(folder, 1);
      const file = join(folder, 'close.mjs');
      await writeFile(file, script(join(folder, 'red/0.png')));
      const { status, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
      expect([status, stdout, stderr]).toEqual([0, '192 closed\n', '']);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);
