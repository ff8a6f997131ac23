/** A CLIP of some thousand parameters, made-up batches for it, and steps of its training. */
import type { Engine, RuntimeTensor } from '../../../src/engine/engine.ts';
import { initialValues, randomNumbers } from '../../../src/graph/initialise.ts';
import { elementCount } from '../../../src/graph/tensor.ts';
import type { ClipArchitecture, EfficientNetArchitecture } from '../../../src/models/architecture.ts';
import { cachedClasses } from '../../../src/train/step/objective.ts';
import { type OpenStep, type OpenStepOptions, openStep } from '../../../src/train/step/open-step.ts';
import type { Tensors } from '../../../src/train/step/program.ts';

const tower = {
  width: 16,
  layers: 2,
  heads: 2,
  mlpWidth: 32,
  activation: 'quick_gelu',
  normEpsilon: 1e-5,
} as const;

export const toy: ClipArchitecture = {
  embeddingSize: 8,
  probability: 'softmax',
  logitBias: false,
  image: {
    ...tower,
    kind: 'vit',
    imageSize: 8,
    patchSize: 2,
    patchBias: false,
    classToken: true,
    normBefore: true,
    normAfter: 'pooled',
    pool: { kind: 'class' },
    projection: 'linear',
  },
  text: {
    ...tower,
    layers: 1,
    contextLength: 4,
    vocabularySize: 12,
    causal: true,
    positions: 'learned',
    pool: { kind: 'end', endToken: 'highest' },
    projection: 'linear',
  },
};

/** An EfficientNet for it, of one block and so many features. */
export const toyEfficientNet = (
  headWidth: number,
  upper: Pick<EfficientNetArchitecture, 'pool' | 'projection'>,
): EfficientNetArchitecture => ({
  kind: 'efficientnet',
  imageSize: 16,
  stemWidth: 8,
  stages: [{ kernelSize: 3, stride: 2, expansion: 2, width: 8, blocks: 1 }],
  headWidth,
  activation: 'relu6',
  normEpsilon: 1e-3,
  ...upper,
});

/** Numbers between −1 and 1. */
export function floats(random: () => number, ...shape: number[]): RuntimeTensor {
  const data = Float32Array.from({ length: elementCount(shape) }, () => 2 * random() - 1);
  return { type: 'float32', data, shape };
}

/** Each kind of noise alone, for a `regularisation`. */
export const kindsOfNoise = [
  ['patches', { patchDropout: 0.5 }],
  ['branches of the image tower', { stochasticDepth: { image: 0.5 } }],
  ['branches of the text tower', { stochasticDepth: { text: 0.5 } }],
] as const;

export const sizes = { features: 5, classes: 3, sentenceWidth: 6 } as const;

/** Sentences without pictures in a step. */
export const sentenceCount = 5;

/** Pairs of sentences in two languages in a step. */
export const translationCount = 4;

/** Everything that any part of a loss may read, for n pairs. */
export function toyBatch(n: number, seed: number): Tensors {
  const random = randomNumbers(seed);
  const sentences = (rows: number): RuntimeTensor => {
    const data = BigInt64Array.from({ length: rows * 4 }, (_, at) =>
      at % 4 === 3 ? 11n : BigInt(Math.floor(random() * 10)),
    );
    return { type: 'int64', data, shape: [rows, 4] };
  };
  // Pairs of neighbours may belong together, both ways.
  const targets = new Float32Array(n * n);
  for (let row = 0; row < n; row += 2) {
    const share = row + 1 < n && random() < 0.5 ? 0.5 : 0;
    for (const [a, b] of [
      [row, row + 1],
      [row + 1, row],
    ] as const) {
      if (a >= n) continue;
      targets[a * n + a] = 1 - share;
      if (share > 0) targets[a * n + b] = share;
    }
  }
  const classTargets = new Float32Array(n * sizes.classes);
  for (let row = 0; row < n; row++) classTargets[row * sizes.classes + (row % sizes.classes)] = 1;
  return {
    pixels: floats(random, n, 3, 8, 8),
    tokens: sentences(n),
    targets: { type: 'float32', data: targets, shape: [n, n] },
    features: unitRows(floats(random, n, sizes.features)),
    text_features: unitRows(floats(random, n, sizes.features)),
    class_targets: { type: 'float32', data: classTargets, shape: [n, sizes.classes] },
    class_tokens: sentences(sizes.classes),
    sentence_tokens: sentences(sentenceCount),
    sentence_vectors: unitRows(floats(random, sentenceCount, sizes.sentenceWidth)),
    translation_tokens: sentences(2 * translationCount),
    // The first and the third say the same.
    translation_targets: {
      type: 'float32',
      data: Float32Array.of(0.5, 0, 0.5, 0, 0, 1, 0, 0, 0.5, 0, 0.5, 0, 0, 0, 0, 1),
      shape: [translationCount, translationCount],
    },
  };
}

function unitRows({ type, data, shape }: RuntimeTensor): RuntimeTensor {
  const width = shape[1]!;
  const rows = data as Float32Array;
  const unit = rows.map((value, at) => {
    const start = at - (at % width);
    return value / Math.hypot(...rows.subarray(start, start + width));
  });
  return { type, data: unit, shape };
}

/** First values of the parameters, moments of zero, averages at their parameter. */
export function firstState({ parameters, stateNames }: OpenStep, seed = 1): Tensors {
  const state: Tensors = {};
  for (const name of stateNames) {
    const [, kind, of] = /^(mean|square|ema):(.*)$/.exec(name) ?? [];
    const { shape, initialiser } = parameters.find((parameter) => parameter.name === (of ?? name))!;
    const data =
      kind === 'mean' || kind === 'square'
        ? new Float32Array(elementCount(shape))
        : initialValues({ name: of ?? name, shape: [...shape], initialiser }, seed);
    state[name] = { type: 'float32', data, shape };
  }
  // Whoever trains embeds the words of classes; here any unit vectors will do.
  const cached = state[cachedClasses];
  if (cached !== undefined) {
    const random = randomNumbers(seed);
    const data = Float32Array.from({ length: cached.data.length }, () => random() - 0.5);
    state[cachedClasses] = unitRows({ ...cached, data });
  }
  return state;
}

export interface Trained {
  step: OpenStep;
  /** What each step told. */
  told: Tensors[];
  /** The state after the last step. */
  state: Tensors;
}

/** Opens a step, begins at its first state, and takes some steps with made-up batches. */
export async function trainToy(
  engine: Engine,
  options: Partial<OpenStepOptions> & { batch: number },
  {
    architecture = toy,
    steps = 1,
    seed = 1,
    learningRate = 0.01,
  }: { architecture?: ClipArchitecture; steps?: number; seed?: number; learningRate?: number } = {},
): Promise<Trained> {
  const step = await openStep(engine, architecture, { ...sizes, ...options });
  await step.setState(firstState(step));
  const told: Tensors[] = [];
  for (let at = 1; at <= steps; at++) {
    told.push(await step.run(toyBatch(options.batch, seed + at), { step: at, learningRate, seed }));
  }
  return { step, told, state: await step.getState() };
}

export function number(tensors: Tensors | undefined, name: string): number {
  return Number(tensors?.[name]?.data[0] ?? Number.NaN);
}

/** The largest difference between the same tensors of two sets, each relative to its largest number (or `floor`). */
export function largestDifference(a: Tensors, b: Tensors, names: Iterable<string>, floor = 1): number {
  let worst = 0;
  for (const name of names) {
    const one = a[name]?.data as Float32Array | undefined;
    const other = b[name]?.data as Float32Array | undefined;
    if (one === undefined || other === undefined || one.length !== other.length) return Number.NaN;
    const scale = one.reduce((largest, value) => Math.max(largest, Math.abs(value)), floor);
    one.forEach((value, i) => {
      const difference = Math.abs(value - other[i]!) / scale;
      if (!(difference <= worst)) worst = difference;
    });
  }
  return worst;
}
