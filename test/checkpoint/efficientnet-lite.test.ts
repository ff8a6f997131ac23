/** EfficientNet-Lite as its package publishes it: recognised by names and shapes, opened, and refused where a CLIP is wanted. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type ImageClassifier,
  isClip,
  openAnyCheckpoint,
  openCheckpoint,
  readParameter,
} from '../../src/checkpoint/index.ts';
import { efficientNetLite } from '../../src/checkpoint/layouts/efficientnet-lite.ts';
import { imageClassifierFromShapes } from '../../src/checkpoint/layouts/table.ts';
import { imageClassifierShapes } from '../../src/checkpoint/parameters.ts';
import { loadClip } from '../../src/clip/load.ts';
import { elementCount } from '../../src/graph/tensor.ts';
import type { ImageClassifierArchitecture } from '../../src/models/architecture.ts';
import { inspectCheckpoint } from '../../src/tasks/inspect/inspect.ts';
import { printedLines, runEidos } from '../command.ts';
import { smallClassifier, smallLite, valuesOf, writeSmallLite } from '../efficientnet-lite.ts';

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-lite-'));
  file = join(folder, 'efficientnet-small.safetensors');
  await writeSmallLite(file);
});
afterAll(() => rm(folder, { recursive: true }));

/** Names and shapes that the package publishes. */
function shapesOf(architecture: ImageClassifierArchitecture): Map<string, readonly number[]> {
  const published = efficientNetLite.published(architecture);
  return new Map(
    [...imageClassifierShapes(architecture)].map(([name, shape]) => [published.get(name)!.from, shape]),
  );
}

/** Side, blocks and widths of utils.py's coefficients, and the parameters that PyTorch counts. */
const published: [string, number, number[], number[], number][] = [
  ['Lite0', 224, [1, 2, 2, 3, 3, 4, 1], [16, 24, 40, 80, 112, 192, 320], 4_652_008],
  ['Lite1', 240, [1, 3, 3, 4, 4, 5, 1], [16, 24, 40, 80, 112, 192, 320], 5_416_680],
  ['Lite2', 260, [1, 3, 3, 4, 4, 5, 1], [16, 24, 48, 88, 120, 208, 352], 6_092_072],
  ['Lite3', 280, [1, 3, 3, 5, 5, 6, 1], [24, 32, 48, 96, 136, 232, 384], 8_197_096],
  ['Lite4', 300, [1, 4, 4, 6, 6, 8, 1], [24, 32, 56, 112, 160, 272, 448], 13_006_568],
];

test.each(published)('%s is what it is published as', (_, imageSize, blocks, widths, parameters) => {
  const stages = smallLite.stages.map((stage, i) => ({
    ...stage,
    width: widths[i]!,
    blocks: blocks[i]!,
  }));
  const architecture: ImageClassifierArchitecture = {
    image: { ...smallLite, imageSize, stemWidth: 32, headWidth: 1280, stages },
    classes: 1000,
  };
  const shapes = shapesOf(architecture);
  expect(imageClassifierFromShapes(shapes)).toEqual({
    layout: 'efficientnet_lite',
    prefix: '',
    architecture,
  });
  const trained = [...shapes].filter(([name]) => !name.includes('running'));
  expect(trained.reduce((sum, [, shape]) => sum + elementCount(shape), 0)).toBe(parameters);
});

test('a file is opened with its classifier, whatever stands before its names', async () => {
  const prefixed = join(folder, 'prefixed.safetensors');
  await writeSmallLite(prefixed, 'module.');
  for (const path of [file, prefixed]) {
    const opened = await openAnyCheckpoint(path);
    expect(isClip(opened)).toBe(false);
    const { layout, architecture, parameters, preprocessing, unused } = opened as ImageClassifier;
    expect({ layout, architecture, unused }).toEqual({
      layout: 'efficientnet_lite',
      architecture: smallClassifier,
      unused: [],
    });
    const classifier = await readParameter(parameters.get('image.classifier.weight')!);
    expect([...classifier]).toEqual([...Float32Array.from(valuesOf('_fc.weight', [6, 160]))]);
    expect(parameters.has('image.classifier.bias')).toBe(true);
    const mean = 127 / 255;
    expect(preprocessing).toMatchObject({
      size: 224,
      resize: 'shortest',
      interpolation: 'bicubic',
      mean: [mean, mean, mean],
      deviation: [128 / 255, 128 / 255, 128 / 255],
    });
  }
});

test('inspect shows it, for programs and for people', async () => {
  const inspection = await inspectCheckpoint(file);
  const shapes = [...shapesOf(smallClassifier)].filter(([name]) => !name.includes('running'));
  const total = shapes.reduce((sum, [, shape]) => sum + elementCount(shape), 0);
  expect(inspection).toMatchObject({
    layout: 'efficientnet_lite',
    architecture: smallClassifier,
    parameters: { image: total - 6 * 161, classifier: 6 * 161, total },
  });
  // The stem alone: 112² places, 4 kernels of 3 · 3², a product and a sum each.
  expect(inspection.operations.image).toBeGreaterThan(2 * 112 ** 2 * 4 * 27);
  expect(printedLines(runEidos(folder, ['inspect', file, '--json']).stdout)[0]).toEqual(
    JSON.parse(JSON.stringify(inspection)),
  );
  const { stdout } = runEidos(folder, ['inspect', file]);
  expect(stdout).toMatch(/image encoder +EfficientNet, blocks 1-2-2-3-3-4-1 of widths 2-3-5-10-14-24-40/);
  expect(stdout).toMatch(/text encoder +none: .*"initialise.image"/);
  expect(stdout).toMatch(/classifier +6 classes/);
});

test('where a CLIP is wanted, what it is and what it is good for is said', async () => {
  const refusal = expect.objectContaining({
    code: 'unsupported_checkpoint',
    message: expect.stringMatching(/efficientnet_lite.* without a text tower: .*"initialise": { "image"/),
  });
  await expect(openCheckpoint(file)).rejects.toThrow(refusal);
  await expect(loadClip(file)).rejects.toThrow(refusal);
});

describe('refused by name is', () => {
  const cases: [string, (shapes: Map<string, readonly number[]>) => unknown, string, RegExp][] = [
    [
      'a tensor that is missing',
      (shapes) => shapes.delete('_blocks.3._project_conv.weight'),
      'invalid_checkpoint',
      /'_blocks\.3\._project_conv\.weight' is missing/,
    ],
    [
      'a depthwise kernel that changes within a stage',
      (shapes) => shapes.set('_blocks.4._depthwise_conv.weight', [30, 1, 3, 3]),
      'unsupported_checkpoint',
      /'_blocks\.4\._depthwise_conv\.weight' has 30 channels and kernels of 3/,
    ],
    [
      'a net of other stages, whose strides nobody knows',
      (shapes) => shapes.set('_blocks.15._depthwise_conv.weight', [144, 1, 5, 5]),
      'unsupported_checkpoint',
      /the kernels of its stages are 3,3,5,3,5,5,5/,
    ],
    [
      'a widening by a part',
      (shapes) => shapes.set('_blocks.15._depthwise_conv.weight', [145, 1, 3, 3]),
      'unsupported_checkpoint',
      /145 channels/,
    ],
    [
      'squeeze and excitation',
      (shapes) => shapes.set('_blocks.0._se_reduce.weight', [1, 4, 1, 1]),
      'unsupported_checkpoint',
      /squeeze and excitation/,
    ],
    [
      'a size that nobody has',
      (shapes) => shapes.set('_fc.weight', [1_000_000, 160]),
      'invalid_checkpoint',
      /claims 1000000 numbers/,
    ],
  ];
  test.each(cases)('%s', (_, change, code, message) => {
    const shapes = shapesOf(smallClassifier);
    change(shapes);
    expect(() => imageClassifierFromShapes(shapes)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test('a tensor of another shape, and a file that is none', async () => {
    const broken = join(folder, 'broken.safetensors');
    await writeFile(broken, 'no weights');
    await expect(openAnyCheckpoint(broken)).rejects.toThrow(
      expect.objectContaining({ code: 'invalid_checkpoint' }),
    );
  });
});
