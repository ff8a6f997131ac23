/** Multi-head scaled dot-product attention (Vaswani et al. 2017, section 3.2). */
import { type Dimension, multiply as times } from '../../graph/dimension.ts';
import { type Initialiser, normal } from '../../graph/initialise.ts';
import { add, matmul, multiply, reshape, softmax, transpose } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import { linearLayer } from './linear.ts';

/** Tokens of a batch as one matrix, [n · length, width]; with batch 1 they are shared by all pictures. */
export interface Tokens {
  value: Value;
  batch: Dimension;
  length: number;
}

export interface AttentionOptions {
  heads: number;
  /** Width inside the heads together. @default the width of the queries */
  width?: number;
  /** Width of the result. @default the width inside */
  outputWidth?: number;
  /** Added to the scores before the softmax; fits [n, heads, queries, keys]. */
  mask?: Value | undefined;
  /** First values of the output's weights. */
  outputInitialiser?: Initialiser;
  /** Receives the attention weights [n, heads, queries, keys], as explanations want them. */
  watch?: ((weights: Value) => Value) | undefined;
}

/** softmax(QKᵀ/√d + mask)·V of each head, joined by a linear map: [n · queries, outputWidth]. */
export function attention(name: string, queries: Tokens, keys: Tokens, options: AttentionOptions): Tokens {
  const { heads, mask, watch = (weights) => weights } = options;
  const width = options.width ?? Number(queries.value.shape[1]);
  const headWidth = width / heads;
  const split = ({ batch, length }: Tokens, value: Value, order: readonly number[]): Value =>
    transpose(reshape(value, [batch, length, heads, headWidth]), order);

  const query = linearLayer(`${name}.query`, queries.value, width);
  const key = linearLayer(`${name}.key`, keys.value, width);
  const value = linearLayer(`${name}.value`, keys.value, width);
  const q = split(queries, query, [0, 2, 1, 3]); // [n, heads, queries, headWidth]
  const k = split(keys, key, [0, 2, 3, 1]); // [n, heads, headWidth, keys]
  const v = split(keys, value, [0, 2, 1, 3]); // [n, heads, keys, headWidth]

  const scores = multiply(matmul(q, k), headWidth ** -0.5); // [n, heads, queries, keys]
  const weights = watch(softmax(mask === undefined ? scores : add(scores, mask)));
  const mixed = transpose(matmul(weights, v), [0, 2, 1, 3]); // [n, queries, heads, headWidth]
  const joined = reshape(mixed, [times(keys.batch, queries.length), width]);
  const output = linearLayer(`${name}.output`, joined, options.outputWidth ?? width, {
    initialiser: options.outputInitialiser ?? normal(width ** -0.5),
  });
  return { value: output, batch: keys.batch, length: queries.length };
}
