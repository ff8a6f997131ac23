/** How the tokens of a sentence know their places: tables, waves, and scores by distance. */
import { normal } from '../../graph/initialise.ts';
import {
  add,
  cast,
  constant,
  equal,
  gather,
  matmul,
  multiply,
  parameter,
  reshape,
  slice,
  transpose,
  where,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { TransformerTextArchitecture } from '../architecture.ts';

/** What is added to the embeddings of the words: [length, width], or [n, length, width]; undefined where nothing is. */
export function textPositions(
  { positions, width, padToken = 0, positionRows }: TransformerTextArchitecture,
  needed: number,
  ids: Value,
  length: number,
): Value | undefined {
  switch (positions) {
    case 'learned': {
      const rows = positionRows ?? needed;
      const table = parameter('text.position_embedding', [rows, width], normal(0.01));
      return length === rows ? table : slice(table, 0, 0, length);
    }
    case 'sinusoidal':
      return constant(sinusoidalPositions(length, width), [length, width]);
    case 'counted': {
      const rows = positionRows ?? needed + padToken + 1;
      // The rows up to the padding's own are never looked at but by the padding.
      const table = parameter('text.position_embedding', [rows, width], normal(0.01));
      return gather(table, countedPlaces(ids, padToken));
    }
    case 'counted_sinusoidal': {
      const places = length + padToken + 1;
      return gather(
        constant(halvedWaves(places, width, padToken), [places, width]),
        countedPlaces(ids, padToken),
      );
    }
    case 'buckets':
      return undefined;
  }
}

/** 1 where a word stands and 0 where the padding does, [n, length]. */
export function wordsOf(ids: Value, padToken: number): Value {
  return where(equal(ids, constant(BigInt64Array.of(BigInt(padToken)), [])), 0, 1);
}

/** The place of each token among those that are no padding, counted from 1 and raised by the padding's id, which is its own place. */
function countedPlaces(ids: Value, padToken: number): Value {
  const length = Number(ids.shape[1]);
  const upTo = Float32Array.from({ length: length * length }, (_, at) =>
    Math.floor(at / length) <= at % length ? 1 : 0,
  );
  const words = wordsOf(ids, padToken);
  const counted = matmul(words, constant(upTo, [length, length]));
  return cast(add(multiply(counted, words), padToken), 'int64');
}

/** PE(p, 2i) = sin(p / 10000^(2i/width)), PE(p, 2i + 1) = cos of the same (Vaswani et al. 2017, section 3.5). */
export function sinusoidalPositions(length: number, width: number): Float32Array {
  return Float32Array.from({ length: length * width }, (_, at) => {
    const position = Math.floor(at / width);
    const channel = at % width;
    const angle = position / 10000 ** ((channel - (channel % 2)) / width);
    return channel % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
}

/** First all sines, then all cosines, of p · 10000^(−k/(width/2 − 1)); nothing at the padding's place (fairseq, NLLB). */
function halvedWaves(places: number, width: number, padToken: number): Float32Array {
  const half = width / 2;
  return Float32Array.from({ length: places * width }, (_, at) => {
    const place = Math.floor(at / width);
    const channel = at % width;
    if (place === padToken) return 0;
    const angle = place * 10000 ** -((channel % half) / (half - 1));
    return channel < half ? Math.sin(angle) : Math.cos(angle);
  });
}

const buckets = 32;
const farthest = 128;

/** A learned number for each head and bucket of distances, [1, heads, length, length] (Raffel et al. 2020, section 2.1). */
export function distanceScores(heads: number, length: number): Value {
  const table = parameter('text.distances', [buckets, heads], normal(0.02));
  const indices = BigInt64Array.from({ length: length * length }, (_, at) =>
    BigInt(bucketOf((at % length) - Math.floor(at / length))),
  );
  const rows = gather(table, constant(indices, [length, length])); // [query, key, heads]
  return reshape(transpose(rows, [2, 0, 1]), [1, heads, length, length]);
}

/** Half of the buckets look ahead; half of each are exact, the others grow with the logarithm of the distance. */
export function bucketOf(distance: number): number {
  const ahead = distance > 0 ? buckets / 2 : 0;
  const far = Math.abs(distance);
  const exact = buckets / 4;
  if (far < exact) return ahead + far;
  const grown = exact + Math.floor((Math.log(far / exact) / Math.log(farthest / exact)) * exact);
  return ahead + Math.min(grown, buckets / 2 - 1);
}
