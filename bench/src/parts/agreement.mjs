/** How far int8 is from fp32, and eidos from transformers.js, on the measured model. */
import { contestant } from '../contestant.mjs';

const width = 512;
const count = 32;

/** @param {import('../setting.mjs').Setting} setting @returns {AsyncGenerator<import('../report.mjs').Row>} */
export async function* agreement({ checkpoint, outlierCheckpoint, exportedFolder, files }) {
  const task = { files: files.slice(0, count), batch: 8, wanted: 'embeddings' };
  const embed = async (/** @type {string} */ side, /** @type {object} */ setup) => {
    const process = await contestant(side, setup);
    try {
      return /** @type {number[]} */ ((await process.run(task)).value);
    } finally {
      await process.end();
    }
  };
  const exact = await embed('eidos', { model: await checkpoint() });
  const theirs = await embed('transformers-js', { model: await exportedFolder() });
  yield row('cosine of eidos and transformers.js, each with its own pixels', cosines(exact, theirs), 0.99);
  const quantised = await embed('eidos', { model: await checkpoint(), dtype: 'int8' });
  yield row('cosine of int8 and fp32, random weights', cosines(exact, quantised), 0.999);
  const model = await outlierCheckpoint();
  const outlying = await embed('eidos', { model });
  const both = await embed('eidos', { model, dtype: 'int8' });
  yield row('cosine of int8 and fp32, outlier channels', cosines(outlying, both), 0.995);
}

/** @param {string} metric @param {number[]} values @param {number} target @returns {import('../report.mjs').Row} */
function row(metric, values, target) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const detail = `worst ${Math.min(...values).toFixed(5)} of ${values.length} pictures`;
  return { metric, value: mean, target, atLeast: true, digits: 5, detail };
}

/** @param {number[]} a @param {number[]} b */
function cosines(a, b) {
  return Array.from({ length: a.length / width }, (_, row) => {
    let [dot, lengthA, lengthB] = [0, 0, 0];
    for (let i = row * width; i < (row + 1) * width; i++) {
      const [x = 0, y = 0] = [a[i], b[i]];
      dot += x * y;
      lengthA += x * x;
      lengthB += y * y;
    }
    return dot / Math.sqrt(lengthA * lengthB);
  });
}
