/** What contrastive training minimises, over the n pairs of a batch. */
import {
  add,
  constant,
  gemm,
  logSoftmax,
  multiply,
  negate,
  reduceSum,
  softplus,
  transpose,
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

/** −Σ log σ(±logit) / n, plus for matching pairs (Zhai et al. 2023, algorithm 1). */
export function sigmoidLoss(logits: Value): Value {
  const n = Number(logits.shape[0]);
  const signs = constant(
    identity(n).map((one) => 2 * one - 1),
    [n, n],
  );
  // −log σ(z) = log(1 + e^−z)
  return multiply(reduceSum(softplus(negate(multiply(logits, signs))), [0, 1]), 1 / n);
}

/** Mean cross-entropy of logits [n, classes] against target probabilities of the same shape. */
export function crossEntropy(logits: Value, targets: Value): Value {
  const n = Number(logits.shape[0]);
  return multiply(reduceSum(multiply(logSoftmax(logits), targets), [0, 1]), -1 / n);
}

function identity(n: number): Float32Array {
  return Float32Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0));
}
