/** The linear probe: what a plain classifier can read from embeddings (Radford et al. 2021, section 3.2). */
import type { Embeddings } from '../clip/embeddings.ts';
import { EidosError } from '../errors.ts';
import { minimise } from './minimise.ts';

export interface LinearProbeOptions {
  /**
   * How much a wrong answer counts beside the size of the weights, as scikit-learn's `C`: the sum of cross-entropies is
   * multiplied by it. @default 1
   */
  c?: number;
  /** See minimise. @default 1e-6 */
  tolerance?: number;
}

/** Weights of a classifier. */
export interface LinearProbe {
  /** [classes, width] */
  weights: Float64Array;
  /** [classes] */
  biases: Float64Array;
  classes: number;
  width: number;
}

/**
 * Fits multinomial logistic regression: the least of ½‖W‖² + C · Σ cross-entropy; the biases are free.
 * @param features [n, width]
 * @param labels the class of each row, below `classes`
 * @throws EidosError `invalid_option` where rows and labels do not fit each other, or `c` is not above zero
 */
export function fitLinearProbe(
  features: Embeddings,
  labels: ArrayLike<number>,
  classes: number,
  { c = 1, tolerance = 1e-6 }: LinearProbeOptions = {},
): LinearProbe {
  const [n, width] = features.shape as [number, number];
  const known = Array.from(labels).every((label) => Number.isInteger(label) && label >= 0 && label < classes);
  if (labels.length !== n || n === 0 || !known) {
    throw new EidosError(
      'invalid_option',
      `A linear probe learns from ${n} rows with as many labels below ${classes}, not with these ${labels.length}.`,
    );
  }
  if (!(c > 0)) throw new EidosError('invalid_option', `The linear probe's c is ${c}, but is above zero.`);
  const split = (numbers: Float64Array): LinearProbe => ({
    weights: numbers.subarray(0, classes * width),
    biases: numbers.subarray(classes * width),
    classes,
    width,
  });
  const row = new Float64Array(classes);
  const solution = minimise(
    (point, gradient) => {
      const probe = split(point);
      const slope = split(gradient);
      slope.biases.fill(0);
      let value = 0;
      for (let i = 0; i < probe.weights.length; i++) {
        slope.weights[i] = probe.weights[i]!;
        value += 0.5 * probe.weights[i]! ** 2;
      }
      for (let at = 0; at < n; at++) {
        writeProbabilities(probe, features.data, at, row);
        value -= c * Math.log(Math.max(row[labels[at]!]!, 1e-300));
        for (let k = 0; k < classes; k++) {
          const error = c * (row[k]! - (k === labels[at] ? 1 : 0));
          slope.biases[k]! += error;
          for (let j = 0; j < width; j++)
            slope.weights[k * width + j]! += error * features.data[at * width + j]!;
        }
      }
      return value;
    },
    new Float64Array(classes * (width + 1)),
    { tolerance },
  );
  return split(solution);
}

/** The probability of each class for each row, [n, classes]. */
export function probeProbabilities(probe: LinearProbe, features: Embeddings): Float64Array {
  const n = features.shape[0]!;
  const result = new Float64Array(n * probe.classes);
  for (let at = 0; at < n; at++) {
    writeProbabilities(
      probe,
      features.data,
      at,
      result.subarray(at * probe.classes, (at + 1) * probe.classes),
    );
  }
  return result;
}

/** softmax(W·x + b) of one row. */
function writeProbabilities(
  { weights, biases, classes, width }: LinearProbe,
  data: ArrayLike<number>,
  at: number,
  target: Float64Array,
): void {
  let most = -Infinity;
  for (let k = 0; k < classes; k++) {
    let logit = biases[k]!;
    for (let j = 0; j < width; j++) logit += weights[k * width + j]! * data[at * width + j]!;
    target[k] = logit;
    most = Math.max(most, logit);
  }
  let sum = 0;
  for (let k = 0; k < classes; k++) {
    target[k] = Math.exp(target[k]! - most);
    sum += target[k]!;
  }
  for (let k = 0; k < classes; k++) target[k]! /= sum;
}
