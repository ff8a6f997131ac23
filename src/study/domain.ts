/** Whether pictures are of a domain that some dozens of pictures show: how far they lie from these, and how rarely that is so. */
import { openWeights, readTensor, writeSafetensors } from '../checkpoint/index.ts';
import type { Clip } from '../clip/clip.ts';
import { loadClip } from '../clip/load.ts';
import { EidosError } from '../errors.ts';
import type { ImageSources } from '../image/source.ts';

/** A picture beside the domain. */
export type DomainJudgement =
  | {
      image: string;
      /** Share of the domain's own pictures that lie as far from the others as this one, or farther. */
      p: number;
      /** 1 less the mean cosine with the nearest pictures of the domain; larger is farther. */
      distance: number;
      /** Whether p is at least the share of own pictures that may be flagged. */
      inside: boolean;
      distances: {
        nearest: number;
        /** In the domain's own directions, whose spread is shrunk towards that of all (Mahalanobis 1936). */
        mahalanobis: number;
      };
    }
  | { image: string; error: EidosError };

export interface Domain {
  /** The model whose space it lies in. */
  readonly model: string;
  /** Pictures that were learned from. */
  readonly size: number;
  /** One answer a picture, in order. */
  judge(images: ImageSources, options?: { falseAlarms?: number }): AsyncIterable<DomainJudgement>;
  /** Writes one `.safetensors` file. */
  save(file: string): Promise<void>;
  /** Closes the model where `loadDomain` opened it. */
  close(): Promise<void>;
}

/** Nearest pictures that count: few, so that a domain may have several clusters. */
const neighbours = 5;
const fewest = 10;
/** Of own pictures, so many are flagged. */
const usualFalseAlarms = 0.05;
/** How much of the spread is taken to be the same in all directions. */
const shrinkage = 0.3;

/**
 * @param images of the domain, a few dozen; no labels
 * @throws EidosError `invalid_option` for fewer than ten, and what reading fails with
 */
export async function learnDomain(clip: Clip, images: ImageSources): Promise<Domain> {
  const { data, shape } = await clip.embedImages(images);
  return createDomain(clip, data, shape[0]!, async () => {});
}

/**
 * @param options.clip the model, where it is open already; its space has to be the one that the domain was learned in
 * @throws EidosError `not_found`, `invalid_checkpoint` for what is no domain, `config_mismatch` for another model
 */
export async function loadDomain(file: string, { clip }: { clip?: Clip } = {}): Promise<Domain> {
  const { tensors, metadata } = await openWeights(file);
  const stored = tensors.get('domain.embeddings');
  const { model, fingerprint } = metadata ?? {};
  if (stored === undefined || stored.shape.length !== 2 || model === undefined || fingerprint === undefined) {
    throw new EidosError('invalid_checkpoint', `${file} is no domain: \`eidos domain learn\` makes one.`);
  }
  const data = await readTensor(stored);
  const opened = clip ?? (await loadClip(model));
  const close = clip === undefined ? () => opened.close() : async () => {};
  if (opened.config.fingerprint !== fingerprint || stored.shape[1] !== opened.embeddingSize) {
    await close();
    throw new EidosError(
      'config_mismatch',
      `${file} was learned with ${model}, whose weights are not those of ${opened.config.model}: learn it anew with this model.`,
    );
  }
  return createDomain(opened, data, stored.shape[0]!, close);
}

function createDomain(clip: Clip, own: Float32Array, size: number, close: () => Promise<void>): Domain {
  if (size < fewest) {
    throw new EidosError(
      'invalid_option',
      `A domain is learned from ${fewest} pictures at least, a few dozen are better; these are ${size}.`,
    );
  }
  const width = clip.embeddingSize;
  const row = (at: number): Float32Array => own.subarray(at * width, (at + 1) * width);
  const distanceOf = (vector: Float32Array, leftOut?: number): number => {
    const all = clip.similarity(
      { data: vector, shape: [1, width] },
      { data: own, shape: [size, width] },
    ).data;
    const cosines = Array.from(all)
      .filter((_, at) => at !== leftOut)
      .sort((a, b) => b - a);
    const nearest = cosines.slice(0, neighbours);
    return 1 - nearest.reduce((sum, one) => sum + one, 0) / nearest.length;
  };
  // How far each of the domain's own pictures lies from the others.
  const usual = Array.from({ length: size }, (_, at) => distanceOf(row(at), at));
  const mahalanobis = spread(own, size, width);
  return {
    model: clip.config.model,
    size,
    async *judge(images, { falseAlarms = usualFalseAlarms } = {}) {
      if (!(falseAlarms > 0 && falseAlarms < 1)) {
        throw new EidosError(
          'invalid_option',
          `falseAlarms is ${falseAlarms}: it is a share between 0 and 1.`,
        );
      }
      for await (const { embeddings, items } of clip.embedImageStream(images)) {
        for (const item of items) {
          if ('error' in item) {
            yield { image: item.label, error: item.error };
            continue;
          }
          const vector = embeddings.data.subarray(item.row * width, (item.row + 1) * width);
          const distance = distanceOf(vector);
          // The picture itself counts as one of those that lie so far (Vovk et al. 2005): p is never 0.
          const farther = usual.filter((one) => one >= distance).length;
          const p = (farther + 1) / (size + 1);
          yield {
            image: item.label,
            p,
            distance,
            inside: p > falseAlarms,
            distances: { nearest: distance, mahalanobis: mahalanobis(vector) },
          };
        }
      }
    },
    async save(file) {
      await writeSafetensors(
        file,
        [{ name: 'domain.embeddings', type: 'float32', shape: [size, width], data: own }],
        { model: clip.config.model, fingerprint: clip.config.fingerprint },
      );
    },
    close,
  };
}

/**
 * The distance from the mean in units of spread. With S of rank below n, Σ = (1 − λ)·S + λ·σ²·I is inverted over the n
 * pictures alone (Woodbury).
 */
function spread(own: Float32Array, size: number, width: number): (vector: Float32Array) => number {
  const mean = new Float64Array(width);
  for (let at = 0; at < own.length; at++) mean[at % width]! += own[at]! / size;
  const centred = Array.from({ length: size }, (_, at) =>
    Float64Array.from(own.subarray(at * width, (at + 1) * width), (value, i) => value - mean[i]!),
  );
  const total = centred.reduce((sum, one) => sum + dot(one, one), 0) / (size - 1);
  const floor = (shrinkage * total) / width || 1e-12;
  const factor = (1 - shrinkage) / (size - 1);
  // (floor·I + factor·XᵀX)⁻¹ = (I − Xᵀ(floor/factor·I + XXᵀ)⁻¹X) / floor
  const gram = centred.map((a, i) =>
    Float64Array.from(centred, (b, j) => dot(a, b) + (i === j ? floor / factor : 0)),
  );
  const solve = choleskySolver(gram);
  return (vector) => {
    const from = Float64Array.from(vector, (value, i) => value - mean[i]!);
    const shares = Float64Array.from(centred, (one) => dot(one, from));
    const solved = solve(shares);
    return Math.sqrt(Math.max(0, (dot(from, from) - dot(shares, solved)) / floor));
  };
}

/** Solves A·x = b for a positive definite A, by its triangular root. */
function choleskySolver(matrix: readonly Float64Array[]): (right: Float64Array) => Float64Array {
  const n = matrix.length;
  const lower = matrix.map((line) => Float64Array.from(line));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = lower[i]![j]!;
      for (let k = 0; k < j; k++) sum -= lower[i]![k]! * lower[j]![k]!;
      lower[i]![j] = i === j ? Math.sqrt(Math.max(sum, 1e-30)) : sum / lower[j]![j]!;
    }
  }
  return (right) => {
    const x = Float64Array.from(right);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) x[i]! -= lower[i]![k]! * x[k]!;
      x[i]! /= lower[i]![i]!;
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) x[i]! -= lower[k]![i]! * x[k]!;
      x[i]! /= lower[i]![i]!;
    }
    return x;
  };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
