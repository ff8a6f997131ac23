/** The model that comes with eidos against the usual one in transformers.js: what a newcomer feels. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contestant } from '../contestant.mjs';
import { compare } from '../rounds.mjs';
import { perSecond } from './throughput.mjs';

const weights = fileURLToPath(new URL('../../../models/eidos-small/model.safetensors', import.meta.url));
const perRound = { 1: 12, 32: 96 };

/** @param {import('../setting.mjs').Setting} setting @returns {AsyncGenerator<import('../report.mjs').Row>} */
export async function* bundled({ exportedFolder, files, rounds }) {
  if (!existsSync(weights)) {
    yield {
      metric: 'bundled model, file to embedding',
      value: Number.NaN,
      target: 5,
      atLeast: true,
      detail: 'models/eidos-small is not there',
    };
    return;
  }
  const theirs = await contestant('transformers-js', { model: await exportedFolder() });
  const ours = await contestant('eidos', { model: dirname(weights) });
  try {
    for (const batch of /** @type {const} */ ([1, 32])) {
      const count = perRound[batch];
      const task = (/** @type {number} */ round) => {
        const start = (round * count) % (files.length - count + 1);
        return { files: files.slice(start, start + count), batch };
      };
      const result = await compare(ours, theirs, task, rounds);
      yield {
        metric: `bundled model against ViT-B/32, file to embedding, batch ${batch}`,
        comparison: result,
        value: result.wall,
        target: 5,
        atLeast: true,
        detail: `${perSecond(count, result.ours)} against ${perSecond(count, result.theirs)} pictures/s`,
      };
    }
  } finally {
    await ours.end();
    await theirs.end();
  }
}
