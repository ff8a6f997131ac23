/** What all parts measure with: models, pictures, the number of rounds. Made once and kept in bench/.cache. */
import { fileURLToPath } from 'node:url';
import { exported, randomCheckpoint } from './models.mjs';
import { pictures } from './pictures.mjs';

/**
 * @typedef {{
 *   files: string[], rounds: number,
 *   checkpoint(): Promise<string>, outlierCheckpoint(): Promise<string>, exportedFolder(): Promise<string>
 * }} Setting
 */

const cache = fileURLToPath(new URL('../.cache/', import.meta.url));

/** @param {{ rounds: number }} options @returns {Promise<Setting>} */
export async function setting({ rounds }) {
  const checkpoint = () => randomCheckpoint(`${cache}vit-b-32`);
  return {
    files: await pictures(`${cache}pictures`),
    rounds,
    checkpoint,
    outlierCheckpoint: () => randomCheckpoint(`${cache}vit-b-32-outliers`, { outlierChannels: true }),
    exportedFolder: async () => exported(await checkpoint(), `${cache}exported/vit-b-32`),
  };
}
