import {
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CompileOptions, compileGraph } from '../../src/engine/compile.ts';
import { createEngine, type Engine, type LoadMode } from '../../src/engine/engine.ts';
import type { BoundTensor } from '../../src/graph/tensor.ts';
import { largestDifference, network, samples, temporaryFolder, writeWeights } from './network.ts';

let reference: Engine;
beforeAll(() => {
  reference = createEngine({ threads: 1 });
});
afterAll(() => reference.close());

const results = network();
const x = samples(5);

async function answer(
  engine: Engine,
  weights: Map<string, BoundTensor>,
  options: CompileOptions,
): Promise<{ y: Float32Array; load: LoadMode }> {
  const session = await compileGraph(engine, results, weights, options);
  const { y } = await session.run({ x }, { fetches: ['y'] });
  const { load } = session;
  await session.release();
  return { y: y!.data as Float32Array, load };
}

/** An engine with a cache folder of its own, and what lies there. */
async function withCache(
  use: (engine: Engine, folder: string, entries: () => string[]) => Promise<void>,
): Promise<void> {
  const folder = join(temporaryFolder(), 'cache');
  const engine = createEngine({ threads: 1, programCache: folder });
  try {
    await use(engine, folder, () => readdirSync(folder).sort());
  } finally {
    await engine.close();
  }
}

const cached = { load: 'cached' } as const;

test.each(['fp32', 'int8'] as const)('all load modes give the same, %s', async (dtype) => {
  const weights = writeWeights(results, `${temporaryFolder()}/weights`);
  await withCache(async (engine) => {
    const expected = await answer(engine, weights, { dtype });
    for (const load of ['fast-start', 'cached', 'cached'] as const) {
      const found = await answer(engine, weights, { dtype, load });
      expect(found.load).toBe(load);
      expect(largestDifference(found.y, expected.y)).toBeLessThan(1e-5);
    }
  });
});

describe('the cache', () => {
  test('is made once and used again; types and weights have entries of their own', async () => {
    const folder = temporaryFolder();
    const weights = writeWeights(results, `${folder}/weights`);
    const others = writeWeights(results, `${folder}/others`, (_, values) => values.reverse());
    await withCache(async (engine, cache, entries) => {
      await answer(engine, weights, cached);
      const [first] = entries();
      const made = statSync(join(cache, first!, 'weights.bin')).mtimeMs;
      await answer(engine, weights, cached);
      expect(entries()).toEqual([first]);
      expect(statSync(join(cache, first!, 'weights.bin')).mtimeMs).toBe(made);
      await answer(engine, weights, { ...cached, dtype: 'int8', int8Range: 'full' });
      await answer(engine, weights, { ...cached, dtype: 'int8', int8Range: 'reduced' });
      await answer(engine, others, cached);
      expect(entries()).toHaveLength(4);
    });
  });

  test('is not used for weights that changed, and the stale entry goes', async () => {
    const file = `${temporaryFolder()}/weights`;
    const weights = writeWeights(results, file);
    const { mtime, atime } = statSync(file);
    await withCache(async (engine, _, entries) => {
      const before = await answer(engine, weights, cached);
      const [stale] = entries();
      // Same size, and even the same time of change.
      const changed = writeWeights(results, file, (_, values) => values.reverse());
      utimesSync(file, atime, mtime);
      const after = await answer(engine, changed, cached);
      const expected = await answer(reference, changed, {});
      expect(largestDifference(after.y, expected.y)).toBeLessThan(1e-5);
      expect(largestDifference(after.y, before.y)).toBeGreaterThan(0.1);
      expect(entries()).toHaveLength(1);
      expect(entries()).not.toContain(stale);
    });
  });

  const damages: Record<string, (entry: string) => void> = {
    'weights cut off': (entry) => truncateSync(join(entry, 'weights.bin'), 1000),
    'weights overwritten with zeros': (entry) => {
      const file = join(entry, 'weights.bin');
      const { mtime, atime, size } = statSync(file);
      writeFileSync(file, new Uint8Array(size));
      utimesSync(file, atime, mtime);
    },
    'weights gone': (entry) => rmSync(join(entry, 'weights.bin')),
    'program of garbage': (entry) => writeFileSync(join(entry, 'program.onnx'), 'garbage'),
    'program empty': (entry) => truncateSync(join(entry, 'program.onnx'), 0),
    'seal of garbage': (entry) => writeFileSync(join(entry, 'seal.json'), '{"program.onnx":null}'),
    'seal gone': (entry) => rmSync(join(entry, 'seal.json')),
    'everything gone': (entry) => {
      for (const name of readdirSync(entry)) rmSync(join(entry, name));
    },
    'a sealed program that does not open': (entry) => {
      const seal = JSON.parse(readFileSync(join(entry, 'seal.json'), 'utf8'));
      rmSync(join(entry, 'weights.bin'));
      writeFileSync(join(entry, 'seal.json'), JSON.stringify({ 'program.onnx': seal['program.onnx'] }));
    },
  };
  test.each(Object.keys(damages))('is made anew: %s', async (damage) => {
    const weights = writeWeights(results, `${temporaryFolder()}/weights`);
    await withCache(async (engine, folder, entries) => {
      const expected = await answer(engine, weights, cached);
      damages[damage]!(join(folder, entries()[0]!));
      const found = await answer(engine, weights, cached);
      expect(found).toEqual(expected);
      expect(found.load).toBe('cached');
      expect(entries()).toHaveLength(1);
      expect(readdirSync(join(folder, entries()[0]!)).sort()).toEqual([
        'program.onnx',
        'seal.json',
        'weights.bin',
      ]);
    });
  });

  test('that cannot be written is done without, and the session says so', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    const engine = createEngine({ threads: 1, programCache: join(folder, 'file', 'cache') });
    const weights = writeWeights(results, join(folder, 'weights'));
    const { y, load } = await answer(engine, weights, cached);
    expect(load).toBe('fast-run');
    expect(y).toEqual((await answer(reference, weights, {})).y);
    await engine.close();
  });

  test('is asked for by two at once', async () => {
    const weights = writeWeights(results, `${temporaryFolder()}/weights`);
    await withCache(async (engine, folder, entries) => {
      const other = createEngine({ threads: 1, programCache: folder });
      const [a, b, c] = await Promise.all(
        [engine, other, engine].map((each) => answer(each, weights, cached)),
      );
      expect(b).toEqual(a);
      expect(c).toEqual(a);
      expect(entries()).toHaveLength(1);
      await other.close();
    });
  });

  test('with weights that are missing is an error that names the file', async () => {
    const file = `${temporaryFolder()}/weights`;
    const weights = writeWeights(results, file);
    rmSync(file);
    await withCache(async (engine) => {
      const opening = answer(engine, weights, cached);
      await expect(opening).rejects.toMatchObject({ code: 'not_found' });
      await expect(opening).rejects.toThrow(file);
    });
  });
});
