/** The towers of basic blocks and ConvNeXt, beside plain loops that follow the papers' descriptions number by number. */
import { expect, test } from 'vitest';
import { initialValues, randomNumbers } from '../../src/graph/initialise.ts';
import { input, multiply } from '../../src/graph/operations.ts';
import { parametersOf, type Value } from '../../src/graph/value.ts';
import type { BasicResNetArchitecture, ConvNextArchitecture } from '../../src/models/architecture.ts';
import { basicResNet } from '../../src/models/image/basic-resnet.ts';
import { imageEncoder } from '../../src/models/image/encoder.ts';
import { modifiedResNet } from '../../src/models/image/resnet.ts';
import type { Watch } from '../../src/models/layers/transformer.ts';
import { type Doubles, evaluate } from '../graph/reference.ts';

const embeddingSize = 5;
const side = 16;
const resNet: BasicResNetArchitecture = {
  kind: 'basic_resnet',
  imageSize: side,
  patchSize: 4,
  widths: [4, 6],
  blocks: [1, 2],
};
const next: ConvNextArchitecture = {
  kind: 'convnext',
  imageSize: side,
  patchSize: 4,
  widths: [4, 6],
  blocks: [1, 1],
  kernelSize: 3,
  activation: 'gelu',
  normEpsilon: 1e-6,
};

/** A map of numbers by row, column and channel. */
type Maps = number[][][];

function setUp(
  kind: 'basic_resnet' | 'convnext',
  pictures: number,
): { embeddings: number[][]; weights: Map<string, Doubles>; pixels: number[] } {
  const pixels = input('pixels', [pictures, 3, side, side]);
  const image = kind === 'convnext' ? next : resNet;
  const value = imageEncoder({ image, embeddingSize }, pixels);
  const random = randomNumbers(5);
  const weights = new Map<string, Doubles>();
  for (const node of parametersOf([value])) {
    const { name, shape } = node.attributes;
    // Gains and statistics begin as ones and zeros; moved, they cannot hide a wrong place.
    const data = Float64Array.from(initialValues(node.attributes, 3), (number) =>
      shape.length === 1 ? number + 0.5 * random() + (name.endsWith('variance') ? 0.5 : 0) : number,
    );
    weights.set(name, { shape: [...shape], data });
  }
  const data = Float64Array.from({ length: pictures * 3 * side * side }, () => 2 * random() - 1);
  const [result] = evaluate([value], {
    ...Object.fromEntries(weights),
    pixels: { shape: [pictures, 3, side, side], data },
  });
  const all = Array.from(result!.data, Number);
  const embeddings = Array.from({ length: pictures }, (_, i) =>
    all.slice(i * embeddingSize, (i + 1) * embeddingSize),
  );
  return { embeddings, weights, pixels: [...data] };
}

test('basic blocks follow the formula', () => {
  const { embeddings, weights, pixels } = setUp('basic_resnet', 2);
  const w = reader(weights);
  const relu = (maps: Maps): Maps => maps.map((row) => row.map((place) => place.map((v) => Math.max(0, v))));
  const norm = (name: string, maps: Maps): Maps =>
    maps.map((row) =>
      row.map((place) =>
        place.map((v, c) => {
          const deviation = Math.sqrt(w(`${name}.running_variance`, c) + 1e-5);
          return (
            ((v - w(`${name}.running_mean`, c)) / deviation) * w(`${name}.weight`, c) + w(`${name}.bias`, c)
          );
        }),
      ),
    );
  for (const [i, embedding] of embeddings.entries()) {
    let x = patches(picture(pixels, i), 4, 'channel first');
    x = relu(
      norm(
        'image.stem.norm',
        convolve(x, 4, 3, (o, c, a, b) => w('image.stem.conv.weight', ((o * 48 + c) * 3 + a) * 3 + b)),
      ),
    );
    for (const [stage, width] of resNet.widths.entries()) {
      const name = `image.stages.${stage}`;
      if (stage > 0) {
        const halved = convolve(patches(x, 2, 'channel first'), width, 1, (o, c) =>
          w(`${name}.downsample.conv.weight`, o * 4 * resNet.widths[stage - 1]! + c),
        );
        x = relu(norm(`${name}.downsample.norm`, halved));
      }
      for (let block = 0; block < resNet.blocks[stage]!; block++) {
        const conv = (n: 1 | 2, maps: Maps): Maps =>
          norm(
            `${name}.${block}.norm_${n}`,
            convolve(maps, width, 3, (o, c, a, b) =>
              w(`${name}.${block}.conv_${n}.weight`, ((o * width + c) * 3 + a) * 3 + b),
            ),
          );
        const outer = conv(2, relu(conv(1, x)));
        x = relu(x.map((row, y) => row.map((place, z) => place.map((v, c) => v + outer[y]![z]![c]!))));
      }
    }
    expectNear(embedding, project(w, average(x)));
  }
});

test('ConvNeXt follows the formula', () => {
  const { embeddings, weights, pixels } = setUp('convnext', 2);
  const w = reader(weights);
  const norm = (name: string, place: number[]): number[] => {
    const mean = place.reduce((sum, v) => sum + v, 0) / place.length;
    const variance = place.reduce((sum, v) => sum + (v - mean) ** 2, 0) / place.length;
    return place.map(
      (v, c) => ((v - mean) / Math.sqrt(variance + 1e-6)) * w(`${name}.weight`, c) + w(`${name}.bias`, c),
    );
  };
  const linear = (name: string, place: number[], width: number): number[] =>
    Array.from({ length: width }, (_, o) =>
      place.reduce((sum, v, c) => sum + v * w(`${name}.weight`, o * place.length + c), w(`${name}.bias`, o)),
    );
  const each = (maps: Maps, change: (place: number[]) => number[]): Maps =>
    maps.map((row) => row.map(change));
  for (const [i, embedding] of embeddings.entries()) {
    let x = each(patches(picture(pixels, i), 4, 'channel last'), (place) =>
      norm('image.stem.norm', linear('image.stem', place, 4)),
    );
    for (const [stage, width] of next.widths.entries()) {
      const name = `image.stages.${stage}`;
      if (stage > 0) {
        const normed = each(x, (place) => norm(`${name}.downsample.norm`, place));
        x = each(patches(normed, 2, 'channel last'), (place) => linear(`${name}.downsample`, place, width));
      }
      const block = `${name}.0`;
      const seen = convolve(x, width, 3, (o, c, a, b) =>
        o === c ? w(`${block}.depthwise.weight`, (o * 3 + a) * 3 + b) : 0,
      );
      x = x.map((row, y) =>
        row.map((place, z) => {
          const around = seen[y]![z]!.map((v, c) => v + w(`${block}.depthwise.bias`, c));
          const hidden = linear(`${block}.mlp.up`, norm(`${block}.norm`, around), 4 * width).map(
            (v) => 0.5 * v * (1 + erf(v / Math.SQRT2)),
          );
          return linear(`${block}.mlp.down`, hidden, width).map(
            (v, c) => place[c]! + v * w(`${block}.scale`, c),
          );
        }),
      );
    }
    expectNear(embedding, project(w, norm('image.norm_after', average(x))));
  }
});

test('a net of basic blocks takes the statistics of its batch where it is asked to', () => {
  const pixels = input('pixels', [3, 3, side, side]);
  const reported: string[] = [];
  const value = basicResNet(resNet, pixels, { onStatistics: () => (name) => reported.push(name) });
  const names = parametersOf([value]).map((node) => node.attributes.name);
  expect(names.filter((name) => name.includes('running'))).toEqual([]);
  expect(new Set(reported).size).toBe(2 * (1 + 1 + 2 * 3));
});

const pass: Watch = (name, value) => (name === 'image.stages.1.1' ? multiply(value, 0) : value);
test.each<[string, (pixels: Value, blocks: 1 | 2, branch?: Watch) => Value]>([
  [
    'basic blocks',
    (pixels, blocks, branch) =>
      imageEncoder({ image: { ...resNet, blocks: [1, blocks] }, embeddingSize }, pixels, { branch }),
  ],
  [
    'CLIP’s bottlenecks',
    (pixels, blocks, branch) =>
      modifiedResNet(
        { kind: 'resnet', imageSize: 32, width: 4, layers: [1, blocks, 1, 1], heads: 2 },
        embeddingSize,
        pixels,
        { branch },
      ),
  ],
])('a net of %s whose picture passes by a branch is the net without its block', (_, tower) => {
  const pixels = input('pixels', [1, 3, 32, 32]);
  const [full, passing, shorter] = [tower(pixels, 2), tower(pixels, 2, pass), tower(pixels, 1)];
  const random = randomNumbers(7);
  const feeds: Record<string, Doubles> = {
    pixels: { shape: [1, 3, 32, 32], data: Float64Array.from({ length: 3 * 32 * 32 }, () => random() - 0.5) },
  };
  for (const { attributes } of parametersOf([full])) {
    const { name, shape } = attributes;
    // Gains that begin at zero would hide the branches.
    const data = Float64Array.from(initialValues(attributes, 3), (number) =>
      shape.length === 1 ? number + 0.5 * random() : number,
    );
    feeds[name] = { shape: [...shape], data };
  }
  const [whole, passed, short] = evaluate([full, passing, shorter], feeds).map(({ data }) =>
    Array.from(data, Number),
  );
  expectNear(passed!, short!);
  expect(Math.max(...whole!.map((number, i) => Math.abs(number - short![i]!)))).toBeGreaterThan(1e-3);
});

type Weight = (name: string, at: number) => number;

function reader(weights: ReadonlyMap<string, Doubles>): Weight {
  return (name, at) => {
    const number = weights.get(name)?.data[at];
    if (number === undefined) throw new Error(`there is no ${name}[${at}]`);
    return Number(number);
  };
}

function picture(pixels: readonly number[], i: number): Maps {
  const at = (c: number, y: number, x: number): number => pixels[((i * 3 + c) * side + y) * side + x]!;
  return Array.from({ length: side }, (_, y) =>
    Array.from({ length: side }, (_, x) => [0, 1, 2].map((c) => at(c, y, x))),
  );
}

function patches(maps: Maps, patch: number, order: 'channel first' | 'channel last'): Maps {
  const channels = maps[0]![0]!.length;
  const count = maps.length / patch;
  return Array.from({ length: count }, (_, y) =>
    Array.from({ length: count }, (_, x) => {
      const numbers: number[] = [];
      const take = (c: number, a: number, b: number): number =>
        numbers.push(maps[y * patch + a]![x * patch + b]![c]!);
      for (let i = 0; i < channels * patch * patch; i++) {
        if (order === 'channel first')
          take(Math.floor(i / patch ** 2), Math.floor(i / patch) % patch, i % patch);
        else take(i % channels, Math.floor(i / channels / patch), Math.floor(i / channels) % patch);
      }
      return numbers;
    }),
  );
}

/** A square kernel in the middle of its window; zeros around the map. */
function convolve(
  maps: Maps,
  width: number,
  kernel: number,
  weight: (o: number, c: number, a: number, b: number) => number,
): Maps {
  const margin = (kernel - 1) / 2;
  return maps.map((row, y) =>
    row.map((_, x) =>
      Array.from({ length: width }, (_, o) => {
        let sum = 0;
        for (let a = 0; a < kernel; a++) {
          for (let b = 0; b < kernel; b++) {
            maps[y + a - margin]?.[x + b - margin]?.forEach((v, c) => {
              sum += v * weight(o, c, a, b);
            });
          }
        }
        return sum;
      }),
    ),
  );
}

function average(maps: Maps): number[] {
  const places = maps.flat();
  return places[0]!.map((_, c) => places.reduce((sum, place) => sum + place[c]!, 0) / places.length);
}

function project(w: Weight, pooled: number[]): number[] {
  return Array.from({ length: embeddingSize }, (_, o) =>
    pooled.reduce((sum, v, c) => sum + v * w('image.projection.weight', o * pooled.length + c), 0),
  );
}

/** The error function by its series, enough terms for numbers as small as these. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

function expectNear(actual: readonly number[], expected: readonly number[]): void {
  const largest = Math.max(...expected.map(Math.abs));
  expect(largest).toBeGreaterThan(1e-3);
  for (const [i, number] of expected.entries())
    expect(Math.abs(actual[i]! - number)).toBeLessThan(1e-6 * largest);
}
