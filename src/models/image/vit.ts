/** The Vision Transformer (Dosovitskiy et al. 2021) in the variants of CLIP, CLIPA, SigLIP and CoCa. */
import { linear } from '../../graph/derived.ts';
import { staticShape, multiply as times } from '../../graph/dimension.ts';
import { normal, zeros } from '../../graph/initialise.ts';
import {
  add,
  concat,
  constant,
  gather,
  pad,
  parameter,
  reduceMean,
  reshape,
  slice,
  transpose,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ImagePool, VitArchitecture } from '../architecture.ts';
import { attention, type Tokens } from '../layers/attention.ts';
import { normLayer } from '../layers/linear.ts';
import { mlp } from '../layers/mlp.ts';
import { type TowerHooks, transformerBlocks, type Watch } from '../layers/transformer.ts';
import { heightAndWidth, patchGrid } from '../sides.ts';

export interface VitOptions extends TowerHooks {
  /** Indices of the patches that are looked at, [n, kept] int64; the others are left out (Li et al. 2023, FLIP). */
  keptPatches?: Value | undefined;
}

/** Pixels [n, 3, side, side] → one vector a picture, normed where the tower norms it: [n, width], or that of the queries. */
export function visionTransformer(
  architecture: VitArchitecture,
  pixels: Value,
  { watch = (_, value) => value, branch, keptPatches }: VitOptions = {},
): Value {
  const { normBefore, normAfter, normEpsilon } = architecture;
  let tokens = embedPatches(architecture, pixels, watch, keptPatches);
  if (normBefore) tokens = { ...tokens, value: normLayer('image.norm_before', tokens.value, normEpsilon) };
  tokens = { ...tokens, value: watch('image.norm_before', tokens.value) };
  tokens = transformerBlocks('image', tokens, architecture, { watch, branch });
  // What pools by queries without a second pooler has the norm after them.
  const { pool } = architecture;
  const queriesAreNormed = pool.kind === 'queries' && pool.second === undefined;
  if (normAfter === 'tokens' && pool.kind !== 'class' && !queriesAreNormed) {
    tokens = {
      ...tokens,
      value: watch('image.norm_after', normLayer('image.norm_after', tokens.value, normEpsilon)),
    };
  }
  let pooled = watch('image.pool', poolTokens(architecture, tokens)); // [n, width]
  // A norm works on each token for itself: where only the class token is used, only that one is normalised.
  if (normAfter === 'pooled' || (normAfter === 'tokens' && pool.kind === 'class')) {
    pooled = watch('image.norm_after', normLayer('image.norm_after', pooled, normEpsilon));
  }
  return pooled;
}

/** Patches become tokens by one matrix product; the class token stands before them. */
function embedPatches(
  architecture: VitArchitecture,
  pixels: Value,
  watch: Watch,
  kept: Value | undefined,
): Tokens {
  const { patchSize, width, classToken, patchBias } = architecture;
  const [rows, columns] = patchGrid(architecture);
  const [patchHeight, patchWidth] = heightAndWidth(patchSize);
  const batch = pixels.shape[0]!;
  const places = rows * columns;
  const count = kept === undefined ? places : Number(kept.shape[1]);
  const length = count + (classToken ? 1 : 0);
  const whole = beginning(beginning(pixels, 2, rows * patchHeight), 3, columns * patchWidth);
  const cut = reshape(whole, [batch, 3, rows, patchHeight, columns, patchWidth]);
  const gathered = transpose(cut, [0, 2, 4, 1, 3, 5]); // [n, row, column, 3, y, x]
  const numbers = 3 * patchHeight * patchWidth;
  const all = reshape(gathered, [times(batch, places), numbers]);
  const patches = kept === undefined ? all : gather(all, rowsOf(kept, places));
  const weight = parameter('image.patch_embedding.weight', [width, numbers], normal(numbers ** -0.5));
  const bias = patchBias ? parameter('image.patch_embedding.bias', [width], zeros) : undefined;
  const embedded = watch('image.patch_embedding', linear(patches, weight, bias)); // [n · patches, width]

  let positions = parameter(
    'image.position_embedding',
    [places + (classToken ? 1 : 0), width],
    normal(width ** -0.5),
    { trainable: architecture.positions !== 'fixed' },
  );
  let tokens = reshape(embedded, [batch, count, width]);
  if (classToken) {
    // A row of zeros before the patches, and the class token in its place: no array of the batch's size is copied twice.
    const token = parameter('image.class_embedding', [width], normal(width ** -0.5));
    tokens = pad(tokens, [0, 1, 0], [0, 0, 0]);
    positions = add(positions, pad(reshape(token, [1, width]), [0, 0], [places, 0]));
  }
  if (kept !== undefined) positions = gather(positions, classToken ? afterClassToken(kept) : kept);
  return { value: reshape(add(tokens, positions), [times(batch, length), width]), batch, length };
}

/** What an axis has up to a length. */
const beginning = (x: Value, axis: number, length: number): Value =>
  x.shape[axis] === length ? x : slice(x, axis, 0, length);

/** Where the kept patches lie among those of all pictures: indices [n, kept] → [n · kept]. */
function rowsOf(kept: Value, patches: number): Value {
  const [n, count] = staticShape(kept.shape, 'a choice of patches') as [number, number];
  const starts = BigInt64Array.from({ length: n }, (_, picture) => BigInt(picture * patches));
  return reshape(add(kept, constant(starts, [n, 1])), [n * count]);
}

/** The same indices in a table whose first row belongs to the class token, that row before them: [n, 1 + kept]. */
function afterClassToken(kept: Value): Value {
  const [n] = staticShape(kept.shape, 'a choice of patches') as [number, number];
  const first = constant(new BigInt64Array(n), [n, 1]);
  return concat([first, add(kept, constant(BigInt64Array.of(1n), []))], 1);
}

/** One vector a picture, [n, width]. */
function poolTokens(architecture: VitArchitecture, tokens: Tokens): Value {
  const { pool, classToken, normAfter, normEpsilon } = architecture;
  const { batch, length } = tokens;
  const width = architecture.width;
  const all = reshape(tokens.value, [batch, length, width]);
  switch (pool.kind) {
    case 'class':
      return reshape(slice(all, 1, 0, 1), [batch, width]);
    case 'average':
      return reduceMean(classToken ? slice(all, 1, 1, length) : all, [1]);
    case 'probe': {
      const probe = parameter('image.pool.probe', [1, width], normal(width ** -0.5));
      const { value } = attention(
        'image.pool.attention',
        { value: probe, batch: 1, length: 1 },
        tokens,
        pool,
      );
      const normed = normLayer('image.pool.norm', value, normEpsilon);
      return add(
        value,
        mlp('image.pool.mlp', normed, { hidden: pool.mlpWidth, activation: pool.activation }),
      );
    }
    case 'queries':
      return queryPool(pool, tokens, normEpsilon, normAfter === 'tokens');
  }
}

type QueryPool = Extract<ImagePool, { kind: 'queries' }>;

/** CoCa's pooler and open_clip's variants of it (Yu et al. 2022, section 3.2): [n, pool.width]. */
function queryPool(pool: QueryPool, tokens: Tokens, epsilon: number, normed: boolean): Value {
  const pooler = (
    name: string,
    keys: Tokens,
    [first, end]: readonly [number, number],
    of: number,
  ): Tokens => {
    const queries = parameter(`${name}.queries`, [of, pool.width], normal(1));
    const taken = end - first === of ? queries : slice(queries, 0, first, end);
    const asked = normLayer(`${name}.norm_queries`, taken, epsilon);
    const seen = { ...keys, value: normLayer(`${name}.norm_keys`, keys.value, epsilon) };
    return attention(`${name}.attention`, { value: asked, batch: 1, length: end - first }, seen, pool);
  };
  const { queries } = pool;
  const name = 'image.pool';
  switch (pool.second) {
    case 'parallel':
      return pooler(`${name}.second`, tokens, [0, 1], 1).value;
    case 'cascade':
      return pooler(`${name}.second`, pooler(name, tokens, [0, queries], queries), [0, 1], 1).value;
    case undefined:
  }
  // Only the first query makes the embedding, or all others do; the rest serves a decoder.
  if (pool.take === undefined) return pooler(name, tokens, [0, 1], queries).value;
  const others = pooler(name, tokens, [1, queries], queries);
  const each = normed ? normLayer('image.norm_after', others.value, epsilon) : others.value;
  return reduceMean(reshape(each, [tokens.batch, queries - 1, pool.width]), [1]);
}
