/** A deep averaging network over pieces of words and their n-grams (Iyyer et al. 2015, Kim 2014, Cer et al. 2018). */
import { multiply as times } from '../../graph/dimension.ts';
import { normal } from '../../graph/initialise.ts';
import {
  add,
  argMax,
  cast,
  concat,
  constant,
  divide,
  equal,
  gather,
  greater,
  matmul,
  maximum,
  multiply,
  pad,
  parameter,
  reduceSum,
  reshape,
  slice,
  sqrt,
  where,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { AveragingTextArchitecture } from '../architecture.ts';
import { activations, linearLayer, normLayer } from '../layers/linear.ts';
import { project } from '../layers/projection.ts';
import type { TowerHooks } from '../layers/transformer.ts';
import type { EndToken } from './sentence-end.ts';

/**
 * Token ids [n, length] → embeddings [n, embeddingSize], not normalised. The length is at most the context's.
 *
 * What stands up to the first end token counts as words, start and end token too, so that n-grams know what begins and
 * what ends a sentence; what follows has no influence. Pieces, and n-grams of each size, are summed and divided by the
 * root of their number, √words, so that neither a long nor a short sentence is louder.
 */
export function averagingText(
  architecture: AveragingTextArchitecture,
  embeddingSize: number,
  ids: Value,
  {
    watch = (_, value) => value,
    branch = (_, value) => value,
    dropout = (_, value) => value,
  }: TowerHooks = {},
): Value {
  const { vocabularySize, width, ngrams, hidden, layers, activation, normEpsilon, projection } = architecture;
  const { curve, inputScale, outputScale } = activations[activation];
  const n = ids.shape[0]!;
  const length = Number(ids.shape[1]);
  const scales = { scale: inputScale, biasScale: inputScale };

  const words = wordsOf(ids, architecture.endToken); // [n, length]
  const shares = divide(words, sqrt(reduceSum(words, [1], true))); // 1 / √words where there is a word
  const sum = (rows: Value, factor = 1): Value => {
    const numbers = rows.shape[rows.shape.length - 1]!;
    const weights = reshape(factor === 1 ? shares : multiply(shares, factor), [n, 1, length]);
    // A product with a row of weights sums and leaves out the padding in one pass.
    return reshape(matmul(weights, reshape(rows, [n, length, numbers])), [n, numbers]);
  };

  const table = parameter('text.token_embedding', [vocabularySize, width], normal(width ** -0.5));
  const pieces = multiply(gather(table, ids), reshape(words, [n, length, 1])); // [n, length, width]
  const neighbours = neighboursOf(pieces, Math.max(1, ...ngrams.map(({ size }) => size)));
  const sums = ngrams.map(({ size, width: numbers }) => {
    const unfolded = reshape(neighbours(size), [times(n, length), size * width]);
    const seen = linearLayer(`text.ngrams.${size}`, unfolded, numbers, {
      initialiser: normal((2 / (size * width)) ** 0.5),
      ...scales,
    });
    return sum(curve(seen), outputScale);
  });
  const pooled = watch('text.pool', concat([sum(pieces), ...sums], 1)); // [n, width + all widths of n-grams]

  let x = normLayer('text.norm_before', pooled, normEpsilon);
  for (let layer = 0; layer < layers; layer++) {
    const name = `text.blocks.${layer}`;
    const inner = curve(linearLayer(name, x, hidden, scales));
    const activated = dropout(name, outputScale === 1 ? inner : multiply(inner, outputScale));
    x = watch(`text.block.${layer}`, layer === 0 ? activated : add(x, branch(name, activated)));
  }
  return project('text', projection, x, embeddingSize);
}

/** 1 up to the first end token, 0 after it, [n, length]; a row without one is a sentence as a whole. */
function wordsOf(ids: Value, endToken: EndToken): Value {
  const [n, length] = [ids.shape[0]!, Number(ids.shape[1])];
  const places = constant(BigInt64Array.from({ length }, (_, place) => BigInt(place)));
  const last = reshape(argMax(endToken === 'highest' ? ids : marks(endToken), 1), [n, 1]);
  return where(greater(places, last), 0, 1);

  /** 1 where an end token stands, and less at the last place, which is the largest where there is none. */
  function marks(end: number): Value {
    const found = cast(equal(ids, constant(BigInt64Array.of(BigInt(end)), [])), 'float32');
    return maximum(
      found,
      constant(Float32Array.from({ length }, (_, place) => (place === length - 1 ? 0.5 : 0))),
    );
  }
}

/**
 * Takes rows [n, length, width] apart for n-grams: of a size → [n, length, size · width], at each place what stands there
 * and around it, zeros beyond the ends. Of an odd number the place is the middle one, of an even one it is left of the
 * middle. Rows moved by the same way are shared by all sizes.
 */
function neighboursOf(rows: Value, largest: number): (size: number) => Value {
  const length = Number(rows.shape[1]);
  const before = Math.floor((largest - 1) / 2);
  const padded = largest > 1 ? pad(rows, [0, before, 0], [0, largest - 1 - before, 0]) : rows;
  const moved = new Map([[0, rows]]);
  const movedBy = (places: number): Value => {
    const value = moved.get(places) ?? slice(padded, 1, before + places, before + places + length);
    moved.set(places, value);
    return value;
  };
  return (size) =>
    concat(
      Array.from({ length: size }, (_, i) => movedBy(i - Math.floor((size - 1) / 2))),
      2,
    );
}
