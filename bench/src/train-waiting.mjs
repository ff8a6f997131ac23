/** How much of its time a training waits for data: a real one, from JPEGs beside the clone. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { training } from './eidos.mjs';
import { embeddingSize, trainedText, trainings } from './train-setting.mjs';

const data = fileURLToPath(new URL('../../../shared/data/', import.meta.url));

/** Steps a line of figures. */
const window = 5;
const windows = 3;

/**
 * The share of waiting over some steps, once the first ones are over, or undefined where the data are missing.
 * @param {string} key of the training @param {number} threads of the network
 */
export async function shareOfWaiting(key, threads) {
  const sources = ['flickr8k', 'flowers', 'sports'].map((name) => ({ path: `${data}${name}` }));
  const setting = trainings[key];
  if (setting === undefined || sources.some(({ path }) => !existsSync(path))) return undefined;
  const { train } = await training();
  const output = await mkdtemp(join(tmpdir(), 'eidos-waiting-'));
  /** @type {{ waiting: number, picturesPerSecond: number }[]} */
  const lines = [];
  try {
    const { width, layers, heads } = trainedText;
    await train(
      {
        output,
        data: { sources },
        architecture: {
          embeddingSize,
          image: /** @type {any} */ (setting.image),
          text: { width, layers, heads },
        },
        tokenizer: { train: { size: 2000, contextLength: trainedText.contextLength } },
        batch: setting.batch,
        until: { steps: window * (windows + 1) },
        logEverySteps: window,
        threads: { network: threads, data: 1 },
      },
      {
        onEvent(event) {
          if (event.kind === 'step') lines.push(event);
        },
      },
    );
  } finally {
    await rm(output, { recursive: true, force: true });
  }
  // The first steps open the program and fill the queue.
  const counted = lines.slice(1);
  const mean = (/** @type {'waiting' | 'picturesPerSecond'} */ field) =>
    counted.reduce((sum, line) => sum + line[field], 0) / counted.length;
  return { waiting: mean('waiting'), picturesPerSecond: mean('picturesPerSecond') };
}
