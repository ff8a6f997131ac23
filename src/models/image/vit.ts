/** The Vision Transformer (Dosovitskiy et al. 2021) in the variants of CLIP, CLIPA, SigLIP, CoCa, EVA-02 and others. */
import { linear } from '../../graph/derived.ts';
import { type Dimension, staticShape, multiply as times } from '../../graph/dimension.ts';
import { normal, zeros } from '../../graph/initialise.ts';
import {
  add,
  concat,
  constant,
  gather,
  pad,
  parameter,
  reshape,
  slice,
  tanh,
  transpose,
} from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { VitArchitecture } from '../architecture.ts';
import type { Tokens } from '../layers/attention.ts';
import type { BatchNormOptions } from '../layers/convolution.ts';
import { linearLayer, normLayer } from '../layers/linear.ts';
import { gridAngles, rotation } from '../layers/rotary.ts';
import { type TowerHooks, transformerBlocks } from '../layers/transformer.ts';
import { heightAndWidth, patchGrid } from '../sides.ts';
import { poolTokens } from './vit-pools.ts';
import { stemMaps } from './vit-stems.ts';

export interface VitOptions extends TowerHooks, BatchNormOptions {
  /** Indices of the patches that are looked at, [n, kept] int64; the others are left out (Li et al. 2023, FLIP). */
  keptPatches?: Value | undefined;
}

/** Pixels [n, 3, height, width] → one vector a picture, normed where the tower norms it: [n, width], or that of the queries. */
export function visionTransformer(
  architecture: VitArchitecture,
  pixels: Value,
  { watch = (_, value) => value, branch, keptPatches, onStatistics }: VitOptions = {},
): Value {
  const { normBefore, normAfter, normEpsilon, rotary, width, heads, pool } = architecture;
  const patches = watch(
    'image.patch_embedding',
    patchRows(architecture, pixels, keptPatches, { onStatistics }),
  );
  let tokens = placed(architecture, patches, pixels.shape[0]!, keptPatches);
  if (normBefore) tokens = { ...tokens, value: normLayer('image.norm_before', tokens.value, normEpsilon) };
  tokens = { ...tokens, value: watch('image.norm_before', tokens.value) };
  const headWidth = width / heads;
  const rotate =
    rotary &&
    rotation(gridAngles(headWidth, patchGrid(architecture), rotary), tokens.length, headWidth, keptPatches);
  tokens = transformerBlocks('image', tokens, architecture, { watch, branch, rotate });
  // What pools by queries without a second pooler has the norm after them.
  const queriesAreNormed = pool.kind === 'queries' && pool.second === undefined;
  if (normAfter === 'tokens' && pool.kind !== 'class' && !queriesAreNormed) {
    tokens = {
      ...tokens,
      value: watch('image.norm_after', normLayer('image.norm_after', tokens.value, normEpsilon)),
    };
  }
  const pooled = watch('image.pool', poolTokens(architecture, tokens, watch)); // [n, width]
  // A norm works on each token for itself: where only the class token is used, only that one is normalised.
  if (normAfter === 'pooled' || (normAfter === 'tokens' && pool.kind === 'class')) {
    const normed = watch('image.norm_after', normLayer('image.norm_after', pooled, normEpsilon));
    return pool.kind === 'class' && pool.dense
      ? tanh(linearLayer('image.pool.dense', normed, width))
      : normed;
  }
  return pooled;
}

/** A row for each patch that is looked at, [n · patches, width]. */
function patchRows(
  architecture: VitArchitecture,
  pixels: Value,
  kept: Value | undefined,
  norms: BatchNormOptions,
): Value {
  const { patchSize, width, patchBias, stem } = architecture;
  const [rows, columns] = patchGrid(architecture);
  const places = rows * columns;
  const batch = pixels.shape[0]!;
  if (stem !== undefined) {
    const maps = stemMaps(stem, width, pixels, architecture.normEpsilon, norms); // [n, width, rows, columns]
    const all = reshape(transpose(maps, [0, 2, 3, 1]), [times(batch, places), width]);
    return kept === undefined ? all : gather(all, rowsOf(kept, places));
  }
  const [patchHeight, patchWidth] = heightAndWidth(patchSize);
  const whole = beginning(beginning(pixels, 2, rows * patchHeight), 3, columns * patchWidth);
  const cut = reshape(whole, [batch, 3, rows, patchHeight, columns, patchWidth]);
  const gathered = transpose(cut, [0, 2, 4, 1, 3, 5]); // [n, row, column, 3, y, x]
  const numbers = 3 * patchHeight * patchWidth;
  const all = reshape(gathered, [times(batch, places), numbers]);
  const patches = kept === undefined ? all : gather(all, rowsOf(kept, places));
  const weight = parameter('image.patch_embedding.weight', [width, numbers], normal(numbers ** -0.5));
  const bias = patchBias ? parameter('image.patch_embedding.bias', [width], zeros) : undefined;
  return linear(patches, weight, bias);
}

/** The tokens with their places: the class token before the patches, positions added. */
function placed(
  architecture: VitArchitecture,
  patches: Value,
  batch: Dimension,
  kept: Value | undefined,
): Tokens {
  const { width, classToken, positions: kind } = architecture;
  const [rows, columns] = patchGrid(architecture);
  const places = rows * columns;
  const count = kept === undefined ? places : Number(kept.shape[1]);
  const length = count + (classToken ? 1 : 0);
  let tokens = reshape(patches, [batch, count, width]);
  // A row of zeros before the patches, and the class token in its place: no array of the batch's size is copied twice.
  if (classToken) tokens = pad(tokens, [0, 1, 0], [0, 0, 0]);
  let added = kind === 'none' ? undefined : positionTable(architecture, places);
  if (classToken) {
    const token = reshape(parameter('image.class_embedding', [width], normal(width ** -0.5)), [1, width]);
    const row = pad(token, [0, 0], [places, 0]);
    added = added === undefined ? row : add(added, row);
  }
  if (added === undefined) return { value: reshape(tokens, [times(batch, length), width]), batch, length };
  if (kept !== undefined) added = gather(added, classToken ? afterClassToken(kept) : kept);
  return { value: reshape(add(tokens, added), [times(batch, length), width]), batch, length };
}

/** A row for each token, the class token's first where there is one. */
function positionTable({ width, classToken, positions: kind }: VitArchitecture, places: number): Value {
  const ofPatchesAlone = kind === 'patches';
  const table = parameter(
    'image.position_embedding',
    [places + (classToken && !ofPatchesAlone ? 1 : 0), width],
    normal(width ** -0.5),
    { trainable: kind !== 'fixed' },
  );
  return classToken && ofPatchesAlone ? pad(table, [1, 0], [0, 0]) : table;
}

/** What an axis has up to a length: a strided convolution leaves out what is less than a patch. */
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
