/** Hostile and damaged files: nothing but an EidosError comes of them, quickly, in little memory, and nothing is run. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { addConfiguration } from '../../src/checkpoint/configuration/find.ts';
import { huggingFacePreprocessing } from '../../src/checkpoint/configuration/preprocessing.ts';
import { readPickle } from '../../src/checkpoint/formats/pickle.ts';
import { storageOf, torchGlobals } from '../../src/checkpoint/formats/torch-objects.ts';
import {
  architectureFromShapes,
  bindParameters,
  type Configurations,
  openWeights,
  readTensor,
  writeSafetensors,
} from '../../src/checkpoint/index.ts';
import { EidosError } from '../../src/errors.ts';
import type { StoredTensor } from '../../src/graph/tensor.ts';
import { clipPreprocessing } from '../../src/models/preprocessing.ts';
import { sharedFixtures } from '../fixtures.ts';
import { dictionary, op, type TensorSpec, tensor, torchArchive, zip } from './torch-writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'eidos-hostile-'));
afterAll(() => rmSync(folder, { recursive: true }));
let counter = 0;

/** The error that opening these bytes gives, or undefined if they open and all their tensors can be read. */
async function outcome(bytes: Uint8Array, name = 'file.bin'): Promise<EidosError | undefined> {
  const path = join(folder, `${counter++ % 4}-${name}`);
  writeFileSync(path, bytes);
  try {
    const { tensors } = await openWeights(path);
    for (const tensor of tensors.values()) await readTensor(tensor);
    return undefined;
  } catch (error) {
    if (error instanceof EidosError) return error;
    throw error;
  }
}

function safetensors(header: unknown, data = new Uint8Array()): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const length = new Uint8Array(BigUint64Array.of(BigInt(json.length)).buffer);
  return Buffer.concat([length, json, data]);
}

const entry = (dtype: string, shape: unknown, start: unknown, end: unknown) => ({
  dtype,
  shape,
  data_offsets: [start, end],
});

/** A few bytes of a sound file changed, removed, repeated or cut off. */
const mutation = (sound: Uint8Array) =>
  fc
    .array(
      fc.record({
        at: fc.nat(sound.length - 1),
        kind: fc.constantFrom('set', 'remove', 'repeat', 'cut'),
        value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0xff)),
        length: fc.integer({ min: 1, max: 40 }),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map((changes) => {
      let bytes: Uint8Array = Uint8Array.from(sound);
      for (const { at, kind, value, length } of changes) {
        const place = Math.min(at, bytes.length);
        if (kind === 'set' && place < bytes.length) bytes[place] = value;
        if (kind === 'remove')
          bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + length)]);
        if (kind === 'repeat')
          bytes = Buffer.concat([bytes.subarray(0, place + length), bytes.subarray(place)]);
        if (kind === 'cut') bytes = bytes.slice(0, place);
      }
      return bytes;
    });

describe('safetensors', () => {
  const data = new Uint8Array(8);
  const one = { a: entry('F32', [2], 0, 8) };
  test('a sound one opens', async () => {
    expect(await outcome(safetensors(one, data))).toBeUndefined();
  });

  test.each([
    ['empty file', new Uint8Array(), /no weight file/],
    [
      'header longer than the file',
      Buffer.concat([Uint8Array.of(255, 255, 0, 0, 0, 0, 0, 0), Buffer.from('{}')]),
      /longer than the file/,
    ],
    ['header of exabytes', Buffer.concat([new Uint8Array(8).fill(255), Buffer.from('{}')]), /no weight file/],
    ['no JSON', safetensors('{"a":'), /JSON/],
    ['hole', safetensors({ a: entry('F32', [1], 4, 8) }, data), /hole/],
    ['overlap', safetensors({ a: entry('F32', [2], 0, 8), b: entry('F32', [1], 4, 8) }, data), /overlaps/],
    ['beyond the end', safetensors({ a: entry('F32', [4], 0, 16) }, data), /beyond the end/],
    ['bytes left over', safetensors({ a: entry('F32', [1], 0, 4) }, data), /belong to no tensor/],
    ['wrong length', safetensors({ a: entry('F32', [3], 0, 8) }, data), /takes 12 bytes/],
    ['negative offset', safetensors({ a: entry('F32', [2], -8, 0) }, data), /malformed/],
    ['fractional shape', safetensors({ a: entry('F32', [1.5], 0, 8) }, data), /malformed/],
    ['product beyond 2^53', safetensors({ a: entry('F32', [2 ** 40, 2 ** 40], 0, 8) }, data), /takes/],
    ['many axes', safetensors({ a: entry('F32', new Array(100).fill(1), 0, 4) }, data), /malformed/],
    ['unknown type', safetensors({ a: entry('F4', [2], 0, 1) }, data), /F4/],
    ['name twice', safetensors(`{"a":${JSON.stringify(one.a)},"a":${JSON.stringify(one.a)}}`, data), /twice/],
    ['metadata of numbers', safetensors({ ...one, __metadata__: { a: 1 } }, data), /__metadata__/],
    ['a list', safetensors('[1]'), /no weight file/],
    [
      'deep nesting',
      safetensors(
        `{"a":{"dtype":"F32","shape":${'['.repeat(2_000_000)}${']'.repeat(2_000_000)},"data_offsets":[0,8]}}`,
        data,
      ),
      /malformed|JSON/,
    ],
    ['surplus field', safetensors({ a: { ...one.a, x: 1 } }, data), /malformed/],
    [
      'Git LFS pointer',
      Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'),
      /git lfs pull/,
    ],
    ['web page', Buffer.from('<!DOCTYPE html><html></html>'), /web page/],
  ])('%s', async (_, bytes, problem) => {
    expect((await outcome(bytes))?.message).toMatch(problem);
  });

  test('a thousand mutations', async () => {
    const path = join(folder, 'sound.safetensors');
    await writeSafetensors(path, [
      { name: 'a', type: 'float32', shape: [2, 3], data: new Float32Array(6) },
      { name: 'b.c', type: 'int64', shape: [2], data: new BigInt64Array(2) },
      { name: 'd', type: 'float16', shape: [], data: Uint16Array.of(3) },
    ]);
    await fc.assert(
      fc.asyncProperty(mutation(readFileSync(path)), async (bytes) => {
        await outcome(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  test('shard indexes cannot lead elsewhere', async () => {
    const path = join(folder, 'x.safetensors.index.json');
    for (const shard of [
      '../x.safetensors',
      '/etc/passwd',
      'a/b.safetensors',
      '.hidden',
      'y.index.json',
      '',
    ]) {
      writeFileSync(path, JSON.stringify({ weight_map: { a: shard } }));
      await expect(openWeights(path)).rejects.toThrowError(/no plain file name/);
    }
    for (const value of ['[]', '"y.safetensors"']) {
      writeFileSync(path, `{"weight_map":{"__proto__":${value}}}`);
      await expect(openWeights(path)).rejects.toThrowError(/no 'weight_map'/);
    }
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        writeFileSync(path, JSON.stringify({ weight_map: value }));
        await expect(openWeights(path))
          .rejects.toBeInstanceOf(EidosError)
          .catch((error: unknown) => {
            if (JSON.stringify(value) !== '{}') throw error;
          });
      }),
      { numRuns: 300 },
    );
  });
});

const spec: TensorSpec = { storage: 'FloatStorage', key: '0', size: 6, shape: [2, 3], strides: [3, 1] };
const storage = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
const archive = (view: Partial<TensorSpec>) =>
  torchArchive(dictionary({ w: tensor({ ...spec, ...view }) }), { '0': storage });

async function read(bytes: Uint8Array): Promise<Record<string, number[]>> {
  const path = join(folder, 'read.pt');
  writeFileSync(path, bytes);
  const { tensors } = await openWeights(path);
  const result: Record<string, number[]> = {};
  for (const [name, one] of tensors) result[name] = [...(await readTensor(one))];
  return result;
}

describe('PyTorch archives', () => {
  test('views: whole, part, transposed, strided', async () => {
    expect(await read(archive({}))).toEqual({ w: [1, 2, 3, 4, 5, 6] });
    expect(await read(archive({ offset: 3, shape: [3], strides: [1] }))).toEqual({ w: [4, 5, 6] });
    expect(await read(archive({ shape: [3, 2], strides: [1, 3] }))).toEqual({ w: [1, 4, 2, 5, 3, 6] });
    expect(await read(archive({ offset: 1, shape: [3], strides: [2] }))).toEqual({ w: [2, 4, 6] });
    expect(await read(archive({ shape: [1, 2, 3], strides: [99, 3, 1] }))).toEqual({ w: [1, 2, 3, 4, 5, 6] });
    expect(await read(archive({ shape: [0, 3], strides: [3, 1] }))).toEqual({ w: [] });
  });

  test.each<[string, Partial<TensorSpec>, RegExp]>([
    ['repeats one element', { shape: [1_000_000_000], strides: [0] }, /more elements/],
    ['reaches beyond its storage', { offset: 1 }, /reaches beyond/],
    ['strides beyond its storage', { shape: [2], strides: [6] }, /reaches beyond/],
    ['strides of petabytes', { shape: [2], strides: [2 ** 50] }, /reaches beyond/],
    ['another number of strides', { strides: [1] }, /strides/],
    ['storage larger than its entry', { size: 7 }, /view of 28 bytes/],
    ['storage of exabytes', { size: 2 ** 52 }, /the file holds/],
    ['unknown storage', { storage: 'QUInt8Storage' }, /torch\.QUInt8Storage/],
    ['storage that is not there', { key: '1' }, /data\/1/],
    ['storage of another folder', { key: '../data.pkl' }, /lacks the entry/],
    ['negative size', { shape: [-1, 3] }, /a shape/],
    ['many axes', { shape: new Array(60).fill(1), strides: new Array(60).fill(1) }, /axes/],
  ])('refused view: %s', async (_, view, problem) => {
    expect((await outcome(archive(view)))?.message).toMatch(problem);
  });

  test('nothing is run: objects that are not weights are refused by name', async () => {
    for (const [module, name] of [
      ['os', 'system'],
      ['posix', 'system'],
      ['builtins', 'eval'],
      ['torch', 'load'],
      ['__torch__', 'X'],
      ['numpy.core.multiarray', '_reconstruct'],
    ] as const) {
      const call = [
        ...op.global(module, name),
        ...op.mark,
        ...op.text('touch /tmp/x'),
        ...op.tuple,
        ...op.reduce,
      ];
      expect(await outcome(torchArchive(dictionary({ x: call }), {}))).toMatchObject({
        code: 'unsupported_checkpoint',
        message: expect.stringContaining(`'${module}.${name}'`),
      });
    }
    for (const code of [0x69, 0x6f, 0x82, 0x50, 0x92, 0x97]) {
      expect((await outcome(torchArchive(Uint8Array.from([...op.start, code, 46]), {})))?.message).toMatch(
        /instruction/,
      );
    }
  });

  test('structures that multiply, nest or contain themselves end early', async () => {
    const pop = [0x30];
    const doubled = [...op.list, ...op.put(0)];
    for (let i = 0; i < 60; i++) {
      const twice = [...op.get(i), ...op.append, ...op.get(i), ...op.append];
      doubled.push(...pop, ...op.list, ...twice, ...op.put(i + 1));
    }
    expect((await outcome(torchArchive(dictionary({ x: doubled }), {})))?.message).toMatch(
      /more than 1000000 objects/,
    );
    const nested = new Array(50_000).fill(op.list).flat().concat(new Array(49_999).fill(op.append).flat());
    expect((await outcome(torchArchive(dictionary({ x: nested }), {})))?.message).toMatch(/deeper/);
    const self = [...op.list, ...op.put(0), ...op.get(0), ...op.append];
    expect((await outcome(torchArchive(dictionary({ x: self }), {})))?.message).toMatch(/deeper/);
  });

  test('archives that are no archives of PyTorch', async () => {
    const pickle = dictionary({ w: tensor(spec) });
    expect((await outcome(zip([])))?.message).toMatch(/no weight file|zip/);
    expect((await outcome(zip([{ name: 'x.txt', bytes: storage }])))?.message).toMatch(/data\.pkl/);
    expect((await outcome(zip([{ name: 'model/data.pkl', bytes: pickle, deflate: true }])))?.message).toMatch(
      /compressed/,
    );
    expect(
      (
        await outcome(
          zip([
            { name: 'model/data.pkl', bytes: pickle },
            { name: 'model/data/0', bytes: storage, deflate: true },
          ]),
        )
      )?.message,
    ).toMatch(/compressed/);
    expect(
      (
        await outcome(
          zip([
            { name: 'm/data.pkl', bytes: pickle },
            { name: 'm/data.pkl', bytes: pickle },
          ]),
        )
      )?.message,
    ).toMatch(/twice/);
    expect((await outcome(zip([{ name: '../data.pkl', bytes: pickle }])))?.code).toBe('invalid_checkpoint');
    const big = zip([
      { name: 'm/data.pkl', bytes: pickle },
      { name: 'm/data/0', bytes: storage },
      { name: 'm/byteorder', bytes: Buffer.from('big') },
    ]);
    expect((await outcome(big))?.message).toMatch(/big-endian/);
  });

  test('two names for one tensor are refused', async () => {
    const inner = [...op.dict, ...op.text('b'), ...tensor(spec), ...op.setItem];
    const bytes = torchArchive(dictionary({ a: inner, 'a.b': tensor(spec) }), { '0': storage });
    expect((await outcome(bytes))?.message).toMatch(/'a\.b' twice/);
  });

  test('a thousand mutations of an archive', async () => {
    const sound = torchArchive(
      dictionary({ w: tensor(spec), v: tensor({ ...spec, shape: [3, 2], strides: [1, 3] }) }),
      { '0': storage },
    );
    expect(await outcome(sound)).toBeUndefined();
    await fc.assert(
      fc.asyncProperty(mutation(sound), async (bytes) => {
        await outcome(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  test.skipIf(sharedFixtures === undefined)('mutations of the legacy format', async () => {
    const sound = readFileSync(`${sharedFixtures}vit-tiny/state_dict_fp16_legacy.pt`);
    // Most of the file is numbers; its pickles are the first eleven kilobytes.
    await fc.assert(
      fc.asyncProperty(mutation(sound.subarray(0, 11_000)), async (bytes) => {
        await outcome(bytes);
      }),
      { numRuns: 200 },
    );
  });
});

describe('pickles', () => {
  const environment = {
    file: 'test',
    find: torchGlobals('test', true),
    persistent: (id: unknown) => storageOf(id as null, 'test'),
  };
  const tryRead = (bytes: Uint8Array) => {
    try {
      readPickle(bytes, environment);
    } catch (error) {
      expect(error).toBeInstanceOf(EidosError);
    }
  };

  test('lengths beyond the end take no memory', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (const bytes of [
      [0x8d, ...new Array(8).fill(0x7f)],
      [0x8b, 255, 255, 255, 127],
      [0x58, 255, 255, 255, 255],
      [0x8e, ...new Array(8).fill(255)],
      [0x42, 255, 255, 255, 255],
    ]) {
      expect(() => readPickle(Uint8Array.from([...op.start, ...bytes]), environment)).toThrowError(
        EidosError,
      );
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  });

  test('five thousand programs of random instructions', () => {
    const codes = [
      0x28, 0x30, 0x31, 0x32, 0x4e, 0x88, 0x4b, 0x5d, 0x6c, 0x61, 0x65, 0x29, 0x74, 0x85, 0x86, 0x87, 0x7d,
      0x64, 0x73, 0x75, 0x68, 0x71, 0x94, 0x52, 0x81, 0x62, 0x51, 0x90, 0x91, 0x93, 0x2e,
    ];
    const instruction = fc.oneof(
      fc.constantFrom(...codes).map((code) => [code, 0]),
      fc.constantFrom(...codes).map((code) => [code]),
      fc.constantFrom(
        op.text('storage'),
        op.global('torch._utils', '_rebuild_tensor_v2'),
        op.global('collections', 'OrderedDict'),
        op.global('torch', 'FloatStorage'),
        op.global('__torch__.a', 'B'),
      ),
    );
    fc.assert(
      fc.property(fc.array(instruction, { maxLength: 60 }), (program) =>
        tryRead(Uint8Array.from(program.flat())),
      ),
      { numRuns: 5000 },
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), tryRead), { numRuns: 2000 });
  });

  test('large pickles take time in proportion to their size', () => {
    const build = (count: number) =>
      Uint8Array.from([
        ...op.start,
        ...op.dict,
        ...op.mark,
        ...Array.from({ length: count }, (_, i) => [...op.text(String(i)), ...op.mark, ...op.tuple]).flat(),
        ...op.setItems,
        ...op.stop,
      ]);
    const time = (bytes: Uint8Array) => {
      const start = performance.now();
      readPickle(bytes, environment);
      return performance.now() - start;
    };
    const [small, large] = [build(10_000), build(80_000)];
    time(small);
    // Eight times the size; quadratic work would be sixty-four times the time.
    expect(time(large)).toBeLessThan(32 * Math.max(time(small), 5));
  });
});

describe.skipIf(sharedFixtures === undefined)('configurations and shapes', () => {
  const load = (path: string) =>
    JSON.parse(readFileSync(`${sharedFixtures}${path}`, 'utf8')) as Record<string, unknown>;
  const shapesOf = (name: string) =>
    new Map(Object.entries(load(`layouts/${name}.json`).shapes as Record<string, number[]>));
  const hostileValue = fc.oneof(
    fc.constantFrom(
      0,
      -1,
      1e308,
      2 ** 53,
      0.5,
      '',
      'x',
      null,
      true,
      [],
      {},
      [1, 2, 3, 4],
      Number.MAX_SAFE_INTEGER,
      1,
      2,
      7,
      13,
    ),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const onlyOurs = (action: () => unknown) => {
    try {
      action();
    } catch (error) {
      if (!(error instanceof EidosError)) throw error;
    }
  };
  /** Replaces a field of an object, wherever it is nested. */
  const replace = (value: unknown, path: string[], by: unknown): unknown => {
    const [head, ...rest] = path;
    if (head === undefined) return by;
    return { ...(value as object), [head]: replace((value as Record<string, unknown>)[head], rest, by) };
  };
  const paths = (value: unknown): string[][] =>
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? []
      : Object.entries(value).flatMap(([key, one]) => [[key], ...paths(one).map((path) => [key, ...path])]);

  test.each([
    ['open_clip_coca_ViT-B-32', 'coca/open_clip_config.json'],
    ['open_clip_ViT-B-16-SigLIP', 'open_clip-siglip/open_clip_config.json'],
    ['openai_RN50', 'open_clip-rn/open_clip_config.json'],
    ['openai_ViT-B-32', 'vit-tiny/config.json'],
    ['hugging_face_openai-clip-vit-base-patch32', 'vit-tiny-hf/config.json'],
    ['hugging_face_google-siglip-base-patch16-224', 'siglip-hf/config.json'],
  ])('%s under a mutated %s', (name, path) => {
    const shapes = shapesOf(name);
    const config = load(path);
    fc.assert(
      fc.property(fc.constantFrom(...paths(config)), hostileValue, fc.boolean(), (field, value, sized) => {
        onlyOurs(() => {
          const configurations: Configurations = {};
          const changed = replace(config, field, value);
          addConfiguration(configurations, changed, 'config.json');
          const { architecture } = architectureFromShapes(sized ? shapes : new Map(), configurations);
          expect(architecture.embeddingSize).toBeGreaterThan(0);
        });
      }),
      { numRuns: 300 },
    );
  });

  test('mutated names and shapes', () => {
    const names = [
      'open_clip_coca_ViT-B-32',
      'open_clip_ViT-B-16-SigLIP',
      'openai_RN50',
      'openai_ViT-B-32',
      'hugging_face_openai-clip-vit-base-patch32',
    ];
    const models = names.map(shapesOf);
    const size = fc.oneof(fc.constantFrom(0, 1, 2, 3, 7, 50, 197, 2 ** 20, 2 ** 40, 2 ** 53), fc.nat(4096));
    fc.assert(
      fc.property(
        fc.nat(models.length - 1),
        fc.array(
          fc.tuple(
            fc.nat(10_000),
            fc.array(size, { maxLength: 5 }),
            fc.constantFrom('shape', 'drop', 'rename'),
          ),
          { minLength: 1, maxLength: 3 },
        ),
        (which, changes) => {
          const model = models[which]!;
          const shapes = new Map(model);
          const all = [...model.keys()];
          for (const [index, shape, kind] of changes) {
            const name = all[index % all.length]!;
            if (kind === 'shape') shapes.set(name, shape);
            else shapes.delete(name);
            if (kind === 'rename') shapes.set(name.replace(/\d+/, '999999999'), shape);
          }
          const tensors = new Map<string, StoredTensor>();
          for (const [name, shape] of shapes) {
            tensors.set(name, {
              name,
              type: 'float32',
              shape,
              location: { bytes: new Uint8Array() },
              byteLength: 0,
            });
          }
          onlyOurs(() => {
            const { layout, architecture } = architectureFromShapes(shapes);
            bindParameters(layout, architecture, tensors);
          });
        },
      ),
      { numRuns: 120 },
    );
  });

  test('mutated preprocessor configurations', () => {
    const defaults = { ...clipPreprocessing, size: 32 };
    for (const path of ['clip-hf', 'siglip-hf', 'vit-tiny-hf']) {
      const config = load(`${path}/preprocessor_config.json`);
      expect(huggingFacePreprocessing(config, 'x', defaults).size).toBe(32);
      fc.assert(
        fc.property(fc.constantFrom(...paths(config)), hostileValue, (field, value) => {
          onlyOurs(() => {
            const result = huggingFacePreprocessing(replace(config, field, value), 'x', defaults);
            expect(result.deviation.every((one) => one > 0)).toBe(true);
          });
        }),
        { numRuns: 500 },
      );
    }
  });

  test('integers in place of weights are refused', () => {
    const shapes = shapesOf('openai_ViT-B-32');
    const tensors = new Map<string, StoredTensor>();
    for (const [name, shape] of shapes) {
      tensors.set(name, { name, type: 'int8', shape, location: { bytes: new Uint8Array() }, byteLength: 0 });
    }
    const { layout, architecture } = architectureFromShapes(shapes);
    expect(() => bindParameters(layout, architecture, tensors)).toThrowError(/stored as int8/);
  });

  test('a tensor that the layout does not know is refused by name', () => {
    const shapes = shapesOf('openai_ViT-B-32');
    shapes.set('visual.transformer.resblocks.0.gate.gamma', [768]);
    const tensors = new Map<string, StoredTensor>();
    for (const [name, shape] of shapes) {
      tensors.set(name, {
        name,
        type: 'float32',
        shape,
        location: { bytes: new Uint8Array() },
        byteLength: 0,
      });
    }
    const { layout, architecture } = architectureFromShapes(shapes);
    expect(() => bindParameters(layout, architecture, tensors)).toThrowError(/gate\.gamma/);
  });
});
