/** How near the image tower comes to what bare matrix products of its shapes reach. */
import { contestant } from '../contestant.mjs';
import { compare, inTermsOf } from '../rounds.mjs';

/** @param {import('../setting.mjs').Setting} setting @returns {AsyncGenerator<import('../report.mjs').Row>} */
export async function* tower({ checkpoint, rounds }) {
  const model = await checkpoint();
  for (const [batch, runs] of /** @type {const} */ ([
    [1, 12],
    [8, 3],
    [32, 1],
  ])) {
    const whole = await contestant('tower', { model, kind: 'tower', batch });
    const bare = await contestant('tower', { model, kind: 'products', batch });
    try {
      const pairs = await compare(whole, bare, () => ({ runs }), rounds * 2);
      // Operations a second, so that what only the tower has (attention) counts as work.
      const share = pairs.ours.value / pairs.theirs.value;
      const result = inTermsOf(pairs, (ratio) => ratio * share);
      yield {
        metric: `image tower's share of the Gemm rate, batch ${batch}`,
        comparison: result,
        value: result.wall,
        target: 0.9,
        atLeast: true,
        detail: `${rate(result.ours)} against ${rate(result.theirs)} GFLOP/s`,
      };
    } finally {
      await whole.end();
      await bare.end();
    }
  }
}

/** @param {import('../contestant.mjs').Outcome} outcome */
function rate({ value, seconds }) {
  return (value / seconds / 1e9).toFixed(0);
}
