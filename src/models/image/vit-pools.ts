/** How the tokens of a Vision Transformer become one vector a picture. */
import { normal } from '../../graph/initialise.ts';
import { add, parameter, reduceMean, reshape, slice } from '../../graph/operations.ts';
import type { Value } from '../../graph/value.ts';
import type { ImagePool, VitArchitecture } from '../architecture.ts';
import { attention, type Tokens } from '../layers/attention.ts';
import { normLayer } from '../layers/linear.ts';
import { mlp } from '../layers/mlp.ts';
import type { Watch } from '../layers/transformer.ts';

/** One vector a picture, [n, width]. */
export function poolTokens(architecture: VitArchitecture, tokens: Tokens, watch: Watch): Value {
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
      const { value } = attention('image.pool.attention', { value: probe, batch: 1, length: 1 }, tokens, {
        ...pool,
        watch: (weights) => watch('image.pool.attention', weights),
      });
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
