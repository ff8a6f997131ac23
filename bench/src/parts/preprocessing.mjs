/** Files to normalised pixels, without a network. */
import { contestant } from '../contestant.mjs';
import { checkpoints } from '../eidos.mjs';
import { compare } from '../rounds.mjs';

const perRound = 64;
const targets = { exact: 2, fast: 2.5 };

/** @param {import('../setting.mjs').Setting} setting @returns {AsyncGenerator<import('../report.mjs').Row>} */
export async function* preprocessing({ checkpoint, exportedFolder, files, rounds }) {
  const { openCheckpoint } = await checkpoints();
  const { preprocessing: settings } = await openCheckpoint(await checkpoint());
  const theirs = await contestant('transformers-js-pixels', { model: await exportedFolder() });
  const ours = await contestant('eidos-pixels', { preprocessing: settings });
  const task = (/** @type {number} */ round) => {
    const start = (round * perRound) % (files.length - perRound + 1);
    return { files: files.slice(start, start + perRound), batch: 8 };
  };
  try {
    for (const pixels of /** @type {const} */ (['exact', 'fast'])) {
      const result = await compare(ours, theirs, task, rounds * 2, { pixels });
      yield {
        metric: `preprocessing alone, ${pixels}`,
        comparison: result,
        value: result.wall,
        target: targets[pixels],
        atLeast: true,
        detail: `${perPicture(result.ours)} against ${perPicture(result.theirs)} ms a picture`,
      };
    }
  } finally {
    await ours.end();
    await theirs.end();
  }
}

/** @param {import('../contestant.mjs').Outcome} outcome */
function perPicture({ seconds }) {
  return ((seconds / perRound) * 1000).toFixed(1);
}
