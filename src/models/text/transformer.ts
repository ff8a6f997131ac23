/** The text Transformer of CLIP (Radford et al. 2021, section 2.4) and its relatives' variants. */
import { multiply as times } from '../../graph/dimension.ts';
import { normal } from '../../graph/initialise.ts';
import {
  add,
  argMax,
  cast,
  constant,
  divide,
  equal,
  gather,
  multiply,
  pad,
  parameter,
  reduceMax,
  reduceMean,
  reduceSum,
  reshape,
  selectTokens,
  slice,
  tanh,
  where,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { TransformerTextArchitecture } from '../architecture.ts';
import { attention, type Tokens } from '../layers/attention.ts';
import { linearLayer } from '../layers/linear.ts';
import { project, projectThrough } from '../layers/projection.ts';
import { normOf, type TowerHooks, transformerBlocks } from '../layers/transformer.ts';
import { distanceScores, textPositions, wordsOf } from './positions.ts';

/** Token ids [n, length] → embeddings [n, embeddingSize], not normalised. The length is at most the context's. */
export function textTransformer(
  architecture: TransformerTextArchitecture,
  embeddingSize: number,
  ids: Value,
  { watch = (_, value) => value, branch }: TowerHooks = {},
): Value {
  const { width, vocabularySize, contextLength, pool, causal, normAfter } = architecture;
  const norm = normOf(architecture);
  const [batch] = ids.shape;
  const words = Number(ids.shape[1]);
  const hasClass = pool.kind === 'class';
  const length = words + (hasClass ? 1 : 0);

  const table = parameter('text.token_embedding', [vocabularySize, width], normal(0.02));
  let embedded = gather(table, ids); // [n, words, width]
  if (architecture.embeddingScale) embedded = multiply(embedded, width ** 0.5);
  let places = textPositions(architecture, contextLength + (hasClass ? 1 : 0), ids, length);
  if (hasClass) {
    const token = pad(parameter('text.class_embedding', [1, width], normal(0.01)), [words, 0], [0, 0]);
    embedded = pad(embedded, [0, 0, 0], [0, 1, 0]);
    places = places === undefined ? token : add(places, token);
  }
  if (places !== undefined) embedded = add(embedded, places);
  if (architecture.sentenceKinds !== undefined) {
    const kinds = parameter('text.sentence_kinds', [architecture.sentenceKinds, width], normal(0.02));
    embedded = add(embedded, slice(kinds, 0, 0, 1));
  }
  let x = reshape(embedded, [times(batch!, length), width]);
  if (architecture.normBefore) x = norm('text.norm_before', x);
  x = watch('text.embeddings', x);
  const tokens = transformerBlocks('text', { value: x, batch: batch!, length }, architecture, {
    mask: sum([
      attentionMask(causal, pool, ids, length),
      architecture.padToken === undefined
        ? undefined
        : reshape(hidePadding(ids, architecture.padToken), [batch!, 1, 1, length]),
      architecture.positions === 'buckets' ? distanceScores(architecture.heads, length) : undefined,
    ]),
    watch,
    branch,
  });
  const pooled = watch('text.norm_after', poolTokens(architecture, tokens, ids));
  return architecture.projectionMlp === undefined
    ? project('text', architecture.projection, pooled, embeddingSize)
    : projectThrough('text', architecture.projectionMlp, pooled, embeddingSize);

  /** The final norm works on each token for itself, so it comes after the choice of a token where there is one. */
  function poolTokens(text: TransformerTextArchitecture, all: Tokens, tokenIds: Value): Value {
    const last = (value: Value): Value => (normAfter === false ? value : norm('text.norm_after', value));
    const cube = (): Value => reshape(all.value, [batch!, length, width]);
    switch (text.pool.kind) {
      case 'end': {
        const { endToken } = text.pool;
        const place =
          endToken === 'highest'
            ? argMax(tokenIds, 1)
            : argMax(cast(equal(tokenIds, constant(BigInt64Array.of(BigInt(endToken)), [])), 'float32'), 1);
        return last(selectTokens(cube(), place));
      }
      case 'first': {
        const first = last(reshape(slice(cube(), 1, 0, 1), [batch!, width]));
        const { dense } = text.pool;
        if (dense === undefined) return first;
        const mapped = linearLayer('text.pool.dense', first, dense.width);
        return dense.curve === 'tanh' ? tanh(mapped) : mapped;
      }
      case 'mean': {
        const every = reshape(last(all.value), [batch!, length, width]);
        if (text.padToken === undefined) return reduceMean(every, [1]);
        const said = reshape(wordsOf(tokenIds, text.padToken), [batch!, length, 1]);
        return divide(reduceSum(multiply(every, said), [1]), reduceSum(said, [1]));
      }
      case 'max': {
        const hidden = text.padToken === undefined ? undefined : hidePadding(tokenIds, text.padToken);
        const every = reshape(last(all.value), [batch!, length, width]);
        return reduceMax(
          hidden === undefined ? every : add(every, reshape(hidden, [batch!, length, 1])),
          [1],
        );
      }
      case 'last':
      case 'class':
        return last(reshape(slice(cube(), 1, length - 1, length), [batch!, width]));
      case 'attention': {
        const probe = parameter('text.pool.probe', [1, width], normal(width ** -0.5));
        const query = { value: probe, batch: 1, length: 1 };
        const keys = { ...all, value: last(all.value) };
        const mask = reshape(hidePadding(tokenIds, text.pool.padToken), [batch!, 1, 1, length]);
        return attention('text.pool.attention', query, keys, { heads: text.pool.heads, mask }).value;
      }
    }
  }
}

/** What the scores are lowered by: −∞ where a token must not look. */
function attentionMask(
  causal: boolean,
  pool: TransformerTextArchitecture['pool'],
  ids: Value,
  length: number,
): Value | undefined {
  const forward = causal ? causalMask(length) : undefined;
  const together = (mask: Value): Value => (forward === undefined ? mask : add(mask, forward));
  const [batch] = ids.shape;
  if (pool.kind === 'attention') {
    return together(reshape(hidePadding(ids, pool.padToken), [batch!, 1, 1, length]));
  }
  if (pool.kind !== 'class') return forward;
  // As CoCa was trained: the view of the padding is shifted by one place, so that the first token is always seen, and
  // token i where token i − 1 is none of the padding.
  const hidden = pad(hidePadding(ids, pool.padToken), [0, 1], [0, 0]); // [n, length]
  return together(reshape(hidden, [batch!, 1, 1, length]));
}

/** −∞ above the diagonal. */
function causalMask(length: number): Value {
  const mask = Float32Array.from({ length: length * length }, (_, at) =>
    at % length > Math.floor(at / length) ? Number.NEGATIVE_INFINITY : 0,
  );
  return constant(mask, [length, length]);
}

/** The sum of masks that fit each other. */
function sum(masks: readonly (Value | undefined)[]): Value | undefined {
  const there = masks.filter((mask) => mask !== undefined);
  return there.length === 0 ? undefined : there.reduce((one, other) => add(one, other));
}

/** −∞ where the padding stands, [n, words]. */
function hidePadding(ids: Value, padToken: number): Value {
  return where(equal(ids, constant(BigInt64Array.of(BigInt(padToken)), [])), Number.NEGATIVE_INFINITY, 0);
}
