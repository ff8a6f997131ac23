/** eidos' own layout: what is written is read again, and configurations that cannot be true are refused. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  canonicalShapes,
  openCheckpoint,
  type ParameterValue,
  readParameter,
  writeModel,
} from '../../src/checkpoint/index.ts';
import { elementCount } from '../../src/graph/tensor.ts';
import type { ClipArchitecture, EfficientNetArchitecture } from '../../src/models/architecture.ts';
import { clipPreprocessing } from '../../src/models/preprocessing.ts';
import { smallLite } from '../efficientnet-lite.ts';

const architecture: ClipArchitecture = {
  embeddingSize: 8,
  probability: 'softmax',
  logitBias: false,
  image: { kind: 'basic_resnet', imageSize: 16, patchSize: 4, widths: [4, 6], blocks: [1, 1] },
  text: {
    width: 16,
    layers: 1,
    heads: 2,
    mlpWidth: 32,
    activation: 'quick_gelu',
    normEpsilon: 1e-5,
    contextLength: 6,
    vocabularySize: 20,
    causal: true,
    positions: 'learned',
    pool: { kind: 'end', endToken: 19 },
    projection: 'linear',
  },
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-layout-'));
  await write(folder, architecture);
});
afterAll(() => rm(folder, { recursive: true }));

async function write(to: string, architecture: ClipArchitecture): Promise<void> {
  const parameters = new Map<string, ParameterValue>();
  for (const [name, shape] of canonicalShapes(architecture)) {
    parameters.set(name, {
      shape,
      data: Float32Array.from({ length: elementCount(shape) }, (_, i) => i % 7),
    });
  }
  const size = architecture.image.imageSize;
  const preprocessing = { ...clipPreprocessing, size, mean: [0.1, 0.2, 0.3] as [number, number, number] };
  await writeModel(to, architecture, parameters, { type: 'float16', preprocessing });
}

test('a model comes back as it was written', async () => {
  const checkpoint = await openCheckpoint(folder);
  expect(checkpoint.layout).toBe('eidos');
  expect(checkpoint.architecture).toEqual(architecture);
  expect(checkpoint.preprocessing).toMatchObject({ size: 16, mean: [0.1, 0.2, 0.3] });
  expect(checkpoint.unused).toEqual([]);
  const kernel = await readParameter(checkpoint.parameters.get('image.stages.1.0.conv_2.weight')!);
  expect([...kernel.slice(0, 8)]).toEqual([0, 1, 2, 3, 4, 5, 6, 0]);
});

const vit: ClipArchitecture['image'] = {
  kind: 'vit',
  imageSize: 16,
  patchSize: 8,
  width: 8,
  layers: 1,
  heads: 2,
  mlpWidth: 16,
  activation: 'gelu',
  normEpsilon: 1e-6,
  patchBias: true,
  classToken: false,
  normBefore: false,
  normAfter: 'tokens',
  pool: { kind: 'average' },
  projection: 'none',
};

const efficientNet: EfficientNetArchitecture = {
  ...smallLite,
  imageSize: 40,
  pool: 'average_max',
  projection: { kind: 'perceptron', hidden: 12 },
};

test.each<[string, string, string, RegExp]>([
  ['a kernel without a middle', '"kernelSize": 3', '"kernelSize": 4', /stages\.0\.kernelSize.*odd/],
  ['a kernel wider than any', '"kernelSize": 3', '"kernelSize": 33', /stages\.0\.kernelSize/],
  ['blocks without end', '"blocks": 4', '"blocks": 100000', /stages\.5\.blocks/],
  ['a stride that leaves nothing', '"stride": 1', '"stride": 0', /stages\.0\.stride/],
  ['an expansion without bound', '"expansion": 6', '"expansion": 4096', /stages\.1\.expansion/],
  ['a width that nobody has', '"headWidth": 160', '"headWidth": 100000', /widest layer/],
  ['a head that is none', '"perceptron"', '"oracle"', /projection\.kind/],
])('%s in an EfficientNet is refused by name', async (_, from, to, message) => {
  const own = join(folder, 'refused');
  await write(own, { ...architecture, image: efficientNet });
  const path = join(own, 'config.json');
  const config = await readFile(path, 'utf8');
  expect(config).toContain(from);
  await writeFile(path, config.replace(from, to));
  await expect(openCheckpoint(own)).rejects.toMatchObject({
    code: 'invalid_checkpoint',
    message: expect.stringMatching(message),
  });
});

test.each([
  ['CLIP’s residual net', { kind: 'resnet', imageSize: 32, width: 4, layers: [1, 1, 1, 1], heads: 2 }],
  ['a Vision Transformer without a projection', vit],
  [
    'a ConvNeXt',
    {
      kind: 'convnext',
      imageSize: 16,
      patchSize: 4,
      widths: [4, 6],
      blocks: [1, 1],
      kernelSize: 3,
      activation: 'gelu',
      normEpsilon: 1e-6,
    },
  ],
  ['an EfficientNet', efficientNet],
] satisfies [string, ClipArchitecture['image']][])('so does %s', async (_, image) => {
  const own = join(folder, image.kind);
  await write(own, { ...architecture, image });
  expect(await openCheckpoint(own)).toMatchObject({
    layout: 'eidos',
    architecture: { ...architecture, image },
    unused: [],
  });
});

test.each([
  ['no configuration', undefined, /config\.json/],
  [
    'another width',
    (config: string) => config.replace('"widths": [\n        4,', '"widths": [\n        5,'),
    /image\.stem/,
  ],
  ['a stage without blocks', (config: string) => config.replace('1,\n        1', '1'), /blocks/],
  [
    'a size that the maps do not fit',
    (config: string) => config.replace('"imageSize": 16', '"imageSize": 20'),
    /imageSize/,
  ],
  ['an unknown tower', (config: string) => config.replace('basic_resnet', 'capsule'), /kind/],
])('%s is refused by name', async (_, change, message) => {
  const path = join(folder, 'config.json');
  const config = await readFile(path, 'utf8');
  const changed = change?.(config);
  expect(changed).not.toBe(config);
  if (changed === undefined) await rm(path);
  else await writeFile(path, changed);
  try {
    await expect(openCheckpoint(folder)).rejects.toThrow(message);
  } finally {
    await writeFile(path, config);
  }
});

test('a configuration may not claim more blocks than there are tensors, nor fields that nobody knows', async () => {
  const target = await mkdtemp(join(tmpdir(), 'eidos-claims-'));
  await write(target, architecture);
  const claim = async (change: (architecture: Record<string, never>) => void): Promise<Promise<unknown>> => {
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
    change(config.architecture);
    await writeFile(join(target, 'config.json'), JSON.stringify(config));
    return openCheckpoint(target);
  };
  type Changed = { image: Record<string, unknown>; text: Record<string, unknown> } & Record<string, unknown>;
  for (const [change, code, words] of [
    [({ image }: Changed) => (image.blocks = [100_000, 1]), 'config_mismatch', '100001 blocks'],
    [({ text }: Changed) => (text.layers = 100_000), 'config_mismatch', '100000 blocks'],
    [({ image }: Changed) => (image.newQuirk = true), 'invalid_checkpoint', 'newQuirk'],
    [({ text }: Changed) => (text.rotary = 1), 'invalid_checkpoint', 'rotary'],
    [(all: Changed) => (all.towers = 3), 'invalid_checkpoint', 'towers'],
  ] as const) {
    const refused = await claim(change as never).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code, message: expect.stringContaining(words) });
  }
  await rm(target, { recursive: true });
});
