/** Multi-head scaled dot-product attention (Vaswani et al. 2017, section 3.2) and what its relatives do besides. */
import { normalize } from '../../graph/derived.ts';
import { type Dimension, multiply as times } from '../../graph/dimension.ts';
import { type Initialiser, normal, ones } from '../../graph/initialise.ts';
import {
  add,
  exp,
  matmul,
  minimum,
  multiply,
  parameter,
  reshape,
  softmax,
  transpose,
  transposeMatrix,
} from '../../graph/operations.ts';
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
  width?: number | undefined;
  /** Width of the result. @default the width inside */
  outputWidth?: number;
  /** Added to the scores before the softmax; fits [n, heads, queries, keys]. */
  mask?: Value | undefined;
  /** Which maps have biases. @default 'all' */
  biases?: 'all' | 'no_keys' | 'output' | 'none' | undefined;
  /** What queries and keys are compared by. @default their product by the root of the heads' width */
  scores?: 'cosine' | 'unscaled' | undefined;
  /** A learned factor for each head. @default false */
  headScale?: boolean | undefined;
  /** Applied, under its name, to queries and keys of each head, [n, heads, tokens, headWidth]. */
  normQueriesKeys?: ((name: string, x: Value) => Value) | undefined;
  /** Applied, under its name, to the heads side by side, [n · queries, width]. */
  normHeads?: ((name: string, x: Value) => Value) | undefined;
  /** Turns queries and keys by their places, [n, heads, tokens, headWidth]. */
  rotate?: ((x: Value) => Value) | undefined;
  /** First values of the output's weights. */
  outputInitialiser?: Initialiser;
  /** Receives the attention weights [n, heads, queries, keys], as explanations want them. */
  watch?: ((weights: Value) => Value) | undefined;
}

/** What the factor of cosines grows up to (Liu et al. 2022, Swin V2). */
const largestCosineFactor = 100;

/** softmax(QKᵀ/√d + mask)·V of each head, joined by a linear map: [n · queries, outputWidth]. */
export function attention(name: string, queries: Tokens, keys: Tokens, options: AttentionOptions): Tokens {
  const { heads, mask, biases = 'all', rotate = (x) => x, watch = (weights) => weights } = options;
  const { normQueriesKeys = (_, x) => x, normHeads = (_, x) => x } = options;
  const width = options.width ?? Number(queries.value.shape[1]);
  const headWidth = width / heads;
  /** [n · tokens, width] → [n, heads, tokens, headWidth] */
  const split = ({ batch, length }: Tokens, value: Value): Value =>
    transpose(reshape(value, [batch, length, heads, headWidth]), [0, 2, 1, 3]);
  const mapped = (part: 'query' | 'key' | 'value', tokens: Tokens): Value => {
    const bias = biases === 'all' || (biases === 'no_keys' && part !== 'key');
    return split(tokens, linearLayer(`${name}.${part}`, tokens.value, width, { bias }));
  };

  const q = rotate(normQueriesKeys(`${name}.norm_query`, mapped('query', queries)));
  const k = rotate(normQueriesKeys(`${name}.norm_key`, mapped('key', keys)));
  const v = mapped('value', keys);

  const scores = scored(name, q, k, options.scores); // [n, heads, queries, keys]
  const weights = watch(softmax(mask === undefined ? scores : add(scores, mask)));
  const mixed = matmul(weights, v); // [n, heads, queries, headWidth]
  const scaled = options.headScale ? multiply(mixed, headFactors(`${name}.head_scale`, heads, ones)) : mixed;
  const rows = [times(keys.batch, queries.length), width];
  const joined = normHeads(`${name}.norm`, reshape(transpose(scaled, [0, 2, 1, 3]), rows));
  const output = linearLayer(`${name}.output`, joined, options.outputWidth ?? width, {
    bias: biases !== 'none',
    initialiser: options.outputInitialiser ?? normal(width ** -0.5),
  });
  return { value: output, batch: keys.batch, length: queries.length };
}

function scored(name: string, q: Value, k: Value, kind: AttentionOptions['scores']): Value {
  if (kind === 'cosine') {
    const begun = { kind: 'constant', value: Math.log(10) } as const;
    const factor = exp(
      minimum(headFactors(`${name}.logit_scale`, Number(q.shape[1]), begun), Math.log(largestCosineFactor)),
    );
    return multiply(matmul(normalize(q), transposeMatrix(normalize(k))), factor);
  }
  const products = matmul(q, transposeMatrix(k));
  return kind === 'unscaled' ? products : multiply(products, Number(q.shape[3]) ** -0.5);
}

/** A learned number for each head, [heads, 1, 1]. */
function headFactors(name: string, heads: number, initialiser: Initialiser): Value {
  return reshape(parameter(name, [heads], initialiser), [heads, 1, 1]);
}
