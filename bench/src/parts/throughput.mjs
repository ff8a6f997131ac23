/** File to embedding on ViT-B/32: eidos in fp32 and int8 against transformers.js in fp32. */
import { contestant } from '../contestant.mjs';
import { compare } from '../rounds.mjs';

/** Pictures a round: enough for several batches, few enough that a round is over before the machine changes. */
const perRound = { 1: 12, 8: 48, 32: 96 };
const targets = { fp32: { 1: 1, 8: 1.15, 32: 1.15 }, int8: { 1: 1.7, 8: 1.7, 32: 1.7 } };

/** @typedef {import('../setting.mjs').Setting} Setting @typedef {import('../report.mjs').Row} Row */

/** @param {Setting} setting @returns {AsyncGenerator<Row>} */
export async function* throughput(setting) {
  const { checkpoint, exportedFolder, files, rounds } = setting;
  const theirs = await contestant('transformers-js', { model: await exportedFolder() });
  try {
    for (const dtype of /** @type {const} */ (['fp32', 'int8'])) {
      const ours = await contestant('eidos', { model: await checkpoint(), dtype });
      try {
        for (const batch of /** @type {const} */ ([1, 8, 32])) {
          const count = perRound[batch];
          const task = (/** @type {number} */ round) => {
            const start = (round * count) % (files.length - count + 1);
            return { files: files.slice(start, start + count), batch };
          };
          const result = await compare(ours, theirs, task, rounds);
          yield {
            metric: `file to embedding, ViT-B/32 ${dtype} against fp32, batch ${batch}`,
            comparison: result,
            value: result.wall,
            target: targets[dtype][batch],
            atLeast: true,
            detail: `${perSecond(count, result.ours)} against ${perSecond(count, result.theirs)} pictures/s`,
          };
        }
      } finally {
        await ours.end();
      }
    }
  } finally {
    await theirs.end();
  }
}

/** @param {number} count @param {import('../contestant.mjs').Outcome} outcome */
export function perSecond(count, { seconds }) {
  return (count / seconds).toFixed(1);
}
