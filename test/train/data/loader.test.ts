import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Batch, BatchLoader } from '../../../src/train/data/loader.ts';
import { requireFewBroken } from '../../../src/train/data/training-data.ts';
import {
  batches,
  jsonLines,
  open,
  preprocessing,
  sheet,
  square,
  tar,
  temporaryFolder,
  tokenizer,
  writeFiles,
} from './tiny-data.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder.path, name);

beforeAll(async () => {
  const [red, green, blue] = [await square('red'), await square('green'), await square('blue')];
  const captions = { 'r.png': 'red', 'g.png': 'green', 'b.png': 'blue' };
  await writeFiles(folder.path, {
    'squares/train.tar': await tar({ 'r.png': red, 'g.png': green, 'b.png': blue }),
    'squares/index.jsonl': jsonLines(Object.entries(captions).map(([file, en]) => ({ file, en }))),
    'tiles/index.json': JSON.stringify({ tile: 8, columns: { train: 2 }, train: 4, classes: ['sea', 'sun'] }),
    'tiles/train/sea.png': await sheet(8, 2, ['blue', 'blue', 'green', 'blue']),
    'tiles/train/sun.png': await sheet(8, 2, ['red', 'red', 'red', 'red']),
    'damaged/train.tar': await tar({
      'r.png': red,
      'g.png': green.subarray(0, 60),
      'b.png': blue,
      'x.png': Buffer.from('no picture'),
    }),
    'damaged/index.jsonl': jsonLines(
      ['r', 'g', 'b', 'x', 'lost'].map((name) => ({ file: `${name}.png`, en: name })),
    ),
  });
});

const both = () => ({
  sources: [
    { path: at('squares'), weight: 3 },
    { path: at('tiles'), weight: 1 },
  ],
  cache: at('cache'),
});

async function take(loader: BatchLoader, count: number): Promise<Batch[]> {
  const taken: Batch[] = [];
  for (let step = 0; step < count; step++) taken.push(await loader.next());
  await loader.close();
  return taken;
}

describe('batches', () => {
  test('have the shapes that a step reads', async () => {
    const data = await open(both());
    const [batch] = await take(await batches(data, { batch: 6, classTargets: { kinds: 0 } }), 1);
    expect(batch?.pixels?.shape).toEqual([6, 3, 8, 8]);
    expect(batch?.pixels?.data.every(Number.isFinite)).toBe(true);
    expect(batch?.tokens).toMatchObject({ type: 'int64', shape: [6, 16] });
    expect(batch?.targets.shape).toEqual([6, 6]);
    expect(batch?.class_targets?.shape).toEqual([6, 2]);
    expect(data.classes.map(({ key }) => key)).toEqual(['sea', 'sun']);
    expect(batch?.features).toBeUndefined();
  });

  test('tell the class of a picture and, for a share, what it is a kind of', async () => {
    await writeFiles(folder.path, {
      'kinds.jsonl': jsonLines([
        { en: ['water'], of: ['sea'] },
        { en: ['blue'], of: ['sea'] },
        { en: ['sun'], of: ['sun'] },
      ]),
    });
    const sources = [{ path: at('squares') }, { path: at('tiles'), weight: 3, kinds: at('kinds.jsonl') }];
    const data = await open({ sources }, { kinds: true });
    // A kind that is a class already is that class.
    expect(data.classes.map(({ key }) => key)).toEqual(['sea', 'sun', 'water', 'blue']);
    const loader = await batches(data, { batch: 24, classTargets: { kinds: 0.5 } });
    const names = loader.namesOf(0);
    const [batch] = await take(loader, 1);
    const rows = names.map((name, row) => ({
      name,
      targets: [...batch!.class_targets!.data].slice(4 * row, 4 * row + 4),
    }));
    const of = (label: string) => rows.filter(({ name }) => name.includes(label)).map((row) => row.targets);
    expect([...of('sea'), ...of('sun')].length).toBeGreaterThan(10);
    for (const targets of of('sea')) expect(targets).toEqual([0.5, 0, 0.25, 0.25]);
    for (const targets of of('sun')) expect(targets).toEqual([0, 1, 0, 0]);
    for (const targets of of('.png')) expect(targets).toEqual([0, 0, 0, 0]);
    const plain = await open({ sources });
    expect(plain.classes.map(({ key }) => key)).toEqual(['sea', 'sun']);
  });

  test('follow from seed and step alone: a run that goes on gets what it would have got', async () => {
    const data = await open(both());
    const whole = await take(await batches(data, { seed: 5 }), 7);
    const later = await take(await batches(data, { seed: 5, firstStep: 4 }), 3);
    expect(later).toEqual(whole.slice(4));
    expect((await take(await batches(data, { seed: 6 }), 1))[0]).not.toEqual(whole[0]);
    expect(whole[1]).not.toEqual(whole[0]);
  });

  test('are the same from packed and from unpacked pictures', async () => {
    const sources = [{ path: at('squares') }];
    const packed = await take(await batches(await open({ sources, cache: at('cache') })), 3);
    const again = await take(await batches(await open({ sources, cache: at('cache') })), 3);
    const unpacked = await take(await batches(await open({ sources })), 3);
    expect(unpacked).toEqual(packed);
    expect(again).toEqual(packed);
  });

  test('belong together: the caption names the colour of the picture', async () => {
    const augmentation = { colour: 0, grey: 0, coarse: 0 };
    const data = await open({ sources: [{ path: at('squares') }], augmentation });
    for (const { pixels, tokens } of await take(await batches(data, { batch: 5 }), 4)) {
      for (let row = 0; row < 5; row++) {
        const own = tokens.data.slice(row * 16, (row + 1) * 16) as BigInt64Array;
        const channel = ['red', 'green', 'blue'].indexOf(tokenizer.decode(own).trim());
        const values = [0, 1, 2].map((plane) => {
          const value = Number(pixels?.data[(row * 3 + plane) * 64 + 30]);
          return value * preprocessing.deviation[plane]! + preprocessing.mean[plane]!;
        });
        expect(values.map((value) => value > 0.5)).toEqual([0, 1, 2].map((plane) => plane === channel));
      }
    }
  });

  test('need no pictures where only words are wanted', async () => {
    const data = await open({ sources: [{ path: at('squares') }] });
    const loader = await batches(data, { pixels: false });
    const batch = await loader.next();
    expect(Object.keys(batch).sort()).toEqual(['targets', 'tokens']);
    expect(loader.namesOf(0)).toHaveLength(4);
    await loader.close();
    await expect(loader.next()).rejects.toMatchObject({ code: 'closed' });
  });

  test('refuse impossible threads, and two sources of one name', async () => {
    const data = await open({ sources: [{ path: at('squares') }] });
    await expect(batches(data, { threads: -1 })).rejects.toMatchObject({ code: 'invalid_option' });
    const sources = [{ path: at('squares') }, { path: at('squares') }];
    await expect(open({ sources })).rejects.toThrow(/Two sources are called "squares"/);
  });
});

describe('broken pictures', () => {
  const damaged = (more: object = {}) => ({ sources: [{ path: at('damaged') }], ...more });

  test('are counted, named and replaced, the same way when a run goes on', async () => {
    const data = await open(damaged({ maxBrokenShare: 0.7 }));
    const loader = await batches(data, { seed: 3 });
    const whole: Batch[] = [];
    for (let step = 0; step < 6; step++) whole.push(await loader.next());
    expect(loader.broken.count).toBe(3);
    expect(loader.broken.examples.join('\n')).toMatch(/g\.png in .*damaged/);
    expect(loader.namesOf(2).join()).not.toMatch(/[gx]\.png|lost/);
    await loader.close();
    for (const { tokens } of whole)
      expect(tokenizer.decode(tokens.data as BigInt64Array)).not.toMatch(/g|x|lost/);
    expect(await take(await batches(data, { seed: 3, firstStep: 3 }), 3)).toEqual(whole.slice(3));
  });

  test('stop the run where they are too many, with their files named', async () => {
    const data = await open(damaged({ maxBrokenShare: 0.2 }));
    const loader = await batches(data, { batch: 16 });
    // Batches are made side by side: how many are known when the run stops may differ.
    await expect(take(loader, 3)).rejects.toMatchObject({
      code: 'invalid_image',
      message: expect.stringMatching(
        /[23] of 5 samples are broken, and 1 may be .*\.png in .* Mend them, or raise data\.maxBrokenShare\.$/,
      ),
    });
    await loader.close();
  });

  test('are no reason to stop where it is one of a few, unless none may be broken', async () => {
    await writeFiles(folder.path, {
      'few/dog/a.png': await square('red'),
      'few/dog/b.png': 'no picture',
      'few/cat/c.png': await square('blue'),
    });
    const loader = await batches(await open({ sources: [{ path: at('few') }] }), { batch: 9 });
    await loader.next();
    expect(loader.broken.count).toBe(1);
    await loader.close();
    const strict = await batches(await open({ sources: [{ path: at('few') }], maxBrokenShare: 0 }), {
      batch: 9,
    });
    await expect(strict.next()).rejects.toThrow(/1 of 3 samples are broken, and 0 may be/);
    await strict.close();
    // No share lets a training go on without a sound picture.
    const broken = [{ name: 'a.png', reason: 'it is no picture.' }];
    expect(() => requireFewBroken(broken, 1, 1)).toThrow(/a\.png \(it is no picture\)\. Mend them\.$/);
  });

  test('are found when they are packed', async () => {
    const config = damaged({ cache: at('cache-of-damaged') });
    await expect(open(config)).rejects.toThrow(/3 of 5 samples are broken/);
    const data = await open({ ...config, maxBrokenShare: 0.7 });
    expect(data.size).toBe(2);
    expect(data.broken.map(({ reason }) => reason).join('\n')).toMatch(/lost\.png/);
    expect(await take(await batches(data), 2)).toHaveLength(2);
  });

  test('that are all of a source are an error', async () => {
    await writeFiles(folder.path, { 'nothing/dog/a.png': 'no picture' });
    await expect(open({ sources: [{ path: at('nothing') }], cache: at('cache') })).rejects.toThrow(
      /No picture of the source "nothing" can be read, such as .*a\.png/,
    );
  });

  test('two that pack the same pictures at once get the same pack', async () => {
    const config = { sources: [{ path: at('squares') }], cache: at('shared-cache') };
    const [one, other] = await Promise.all([open(config), open(config)]);
    expect(one.sources).toEqual(other.sources);
    expect((await readdir(at('shared-cache'))).filter((name) => /part|lock/.test(name))).toEqual([]);
  });

  test('a cache that cannot be written is named', async () => {
    await writeFiles(folder.path, { file: 'a file is no folder' });
    await expect(open({ sources: [{ path: at('squares') }], cache: at('file') })).rejects.toMatchObject({
      code: 'write_failed',
      message: expect.stringContaining('data.cache'),
    });
  });
});

// Threads start from the built files, as `npm test` has made them; from the sources only where Node reads TypeScript.
const built = new URL('../../../dist/train/data/', import.meta.url);
if (!existsSync(new URL('loader-worker.js', built))) {
  console.log('The loader is not built: its threads are not tested. Run npm run build first.');
}

describe.skipIf(!existsSync(new URL('loader-worker.js', built)))('threads', () => {
  test('make the same batches as the caller’s own, and end when they are closed', async () => {
    const load = async (name: string) => await import(pathToFileURL(new URL(name, built).pathname).href);
    const { openBatches } = (await load('loader.js')) as typeof import('../../../src/train/data/loader.ts');
    const data = await open(both());
    const own = await take(await batches(data, { seed: 9 }), 3);
    for (const threads of [1, 2]) {
      const options = { preprocessing, tokenizer, batch: 4, seed: 9, threads };
      expect(await take(await openBatches(data, options), 3)).toEqual(own);
    }
    const damaged = await open({ sources: [{ path: at('damaged') }], maxBrokenShare: 0.2 });
    const options = { preprocessing, tokenizer, batch: 16, seed: 9, threads: 1 };
    const loader = await openBatches(damaged, options);
    await expect(take(loader, 3)).rejects.toThrow(/samples are broken/);
    await loader.close();
  });
});
