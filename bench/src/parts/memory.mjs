/** The most memory that a process takes which has embedded pictures in batches of 8. */
import { contestant } from '../contestant.mjs';

/** @param {import('../setting.mjs').Setting} setting @returns {AsyncGenerator<import('../report.mjs').Row>} */
export async function* memory({ checkpoint, exportedFolder, files }) {
  const peak = async (/** @type {string} */ side, /** @type {object} */ setup) => {
    const process = await contestant(side, setup);
    try {
      await process.run({ files: files.slice(0, 48), batch: 8 });
      return /** @type {number} */ ((await process.run({ wanted: 'peak' })).value);
    } finally {
      await process.end();
    }
  };
  const theirs = await peak('transformers-js', { model: await exportedFolder() });
  for (const load of ['fast-run', 'fast-start']) {
    const ours = await peak('eidos', { model: await checkpoint(), load });
    yield {
      metric: `peak memory, ViT-B/32 batch 8, ${load}`,
      value: ours / theirs,
      target: 0.8,
      atLeast: false,
      detail: `${ours.toFixed(0)} against ${theirs.toFixed(0)} MB`,
    };
  }
}
