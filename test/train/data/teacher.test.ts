import { copyFile, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { lower } from '../../../src/engine/onnx/lower.ts';
import { input, reduceMean, relu } from '../../../src/graph/operations.ts';
import { fixedCrop } from '../../../src/train/data/teacher/crops.ts';
import {
  createFeatureReader,
  decodeRow,
  encodeRows,
  meanFeatures,
  openMeasuredFeatures,
} from '../../../src/train/data/teacher/features.ts';
import { writeTinyModel } from '../../tiny-model.ts';
import { batches, jsonLines, open, square, temporaryFolder, writeFiles } from './tiny-data.ts';

const folder = temporaryFolder();
const at = (name: string) => join(folder.path, name);

/** A teacher whose features are the mean colour, and another output that is no row. */
async function writeTeacher(name: string, shape: Parameters<typeof input>[1]): Promise<void> {
  const pixels = input('pixels', shape);
  const { model } = lower({ features: reduceMean(pixels, [2, 3]), map: relu(pixels) });
  await writeFile(at(name), model);
}

beforeAll(async () => {
  await writeTeacher('teacher.onnx', [{ symbol: 'n', factor: 1 }, 3, 16, 16]);
  await writeFiles(folder.path, {
    'squares/r.png': await square('red'),
    'squares/g.png': await square('green'),
    'squares/b.png': await square('blue'),
    'squares/broken.png': 'no picture',
    'squares/index.jsonl': jsonLines(
      ['r', 'g', 'b', 'broken'].map((name) => ({ file: `${name}.png`, en: name })),
    ),
  });
});

/** Mean colours in the teacher's terms, x / 127.5 − 1. */
const seen = { r: [250, 0, 0], g: [0, 250, 0], b: [0, 0, 250] } as const;

const config = (teacher: object, source: object = {}) => ({
  sources: [{ path: at('squares'), ...source }],
  teacher: { model: at('teacher.onnx'), cache: at('features'), centre: false, root: false, ...teacher },
  maxBrokenShare: 0.5,
});

async function featuresOf(data: Awaited<ReturnType<typeof open>>) {
  const loader = await batches(data, { batch: 8 });
  const { features } = await loader.next();
  const names = loader.namesOf(0).map((name) => name[0] as keyof typeof seen);
  await loader.close();
  return { features, names };
}

describe('a teacher', () => {
  test('says of each picture what it sees, as rows of unit length', async () => {
    const { features, names } = await featuresOf(await open(config({})));
    expect(features?.shape).toEqual([8, 3]);
    for (const [row, name] of names.entries()) {
      const wanted = seen[name].map((value) => value / 127.5 - 1);
      const length = Math.hypot(...wanted);
      for (let i = 0; i < 3; i++) {
        expect(Number(features?.data[row * 3 + i])).toBeCloseTo(wanted[i]! / length, 2);
      }
    }
  });

  test('is asked once: what it said is kept by its hash, and an interrupted measurement goes on', async () => {
    const folderOfTest = { cache: at('kept') };
    const first = await open(config(folderOfTest));
    const file = first.lessons!.files[0]!;
    const whole = await readFile(file.path);
    // Where it is kept nothing is asked: other bytes would be taken as they are.
    await writeFile(
      file.path,
      whole.map((byte) => byte ^ 1),
    );
    await open(config(folderOfTest));
    expect(await readFile(file.path)).not.toEqual(whole);
    // An end in the middle of a row: the whole rows are kept, the rest is measured.
    await rm(file.path);
    const part = `${file.path}.part`;
    await writeFile(part, whole);
    await truncate(part, Math.floor(whole.length / 2) + 1);
    const again = await open(config(folderOfTest));
    expect(await readFile(file.path)).toEqual(whole);
    expect(again.broken).toEqual(first.broken);
    expect(await readdir(at('kept'))).toHaveLength(2);
    // Another teacher has features of its own.
    await writeTeacher('other.onnx', [{ symbol: 'n', factor: 1 }, 3, 24, 24]);
    await open(config({ ...folderOfTest, model: at('other.onnx') }));
    expect(await readdir(at('kept'))).toHaveLength(4);
  });

  test('leaves out what it cannot read, and names it', async () => {
    const data = await open(config({ cache: at('unread') }));
    expect(data.size).toBe(3);
    expect(data.broken).toEqual([
      { name: expect.stringContaining('broken.png'), reason: 'the teacher could not read it' },
    ]);
    await expect(open({ ...config({ cache: at('unread') }), maxBrokenShare: 0 })).rejects.toThrow(
      /broken\.png/,
    );
  });

  test('sees fixed crops, and the view is the crop whose features are drawn', async () => {
    const data = await open(config({ cache: at('crops'), crops: 2 }));
    expect(data.lessons?.files[0]).toMatchObject({ views: 3, width: 3 });
    const { features, names } = await featuresOf(data);
    for (const [row, name] of names.entries()) {
      const strongest = [0, 1, 2].reduce((best, i) =>
        Number(features?.data[row * 3 + i]) > Number(features?.data[row * 3 + best]) ? i : best,
      );
      expect('rgb'[strongest]).toBe(name);
    }
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 9 }), (row, number) => {
        const crop = fixedCrop(row, number, [0.25, 0.5]);
        expect(crop).toEqual(fixedCrop(row, number, [0.25, 0.5]));
        expect(crop.left + crop.width).toBeLessThanOrEqual(1 + 1e-9);
        expect(crop.top + crop.height).toBeLessThanOrEqual(1 + 1e-9);
        expect(crop.width * crop.height).toBeLessThanOrEqual(0.5 + 1e-9);
      }),
    );
  });

  test('may be the folder of a CLIP model', async () => {
    const model = await writeTinyModel();
    try {
      const data = await open(config({ model, cache: at('clip') }));
      expect(data.lessons).toMatchObject({ width: 32, transform: { root: false, mean: undefined } });
      const { features } = await featuresOf(data);
      expect(features?.shape).toEqual([8, 32]);
    } finally {
      await rm(model, { recursive: true });
    }
  });

  test.each([
    ['is not there', { model: 'none.onnx' }, 'not_found', /none\.onnx is not there/],
    ['is no model', { model: 'no.onnx' }, 'engine_failed', /./],
    [
      'gives other features than expected',
      { width: 4 },
      'config_mismatch',
      /gives 3 features .* teacher\.width is 4/,
    ],
    ['has no such output', { output: 'logits' }, 'config_mismatch', /"features".*"map".*teacher\.output/],
    ['gives a map', { output: 'map' }, 'config_mismatch', /"map".*a row of features/],
    ['has no such input', { input: 'image' }, 'config_mismatch', /"pixels".*teacher\.input/],
    ['has another size', { size: 32 }, 'config_mismatch', /teacher\.size is 32/],
  ])('that %s is a clear error', async (_, teacher, code, message) => {
    await writeFiles(folder.path, { 'no.onnx': 'no model' });
    const model = 'model' in teacher ? { model: at(teacher.model) } : {};
    await expect(open(config({ ...teacher, ...model, cache: at('errors') }))).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });
});

describe('features measured elsewhere', () => {
  test('are found by the lines of the index', async () => {
    await writeFile(at('features.u8'), Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9));
    const teacher = { model: undefined, width: 3 };
    const data = await open(config(teacher, { features: at('features.u8') }));
    expect(data.size).toBe(4);
    const { features, names } = await featuresOf({ ...data, sources: data.sources });
    const wanted = { r: [1, 0, 0], g: [0, 1, 0], b: [0, 0, 1] };
    for (const [row, name] of names.entries()) {
      expect([...features!.data.slice(row * 3, (row + 1) * 3)]).toEqual(wanted[name]);
    }
  });

  test('are rows of zeros, of which no loss asks anything, where the teacher has nothing to say', async () => {
    const data = await open(config({ model: undefined, width: 3 }, { features: false }));
    expect(data.size).toBe(4);
    const { features } = await featuresOf(data);
    expect(features?.shape).toEqual([8, 3]);
    expect(features?.data.every((value) => value === 0)).toBe(true);
  });

  test('must be those of all pictures, as wide as the teacher says', async () => {
    await writeFile(at('short.u8'), new Uint8Array(10));
    await expect(openMeasuredFeatures(at('short.u8'), 3, [0, 1, 2])).rejects.toMatchObject({
      code: 'config_mismatch',
      message: expect.stringContaining('short.u8 has 10 bytes'),
    });
    await expect(openMeasuredFeatures(at('short.u8'), 5, [0, 3])).rejects.toThrow(/at least 4 pictures/);
    await expect(openMeasuredFeatures(at('none.u8'), 3, [0])).rejects.toMatchObject({ code: 'not_found' });
    await expect(open(config({ model: undefined, width: 3 }))).rejects.toThrow(/"squares" has no features/);
    await copyFile(at('teacher.onnx'), at('copy.onnx'));
    await expect(open(config({ model: undefined }, { features: at('short.u8') }))).rejects.toThrow(
      /teacher\.width/,
    );
  });
});

describe('rows of features', () => {
  test('come back within a hundredth of the largest', () => {
    const values = fc.float32Array({ minLength: 4, maxLength: 40, noNaN: true, min: -1e6, max: 1e6 });
    fc.assert(
      fc.property(values, (row) => {
        const bytes = encodeRows(row, row.length);
        const decoded = new Float32Array(row.length);
        decodeRow(bytes, 'signed', false, decoded, 0);
        const largest = Math.max(...row.map(Math.abs));
        for (const [i, value] of row.entries()) {
          expect(Math.abs(decoded[i]! - value)).toBeLessThanOrEqual(0.01 * largest + 1e-30);
        }
        const roots = new Float32Array(row.length);
        decodeRow(bytes, 'signed', true, roots, 0);
        for (const [i, value] of decoded.entries()) {
          expect(roots[i]! * Math.abs(roots[i]!)).toBeCloseTo(value, -Math.log10(1e-6 * largest + 1e-9));
        }
      }),
      { endOnFailure: true },
    );
  });

  test('have their mean taken away and unit length', async () => {
    await writeFile(at('two.u8'), Uint8Array.of(255, 0, 0, 255));
    const file = await openMeasuredFeatures(at('two.u8'), 2, [0, 1]);
    const mean = await meanFeatures([file], true);
    expect([...mean]).toEqual([expect.closeTo(Math.sqrt(6) / 2, 5), expect.closeTo(Math.sqrt(6) / 2, 5)]);
    const reader = createFeatureReader({ root: true, mean });
    const rows = new Float32Array(4);
    await reader.write(file, 1, 0, rows, 1);
    await reader.close();
    expect([...rows]).toEqual([0, 0, expect.closeTo(-Math.SQRT1_2, 5), expect.closeTo(Math.SQRT1_2, 5)]);
  });
});
