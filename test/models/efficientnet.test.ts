/** EfficientNet-Lite's tower and the perceptron above it, beside plain loops; the original is compared in test/parity. */
import { describe, expect, test } from 'vitest';
import { initialValues, randomNumbers } from '../../src/graph/initialise.ts';
import { input, multiply } from '../../src/graph/operations.ts';
import { parametersOf, type Value } from '../../src/graph/value.ts';
import type { EfficientNetArchitecture, ImageArchitecture } from '../../src/models/architecture.ts';
import {
  type ImageEncoderOptions,
  imageEncoder,
  imageFeatures,
  imageFeatureWidth,
  projectImage,
} from '../../src/models/image/encoder.ts';
import { samePadding } from '../../src/models/layers/convolution.ts';
import { type Doubles, evaluate } from '../graph/reference.ts';

const embeddingSize = 5;
const small: EfficientNetArchitecture = {
  kind: 'efficientnet',
  imageSize: 11,
  stemWidth: 3,
  stages: [
    { kernelSize: 3, stride: 1, expansion: 1, width: 2, blocks: 1 },
    { kernelSize: 5, stride: 2, expansion: 3, width: 4, blocks: 2 },
  ],
  headWidth: 6,
  activation: 'relu6',
  normEpsilon: 1e-3,
  pool: 'average_max',
  projection: { kind: 'perceptron', hidden: 7 },
};

/** Numbers for every parameter that the values read, with gains and statistics moved away from ones and zeros. */
function feedsOf(values: readonly Value[], side: number): Record<string, Doubles> {
  const random = randomNumbers(5);
  const pixels = Float64Array.from({ length: 2 * 3 * side * side }, () => 6 * random() - 3);
  const feeds: Record<string, Doubles> = { pixels: { shape: [2, 3, side, side], data: pixels } };
  for (const { attributes } of parametersOf(values)) {
    const { name, shape } = attributes;
    const data = Float64Array.from(initialValues(attributes, 3), (number) =>
      shape.length === 1
        ? number + random() + (name.endsWith('norm.weight') || name.endsWith('variance') ? 0.5 : 0)
        : number,
    );
    feeds[name] = { shape: [...shape], data };
  }
  return feeds;
}

/** [channel][row][column] */
type Map3 = number[][][];

/** The tower as the paper and TensorFlow's "SAME" have it, one picture in plain loops. */
function loops(image: EfficientNetArchitecture, w: Record<string, Doubles>, pixels: Map3): number[] {
  const at = (name: string, index: number): number => w[name]!.data[index]!;
  const conv = (name: string, x: Map3, stride: number, depthwise = false): Map3 => {
    const [out, , kernel] = w[`${name}.weight`]!.shape as [number, number, number];
    const side = x[0]!.length;
    const outSide = Math.ceil(side / stride);
    const before = Math.floor(Math.max(0, (outSide - 1) * stride + kernel - side) / 2);
    return range(out).map((o) =>
      range(outSide).map((row) =>
        range(outSide).map((column) => {
          let sum = 0;
          for (const [i, c] of (depthwise ? [o] : range(x.length)).entries()) {
            for (let a = 0; a < kernel; a++) {
              for (let b = 0; b < kernel; b++) {
                const pixel = x[c]![row * stride + a - before]?.[column * stride + b - before] ?? 0;
                const channels = depthwise ? 1 : x.length;
                sum += pixel * at(`${name}.weight`, ((o * channels + i) * kernel + a) * kernel + b);
              }
            }
          }
          return sum;
        }),
      ),
    );
  };
  const norm = (name: string, x: Map3): Map3 =>
    x.map((rows, c) => {
      const deviation = Math.sqrt(at(`${name}.running_variance`, c) + 1e-3);
      const gain = at(`${name}.weight`, c) / deviation;
      const shift = at(`${name}.bias`, c) - at(`${name}.running_mean`, c) * gain;
      return rows.map((row) => row.map((v) => v * gain + shift));
    });
  const relu6 = (x: Map3): Map3 =>
    x.map((rows) => rows.map((row) => row.map((v) => Math.min(6, Math.max(0, v)))));

  let x = relu6(norm('image.stem.norm', conv('image.stem.conv', pixels, 2)));
  for (const [stage, { stride, expansion, blocks }] of image.stages.entries()) {
    for (const block of range(blocks)) {
      const name = `image.stages.${stage}.${block}`;
      const before = x;
      if (expansion > 1) x = relu6(norm(`${name}.expand.norm`, conv(`${name}.expand.conv`, x, 1)));
      const step = block === 0 ? stride : 1;
      x = relu6(norm(`${name}.depthwise.norm`, conv(`${name}.depthwise.conv`, x, step, true)));
      x = norm(`${name}.narrow.norm`, conv(`${name}.narrow.conv`, x, 1));
      if (step === 1 && before.length === x.length)
        x = x.map((rows, c) => rows.map((row, r) => row.map((v, k) => v + before[c]![r]![k]!)));
    }
  }
  x = relu6(norm('image.head.norm', conv('image.head.conv', x, 1)));
  const mean = x.map((rows) => sum(rows.flat()) / rows.flat().length);
  const highest = x.map((rows) => Math.max(...rows.flat()));
  const features = image.pool === 'average' ? mean : [...mean, ...highest];
  const linear = (name: string, from: number[]): number[] =>
    range(w[`${name}.weight`]!.shape[0]!).map(
      (o) =>
        sum(from.map((v, i) => v * at(`${name}.weight`, o * from.length + i))) +
        (w[`${name}.bias`] === undefined ? 0 : at(`${name}.bias`, o)),
    );
  if (image.projection.kind === 'linear') return linear('image.projection', features);
  const centre = sum(features) / features.length;
  const deviation = Math.sqrt(sum(features.map((v) => (v - centre) ** 2)) / features.length + 1e-5);
  const normed = features.map(
    (v, i) =>
      ((v - centre) / deviation) * at('image.projection.norm.weight', i) +
      at('image.projection.norm.bias', i),
  );
  const hidden = linear('image.projection.up', normed).map((v) => (v / 2) * (1 + erf(v / Math.SQRT2)));
  const bent = linear('image.projection.down', hidden);
  return linear('image.projection.direct', normed).map((v, i) => v + bent[i]!);
}

test.each<[string, Partial<EfficientNetArchitecture>]>([
  ['with mean, maximum and a perceptron', {}],
  ['with the mean and a linear map', { pool: 'average', projection: { kind: 'linear' } }],
  ['of an even side', { imageSize: 12 }],
  ['of a side of even and odd maps', { imageSize: 17 }],
])('embeddings follow the formula, %s', (_, changes) => {
  const image = { ...small, ...changes };
  const side = image.imageSize;
  const embeddings = imageEncoder({ image, embeddingSize }, input('pixels', [2, 3, side, side]));
  const feeds = feedsOf([embeddings], side);
  const [{ data }] = evaluate([embeddings], feeds) as [Doubles];
  for (const picture of range(2)) {
    const pixels = range(3).map((c) =>
      range(side).map((y) =>
        range(side).map((x) => feeds.pixels!.data[((picture * 3 + c) * side + y) * side + x]!),
      ),
    );
    const expected = loops(image, feeds, pixels);
    const found = [...data.slice(picture * embeddingSize, (picture + 1) * embeddingSize)];
    const largest = Math.max(...expected.map(Math.abs));
    expected.forEach((number, i) => {
      expect(Math.abs(found[i]! - number)).toBeLessThan(1e-6 * largest);
    });
  }
});

test('"SAME" leaves ⌈length / stride⌉ places, with one zero more at the end', () => {
  expect(samePadding(224, 3, 2)).toEqual([0, 1]);
  expect(samePadding(65, 3, 2)).toEqual([1, 1]);
  expect(samePadding(56, 5, 2)).toEqual([1, 2]);
  expect(samePadding(17, 5, 2)).toEqual([2, 2]);
  expect(samePadding(7, 5, 1)).toEqual([2, 2]);
  expect(samePadding(8, 1, 2)).toEqual([0, 0]);
});

test('a tower whose pictures pass by its branches is the tower without those blocks', () => {
  const pass: ImageEncoderOptions['branch'] = (_, value) => multiply(value, 0);
  const pixels = input('pixels', [2, 3, 11, 11]);
  const tower = (blocks: number, branch?: ImageEncoderOptions['branch']): Value => {
    const stages = small.stages.map((stage, i) => (i === 1 ? { ...stage, blocks } : stage));
    return imageFeatures({ image: { ...small, stages } }, pixels, { branch });
  };
  const [full, passed, shorter] = [tower(3), tower(3, pass), tower(1)];
  const [whole, without, short] = evaluate([full, passed, shorter], feedsOf([full], 11));
  expect([...without!.data]).toEqual([...short!.data]);
  expect([...whole!.data]).not.toEqual([...short!.data]);
});

test('dropout may be put on the hidden layer and on the result of a projection', () => {
  const features = input('features', [2, 12]);
  const names: string[] = [];
  const dropout = (name: string, value: Value): Value => {
    names.push(`${name} [${value.shape}]`);
    return value;
  };
  projectImage({ image: small, embeddingSize }, features, { dropout });
  projectImage({ image: { ...small, projection: { kind: 'linear' } }, embeddingSize }, features, { dropout });
  expect(names).toEqual([
    'image.projection.hidden [2,7]',
    `image.projection [2,${embeddingSize}]`,
    `image.projection [2,${embeddingSize}]`,
  ]);
});

describe('features and projection', () => {
  const stages = { imageSize: 8, patchSize: 2, widths: [4, 6], blocks: [1, 1] };
  const vit: ImageArchitecture = {
    kind: 'vit',
    imageSize: 8,
    patchSize: 4,
    width: 8,
    layers: 1,
    heads: 2,
    mlpWidth: 16,
    activation: 'gelu',
    normEpsilon: 1e-5,
    patchBias: false,
    classToken: true,
    normBefore: true,
    normAfter: 'pooled',
    pool: { kind: 'class' },
    projection: 'linear',
  };
  const towers: [ImageArchitecture, number][] = [
    [vit, 8],
    [{ ...vit, pool: { kind: 'queries', heads: 2, queries: 3, width: 12 } }, 12],
    [{ ...vit, pool: { kind: 'probe', heads: 2, mlpWidth: 16, activation: 'gelu' }, projection: 'none' }, 8],
    [{ kind: 'basic_resnet', ...stages }, 6],
    [{ kind: 'convnext', ...stages, kernelSize: 3, activation: 'gelu', normEpsilon: 1e-6 }, 6],
    [{ ...small, imageSize: 8 }, 12],
    [{ ...small, imageSize: 8, pool: 'average' }, 6],
  ];
  test.each(towers)('are the encoder together: %o', (image, width) => {
    const architecture = {
      image,
      embeddingSize: image.kind === 'vit' && image.projection === 'none' ? 8 : 5,
    };
    const features = imageFeatures(architecture, input('pixels', [2, 3, 8, 8]));
    expect(features.shape).toEqual([2, width]);
    expect(imageFeatureWidth(image)).toBe(width);
    const given = input('features', [2, width]);
    const projected = projectImage(architecture, given);
    const whole = imageEncoder(architecture, input('pixels', [2, 3, 8, 8]));
    const feeds = feedsOf([whole], 8);
    const [seen, expected] = evaluate([features, whole], feeds);
    const [embedded] = evaluate([projected], { ...feeds, features: seen! });
    expect([...embedded!.data]).toEqual([...expected!.data]);
    const own = parametersOf([projected]).map(({ attributes }) => attributes.name);
    expect(own.every((name) => name.startsWith('image.projection.'))).toBe(true);
    const all = parametersOf([whole]).map(({ attributes }) => attributes.name);
    expect(all.filter((name) => name.startsWith('image.projection.'))).toEqual(own);
  });

  test('cannot be told apart in CLIP’s residual net, which says so', () => {
    const image: ImageArchitecture = {
      kind: 'resnet',
      imageSize: 32,
      width: 4,
      layers: [1, 1, 1, 1],
      heads: 2,
    };
    const refusal = expect.objectContaining({
      code: 'invalid_option',
      message: expect.stringContaining('attention pools and projects at once'),
    });
    expect(() => imageFeatures({ image }, input('pixels', [2, 3, 32, 32]))).toThrow(refusal);
    expect(() => imageFeatureWidth(image)).toThrow(refusal);
    expect(() => projectImage({ image, embeddingSize }, input('features', [2, 8]))).toThrow(refusal);
  });
});

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** The error function by its series, enough terms for numbers as small as these. */
function erf(x: number): number {
  let term = x;
  let total = x;
  for (let n = 1; n < 120; n++) {
    term *= (-x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}
