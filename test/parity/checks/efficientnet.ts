/** EfficientNet-Lite beside its package: features, maps, logits, gradients of every parameter, batch norm in both modes. */
import { join } from 'node:path';
import { type ImageClassifier, isClip, openAnyCheckpoint } from '../../../src/checkpoint/index.ts';
import { efficientNetLite } from '../../../src/checkpoint/layouts/efficientnet-lite.ts';
import { compileGraph } from '../../../src/engine/compile.ts';
import { differentiate } from '../../../src/graph/differentiate.ts';
import { symbolic } from '../../../src/graph/dimension.ts';
import { constant, input, multiply, reduceSum } from '../../../src/graph/operations.ts';
import { elementCount } from '../../../src/graph/tensor.ts';
import { parametersOf, type Value } from '../../../src/graph/value.ts';
import { classifyFeatures, imageFeatures } from '../../../src/models/image/encoder.ts';
import { uniform, valuesOf, writeSmallLite } from '../../efficientnet-lite.ts';
import { largestDifference, type Numbers, once, type ParityCheck } from '../check.ts';
import { evaluate, floats, parityEngine } from '../engine.ts';
import { readFixtureJson, withFolder } from '../fixture-files.ts';

const folder = 'efficientnet-lite';
const file = `${folder}/reference.json`;

/** Up to twelve numbers as they are; of more, their norm and their product with numbers of the name. */
type Fingerprint = number[];
type Fingerprints = Record<string, Fingerprint>;

interface Pass {
  features: number[];
  logits: number[];
  maps: Fingerprints;
  gradients: Fingerprints;
  statistics?: Fingerprints;
}

interface Reference {
  pictures: number;
  side: number;
  otherSide: number;
  classes: number;
  otherFeatures: number[];
  evaluation: Pass;
  training: Required<Pass>;
}

const expected = once(async () => readFixtureJson<Reference>(file));

/** Opened as any file is, so that layout and strides are proved with it. */
async function withNet<T>(use: (net: ImageClassifier) => Promise<T>): Promise<T> {
  return withFolder({}, async (path) => {
    const weights = join(path, 'efficientnet-small.safetensors');
    await writeSmallLite(weights);
    const net = await openAnyCheckpoint(weights);
    if (isClip(net)) throw new Error('An image net was taken for a CLIP.');
    return use(net);
  });
}

function pixelsOf(pictures: number, side: number): Numbers {
  const shape = [pictures, 3, side, side];
  return { shape, data: valuesOf('pixels', shape) };
}

/** The features that users get: compiled for a batch of any size, with weights that the engine may fold. */
const featuresOf = (pictures: number, side: number): Promise<Numbers> =>
  withNet(async ({ architecture, parameters }) => {
    const image = { ...architecture.image, imageSize: side };
    const features = imageFeatures({ image }, input('pixels', [symbolic('n'), 3, side, side]));
    const session = await compileGraph(parityEngine(), { features }, parameters);
    try {
      const outputs = await session.run(
        { pixels: floats(pixelsOf(pictures, side)) },
        { fetches: ['features'] },
      );
      const { data, shape } = outputs.features!;
      return { data: data as Float32Array, shape };
    } finally {
      await session.release();
    }
  });

/** One batch forward and back, by the names of the package. */
const passOf = (batchStatistics: boolean) =>
  once(() =>
    withNet(async ({ architecture, parameters: weights }): Promise<Required<Pass>> => {
      const { pictures, side } = await expected();
      const results: Record<string, Value> = {};
      const pixels = input('pixels', [pictures, 3, side, side]);
      const features = imageFeatures(architecture, pixels, {
        watch: (name, value) => {
          results[`map:${name}`] = value;
          return value;
        },
        onStatistics: batchStatistics
          ? () => (name, next) => {
              results[`statistics:${name}`] = next;
            }
          : undefined,
      });
      const logits = classifyFeatures(features, architecture.classes);
      const factors = uniform('loss', elementCount(logits.shape as number[])).map((number) => 2 * number - 1);
      const weighted = multiply(logits, constant(Float32Array.from(factors), logits.shape as number[]));
      const trained = parametersOf([logits]).filter(({ attributes }) => attributes.trainable);
      const gradients = differentiate(
        reduceSum(weighted, [0, 1]),
        trained.map(({ outputs }) => outputs[0]!),
      );
      for (const [i, { attributes }] of trained.entries())
        results[`gradient:${attributes.name}`] = gradients[i]!;
      const found = await evaluate(
        { features, logits, ...results },
        { pixels: floats(pixelsOf(pictures, side)) },
        { weights },
      );
      const published = efficientNetLite.published(architecture);
      const named = (prefix: string, rename: (name: string) => string): Fingerprints =>
        Object.fromEntries(
          Object.entries(found)
            .filter(([name]) => name.startsWith(prefix))
            .map(([name, { data }]) => {
              const own = rename(name.slice(prefix.length));
              return [own, fingerprint(own, Array.from(data))];
            }),
        );
      const publish = (name: string): string => published.get(name)!.from;
      return {
        features: Array.from(found.features!.data),
        logits: Array.from(found.logits!.data),
        maps: named('map:', (name) => name),
        gradients: named('gradient:', publish),
        statistics: named('statistics:', publish),
      };
    }),
  );

function fingerprint(name: string, data: readonly number[]): Fingerprint {
  if (data.length <= 12) return [...data];
  const factors = uniform(name, data.length);
  return [
    Math.sqrt(data.reduce((sum, number) => sum + number ** 2, 0)),
    data.reduce((sum, number, i) => sum + number * (2 * factors[i]! - 1), 0),
  ];
}

/**
 * The largest difference, each divided by the largest number of its own fingerprint. Gradients that are zero but for
 * rounding (what a batch norm takes away again) are divided by a thousandth of the largest of all.
 */
function relativeDifference(actual: Fingerprints, wanted: Fingerprints): number {
  const missing = Object.keys(wanted).filter((name) => !(name in actual));
  if (missing.length > 0) return Number.POSITIVE_INFINITY;
  const size = (numbers: Fingerprint): number => Math.max(...numbers.map(Math.abs));
  const floor = Math.max(...Object.values(wanted).map(size)) / 1000;
  return Math.max(
    ...Object.entries(wanted).map(([name, numbers]) => {
      const difference = largestDifference(
        { data: actual[name]!, shape: [actual[name]!.length] },
        { data: numbers, shape: [numbers.length] },
      );
      return difference / Math.max(size(numbers), floor);
    }),
  );
}

function vector(data: readonly number[]): Numbers {
  return { data, shape: [data.length] };
}

const needs = [file];

function passChecks(mode: 'evaluation' | 'training'): ParityCheck[] {
  const pass = passOf(mode === 'training');
  const suffix = mode === 'training' ? ', batch norm in training mode' : '';
  const check = (
    what: string,
    tolerance: number,
    compare: (actual: Required<Pass>, wanted: Pass) => number,
    unit: ParityCheck['unit'] = 'absolute',
  ): ParityCheck => ({
    folder,
    what: what + suffix,
    tolerance,
    unit,
    needs,
    difference: async () => compare(await pass(), (await expected())[mode]),
  });
  return [
    check('logits', 2e-5, (actual, wanted) =>
      largestDifference(vector(actual.logits), vector(wanted.logits)),
    ),
    check(
      'maps after stem, stages and head',
      2e-5,
      (actual, wanted) => relativeDifference(actual.maps, wanted.maps),
      'relative',
    ),
    check(
      'gradients of every parameter',
      1e-4,
      (actual, wanted) => relativeDifference(actual.gradients, wanted.gradients),
      'relative',
    ),
  ];
}

export const efficientNetChecks: readonly ParityCheck[] = [
  {
    folder,
    what: 'features',
    tolerance: 2e-5,
    needs,
    difference: async () => {
      const { pictures, side, evaluation } = await expected();
      const { data } = await featuresOf(pictures, side);
      return largestDifference(vector(Array.from(data)), vector(evaluation.features));
    },
  },
  {
    folder,
    what: 'features of pictures of another side',
    tolerance: 2e-5,
    needs,
    difference: async () => {
      const { otherSide, otherFeatures } = await expected();
      const { data } = await featuresOf(1, otherSide);
      return largestDifference(vector(Array.from(data)), vector(otherFeatures));
    },
  },
  ...passChecks('evaluation'),
  ...passChecks('training'),
  {
    folder,
    what: 'running means and variances after a step',
    tolerance: 2e-5,
    needs,
    difference: async () => {
      const { statistics } = await passOf(true)();
      return relativeDifference(statistics, (await expected()).training.statistics);
    },
    unit: 'relative',
  },
];
