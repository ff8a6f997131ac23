/** What is written is read back, by this room and by the layouts of others; halves are rounded as IEEE 754 says. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type Checkpoint,
  huggingFaceConfig,
  openCheckpoint,
  openWeights,
  type ParameterValue,
  publishParameters,
  readBytes,
  readParameter,
  readTensor,
  toFloat16,
  toFloat32,
  writeHuggingFace,
  writeSafetensors,
} from '../../src/checkpoint/index.ts';
import { sharedFixtures } from '../fixtures.ts';

const folder = mkdtempSync(join(tmpdir(), 'eidos-write-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function parametersOf({ parameters }: Checkpoint): Promise<Map<string, ParameterValue>> {
  const result = new Map<string, ParameterValue>();
  for (const [name, tensor] of parameters) {
    const shape = tensor.transposed === true ? tensor.shape.toReversed() : tensor.shape;
    result.set(name, { shape, data: await readParameter(tensor) });
  }
  return result;
}

/** Vitest's own comparison takes a second for a hundred thousand numbers. */
function sameNumbers(a: Float32Array, b: Float32Array): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

describe('safetensors written by eidos', () => {
  test('every type comes back, data begins at a multiple of 64, nothing else is left', async () => {
    const path = join(folder, 'types.safetensors');
    await writeSafetensors(
      path,
      [
        { name: 'a', type: 'float64', shape: [2], data: Float64Array.of(0.1, -3) },
        { name: 'b', type: 'float32', shape: [1, 3], data: Float32Array.of(1, 2, 3) },
        { name: 'c', type: 'float16', shape: [2], data: Float32Array.of(1, -0.5) },
        { name: 'd', type: 'bfloat16', shape: [2], data: Uint16Array.of(0x3f80, 0xc000) },
        { name: 'e', type: 'int64', shape: [], data: BigInt64Array.of(-7n) },
        { name: 'f', type: 'int32', shape: [1], data: Int32Array.of(-8) },
        { name: 'g', type: 'int16', shape: [1], data: Int16Array.of(-9) },
        { name: 'h', type: 'int8', shape: [1], data: Int8Array.of(-10) },
        { name: 'i', type: 'uint8', shape: [1], data: Uint8Array.of(200) },
        { name: 'j', type: 'bool', shape: [2], data: Uint8Array.of(0, 1) },
        { name: 'k', type: 'float32', shape: [0, 4], data: new Float32Array() },
      ],
      { note: 'ä: "quoted"' },
    );
    const { tensors, metadata } = await openWeights(path);
    expect(metadata).toEqual({ note: 'ä: "quoted"' });
    const read: Record<string, number[]> = {};
    for (const [name, tensor] of tensors) read[name] = [...(await readTensor(tensor))];
    expect(read).toEqual({
      a: [Math.fround(0.1), -3],
      b: [1, 2, 3],
      c: [1, -0.5],
      d: [1, -2],
      e: [-7],
      f: [-8],
      g: [-9],
      h: [-10],
      i: [200],
      j: [0, 1],
      k: [],
    });
    expect((Number(readFileSync(path).readBigUInt64LE(0)) + 8) % 64).toBe(0);
    expect(readdirSync(folder)).toEqual(['types.safetensors']);
  });

  test('entries that do not fit are refused and leave no file', async () => {
    const path = join(folder, 'refused.safetensors');
    const data = Float32Array.of(1, 2);
    const entry = { name: 'x', type: 'float32' as const, shape: [2], data };
    for (const wrong of [
      [{ ...entry, shape: [3] }],
      [{ ...entry, type: 'int32' as const }],
      [entry, entry],
    ]) {
      await expect(writeSafetensors(path, wrong)).rejects.toMatchObject({ code: 'invalid_option' });
    }
    expect(readdirSync(folder)).not.toContain('refused.safetensors');
  });
});

describe('half floats', () => {
  test('all 65,536 of them survive the way to single floats and back', () => {
    const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const back = toFloat16(toFloat32(new Uint8Array(halves.buffer), 'float16'));
    const isNotANumber = (half: number) => (half & 0x7fff) > 0x7c00;
    const wrong = [...halves].filter((half, i) =>
      isNotANumber(half) ? !isNotANumber(back[i]!) : back[i] !== half,
    );
    expect(wrong).toEqual([]);
  });

  test('a single float becomes the nearest half, the even one when two are equally near', () => {
    const table = toFloat32(
      new Uint8Array(Uint16Array.from({ length: 0x7c00 }, (_, i) => i).buffer),
      'float16',
    );
    fc.assert(
      fc.property(fc.float({ min: Math.fround(-70000), max: Math.fround(70000), noNaN: true }), (value) => {
        const half = toFloat16(Float32Array.of(value))[0]!;
        const magnitude = Math.abs(value);
        if (magnitude >= 65520) {
          expect(half & 0x7fff).toBe(0x7c00);
          return;
        }
        const chosen = half & 0x7fff;
        const distance = Math.abs(table[chosen]! - magnitude);
        for (const other of [chosen - 1, chosen + 1]) {
          if (other < 0 || other >= table.length) continue;
          const further = Math.abs(table[other]! - magnitude);
          expect(distance < further || (distance === further && (chosen & 1) === 0)).toBe(true);
        }
        expect(half >>> 15).toBe(Object.is(value, -0) || value < 0 ? 1 : 0);
      }),
      { numRuns: 3000 },
    );
    // Halfway between 1 and the next half, and between the next two: both go to the even one.
    expect([...toFloat16(Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 3 * 2 ** -25))]).toEqual([
      0x3c00, 0x3c02, 0, 2,
    ]);
  });
});

describe.skipIf(sharedFixtures === undefined)('layouts run backwards', () => {
  test('vit-tiny written for Hugging Face is vit-tiny-hf, tensor by tensor', async () => {
    const source = await openCheckpoint(`${sharedFixtures}vit-tiny`);
    const target = join(folder, 'hf');
    await writeHuggingFace(target, source.architecture, await parametersOf(source), {
      preprocessing: source.preprocessing,
    });
    const [written, truth] = [
      await openWeights(join(target, 'model.safetensors')),
      await openWeights(`${sharedFixtures}vit-tiny-hf/model.safetensors`),
    ];
    expect([...written.tensors.keys()].sort()).toEqual([...truth.tensors.keys()].sort());
    for (const [name, tensor] of truth.tensors) {
      expect(written.tensors.get(name)!.shape).toEqual(tensor.shape);
      const numbers = [await readBytes(written.tensors.get(name)!), await readBytes(tensor)] as const;
      expect(Buffer.compare(...numbers), name).toBe(0);
    }
    const again = await openCheckpoint(target);
    expect(again.architecture).toEqual(source.architecture);
    expect(again.preprocessing).toEqual({ ...source.preprocessing, cropRounding: 'down', toRgb: 'first' });
  });

  test('halved weights stay within half a unit of the last place', async () => {
    const source = await openCheckpoint(`${sharedFixtures}vit-tiny`);
    const target = join(folder, 'half');
    await writeHuggingFace(target, source.architecture, await parametersOf(source), { type: 'float16' });
    const [a, b] = [await parametersOf(source), await parametersOf(await openCheckpoint(target))];
    const torch = await parametersOf(await openCheckpoint(`${sharedFixtures}vit-tiny/state_dict_fp16.pt`));
    // PyTorch's own rounding is the same, where the original was halved (norms and positions were not).
    const halved = 'image.blocks.0.mlp.up.weight';
    expect(sameNumbers(b.get(halved)!.data, torch.get(halved)!.data)).toBe(true);
    for (const [name, { data }] of a) expect(b.get(name)!.data.length).toBe(data.length);
  });

  test.each([
    ['vit-tiny-hf', 'openai', 'vit-tiny/model.safetensors'],
    ['coca', 'open_clip_custom_text', 'coca/open_clip_model.safetensors'],
    ['open_clip-rn', 'openai', 'open_clip-rn/open_clip_model.safetensors'],
    ['siglip-hf', 'hugging_face_siglip', 'siglip-hf/model.safetensors'],
  ] as const)('%s written in the layout %s is %s', async (source, layout, published) => {
    const checkpoint = await openCheckpoint(`${sharedFixtures}${source}`);
    const written = publishParameters(layout, checkpoint.architecture, await parametersOf(checkpoint));
    const { tensors } = await openWeights(`${sharedFixtures}${published}`);
    const needed = [...tensors.keys()].filter((name) => !checkpoint.unused.includes(name));
    expect([...written.keys()].sort()).toEqual(needed.sort());
    for (const [name, { shape, data }] of written) {
      const truth = tensors.get(name)!;
      expect(shape.filter((size) => size !== 1)).toEqual(truth.shape.filter((size) => size !== 1));
      expect(sameNumbers(data, await readTensor(truth)), name).toBe(true);
    }
  });

  test("SigLIP under open_clip's names: same shapes as published, same numbers back", async () => {
    const source = await openCheckpoint(`${sharedFixtures}siglip-hf`);
    const published = publishParameters(
      'open_clip_timm_siglip',
      source.architecture,
      await parametersOf(source),
    );
    const names = JSON.parse(readFileSync(`${sharedFixtures}open_clip-siglip/names.json`, 'utf8')) as Record<
      string,
      { shape: number[] }
    >;
    expect([...published.keys()].sort()).toEqual(Object.keys(names).sort());
    for (const [name, { shape }] of Object.entries(names)) expect(published.get(name)!.shape).toEqual(shape);
    const path = join(folder, 'siglip.safetensors');
    await writeSafetensors(
      path,
      [...published].map(([name, value]) => ({ name, type: 'float32', ...value })),
    );
    const again = await openCheckpoint(path, { activation: 'gelu_tanh' });
    expect(again.layout).toBe('open_clip_timm_siglip');
    const [a, b] = [await parametersOf(source), await parametersOf(again)];
    for (const [name, { shape, data }] of a) {
      expect(b.get(name)!.shape).toEqual(shape);
      expect(sameNumbers(b.get(name)!.data, data), name).toBe(true);
    }
  });

  test('what Hugging Face cannot express is refused by field', async () => {
    const cases: [string, RegExp][] = [
      ['rn-tiny/model.safetensors', /image\.kind = resnet/],
      ['siglip-hf', /image\.patchBias = true/],
      ['open_clip-clipa', /image\.normBefore = false/],
      ['coca', /image\.pool = queries/],
    ];
    for (const [source, problem] of cases) {
      const { architecture } = await openCheckpoint(`${sharedFixtures}${source}`);
      expect(() => huggingFaceConfig(architecture)).toThrowError(problem);
    }
  });
});
