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
import type { VitArchitecture } from '../architecture.ts';
import { attention, type Tokens } from '../layers/attention.ts';
import { normLayer } from '../layers/linear.ts';
import { mlp, type TowerHooks, transformerBlocks, type Watch } from '../layers/transformer.ts';

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
  if (normAfter === 'tokens' && architecture.pool.kind !== 'class') {
    tokens = {
      ...tokens,
      value: watch('image.norm_after', normLayer('image.norm_after', tokens.value, normEpsilon)),
    };
  }
  let pooled = watch('image.pool', poolTokens(architecture, tokens)); // [n, width]
  // A norm works on each token for itself: where only the class token is used, only that one is normalised.
  if (normAfter === 'pooled' || (normAfter === 'tokens' && architecture.pool.kind === 'class')) {
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
  const { imageSize, patchSize, width, classToken, patchBias } = architecture;
  // Where patches do not fill the side, the rest at the right and at the bottom is left out, as a strided convolution does.
  const grid = Math.floor(imageSize / patchSize);
  const covered = grid * patchSize;
  const batch = pixels.shape[0]!;
  const rows = grid * grid + (classToken ? 1 : 0);
  const count = kept === undefined ? grid * grid : Number(kept.shape[1]);
  const length = count + (classToken ? 1 : 0);
  const whole = covered === imageSize ? pixels : slice(slice(pixels, 2, 0, covered), 3, 0, covered);
  const cut = reshape(whole, [batch, 3, grid, patchSize, grid, patchSize]);
  const gathered = transpose(cut, [0, 2, 4, 1, 3, 5]); // [n, row, column, 3, y, x]
  const all = reshape(gathered, [times(batch, grid * grid), 3 * patchSize * patchSize]);
  const patches = kept === undefined ? all : gather(all, rowsOf(kept, grid * grid));
  const weight = parameter(
    'image.patch_embedding.weight',
    [width, 3 * patchSize ** 2],
    normal((3 * patchSize ** 2) ** -0.5),
  );
  const bias = patchBias ? parameter('image.patch_embedding.bias', [width], zeros) : undefined;
  const embedded = watch('image.patch_embedding', linear(patches, weight, bias)); // [n · patches, width]

  const positions = parameter('image.position_embedding', [rows, width], normal(width ** -0.5));
  let tokens = reshape(embedded, [batch, count, width]);
  let places = positions;
  if (classToken) {
    // A row of zeros before the patches, and the class token in its place: no array of the batch's size is copied twice.
    const token = parameter('image.class_embedding', [width], normal(width ** -0.5));
    tokens = pad(tokens, [0, 1, 0], [0, 0, 0]);
    places = add(positions, pad(reshape(token, [1, width]), [0, 0], [grid * grid, 0]));
  }
  if (kept !== undefined) places = gather(places, classToken ? afterClassToken(kept) : kept);
  return { value: reshape(add(tokens, places), [times(batch, length), width]), batch, length };
}

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
  const { pool, classToken, normEpsilon } = architecture;
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
      return add(value, mlp('image.pool.mlp', normed, pool.mlpWidth, pool.activation));
    }
    case 'queries': {
      // Only the first query makes the embedding; the others serve a decoder.
      const queries = parameter('image.pool.queries', [pool.queries, pool.width], normal(1));
      const first = normLayer('image.pool.norm_queries', slice(queries, 0, 0, 1), normEpsilon);
      const keys = { ...tokens, value: normLayer('image.pool.norm_keys', tokens.value, normEpsilon) };
      return attention('image.pool.attention', { value: first, batch: 1, length: 1 }, keys, pool).value;
    }
  }
}
