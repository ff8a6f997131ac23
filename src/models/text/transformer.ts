/** The text Transformer of CLIP (Radford et al. 2021, section 2.4) and its relatives' variants. */
import { multiply as times } from '../../graph/dimension.ts';
import { normal } from '../../graph/initialise.ts';
import {
  add,
  argMax,
  cast,
  constant,
  equal,
  gather,
  pad,
  parameter,
  reshape,
  selectTokens,
  slice,
  where,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { TransformerTextArchitecture } from '../architecture.ts';
import { attention, type Tokens } from '../layers/attention.ts';
import { normLayer } from '../layers/linear.ts';
import { project } from '../layers/projection.ts';
import { type TowerHooks, transformerBlocks } from '../layers/transformer.ts';

/** Token ids [n, length] → embeddings [n, embeddingSize], not normalised. The length is at most the context's. */
export function textTransformer(
  architecture: TransformerTextArchitecture,
  embeddingSize: number,
  ids: Value,
  { watch = (_, value) => value, branch }: TowerHooks = {},
): Value {
  const { width, vocabularySize, contextLength, pool, causal, normEpsilon } = architecture;
  const [batch] = ids.shape;
  const words = Number(ids.shape[1]);
  const hasClass = pool.kind === 'class';
  const length = words + (hasClass ? 1 : 0);

  const table = parameter('text.token_embedding', [vocabularySize, width], normal(0.02));
  let embedded = gather(table, ids); // [n, words, width]
  let places = positions(architecture, contextLength + (hasClass ? 1 : 0), length);
  if (hasClass) {
    const token = parameter('text.class_embedding', [1, width], normal(0.01));
    embedded = pad(embedded, [0, 0, 0], [0, 1, 0]);
    places = add(places, pad(token, [words, 0], [0, 0]));
  }
  const x = watch('text.embeddings', reshape(add(embedded, places), [times(batch!, length), width]));
  const tokens = transformerBlocks('text', { value: x, batch: batch!, length }, architecture, {
    mask: attentionMask(causal, pool, ids, length),
    watch,
    branch,
  });
  const pooled = watch('text.norm_after', poolTokens(architecture, tokens, ids));
  return project('text', architecture.projection, pooled, embeddingSize);

  /** The final norm works on each token for itself, so it comes after the choice of a token where there is one. */
  function poolTokens(text: TransformerTextArchitecture, all: Tokens, tokenIds: Value): Value {
    const norm = (value: Value): Value => normLayer('text.norm_after', value, normEpsilon);
    const cube = (): Value => reshape(all.value, [batch!, length, width]);
    switch (text.pool.kind) {
      case 'end': {
        const { endToken } = text.pool;
        const place =
          endToken === 'highest'
            ? argMax(tokenIds, 1)
            : argMax(cast(equal(tokenIds, constant(BigInt64Array.of(BigInt(endToken)), [])), 'float32'), 1);
        return norm(selectTokens(cube(), place));
      }
      case 'first':
        return norm(reshape(slice(cube(), 1, 0, 1), [batch!, width]));
      case 'last':
      case 'class':
        return norm(reshape(slice(cube(), 1, length - 1, length), [batch!, width]));
      case 'attention': {
        const probe = parameter('text.pool.probe', [1, width], normal(width ** -0.5));
        const query = { value: probe, batch: 1, length: 1 };
        const keys = { ...all, value: norm(all.value) };
        const mask = reshape(hidePadding(tokenIds, text.pool.padToken), [batch!, 1, 1, length]);
        return attention('text.pool.attention', query, keys, { heads: text.pool.heads, mask }).value;
      }
    }
  }
}

/** The first `length` rows of the position table. */
function positions(
  { positions: kind, width }: TransformerTextArchitecture,
  rows: number,
  length: number,
): Value {
  if (kind === 'sinusoidal') return constant(sinusoidalPositions(length, width), [length, width]);
  const table = parameter('text.position_embedding', [rows, width], normal(0.01));
  return length === rows ? table : slice(table, 0, 0, length);
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

/** −∞ where the padding stands, [n, words]. */
function hidePadding(ids: Value, padToken: number): Value {
  return where(equal(ids, constant(BigInt64Array.of(BigInt(padToken)), [])), Number.NEGATIVE_INFINITY, 0);
}
