/** What contrastive training minimises, over the n pairs of a batch. */
import {
  add,
  constant,
  divide,
  gemm,
  greater,
  logSoftmax,
  maximum,
  multiply,
  negate,
  reduceSum,
  softmax,
  softplus,
  subtract,
  transpose,
  where,
} from '../graph/operations.ts';
import type { Value } from '../graph/value.ts';

/** scale · cosine + bias of every picture with every text, [images, texts]. */
export function similarityLogits(images: Value, texts: Value, scale: Value, bias?: Value): Value {
  const logits = multiply(gemm(images, texts, undefined, { transposeB: true }), scale);
  return bias === undefined ? logits : add(logits, bias);
}

/**
 * Symmetric cross-entropy (Radford et al. 2021, figure 3): the mean of −log softmax over the texts and over the
 * pictures at the matching pairs. `targets` [n, n] says which pairs match, each row and column summing to one;
 * without it picture i matches text i alone.
 */
export function contrastiveLoss(logits: Value, targets?: Value): Value {
  const n = Number(logits.shape[0]);
  const wanted = targets ?? constant(identity(n), [n, n]);
  const overTexts = reduceSum(multiply(logSoftmax(logits), wanted), [0, 1]);
  const overImages = reduceSum(
    multiply(logSoftmax(transpose(logits, [1, 0])), transpose(wanted, [1, 0])),
    [0, 1],
  );
  return multiply(add(overTexts, overImages), -1 / (2 * n));
}

/**
 * −Σ log σ(±logit) / n, plus for matching pairs (Zhai et al. 2023, algorithm 1). With `targets` [n, n] every pair whose
 * target is above zero matches; without them picture i matches text i alone.
 */
export function sigmoidLoss(logits: Value, targets?: Value): Value {
  const n = Number(logits.shape[0]);
  const matching = targets ?? constant(identity(n), [n, n]);
  const signs = where(greater(matching, 0), 1, -1);
  // −log σ(z) = log(1 + e^−z)
  return multiply(reduceSum(softplus(negate(multiply(logits, signs))), [0, 1]), 1 / n);
}

/** Mean cross-entropy of logits [n, classes] against target probabilities of the same shape. */
export function crossEntropy(logits: Value, targets: Value): Value {
  const n = Number(logits.shape[0]);
  return multiply(reduceSum(multiply(logSoftmax(logits), targets), [0, 1]), -1 / n);
}

/** The same where rows of `targets` may be zeros: the mean is over the other rows. */
export function partialCrossEntropy(logits: Value, targets: Value): Value {
  const known = maximum(reduceSum(targets, [0, 1]), 1);
  return divide(negate(reduceSum(multiply(logSoftmax(logits), targets), [0, 1])), known);
}

/**
 * 1 − mean cosine between foretold and wanted features [n, F], both with rows of unit length. A wanted row of zeros is
 * not known and does not count.
 */
export function featureLoss(foretold: Value, wanted: Value): Value {
  const agreement = reduceSum(multiply(foretold, wanted), [0, 1]);
  return subtract(1, divide(agreement, maximum(reduceSum(multiply(wanted, wanted), [0, 1]), 1)));
}

/**
 * Mean over the rows of Kullback and Leibler's divergence of softmax(student) from softmax(teacher), both [n, m]; what a
 * teacher's similarities teach a student's (Hinton et al. 2015). `counted` [n, 1] is 1 for rows that count, else 0.
 */
export function divergence(student: Value, teacher: Value, counted?: Value): Value {
  const n = Number(student.shape[0]);
  const wanted = softmax(teacher);
  const difference = subtract(logSoftmax(teacher), logSoftmax(student));
  const rows = multiply(wanted, difference); // [n, m]
  if (counted === undefined) return multiply(reduceSum(rows, [0, 1]), 1 / n);
  return divide(reduceSum(multiply(rows, counted), [0, 1]), maximum(reduceSum(counted, [0, 1]), 1));
}

function identity(n: number): Float32Array {
  return Float32Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0));
}
