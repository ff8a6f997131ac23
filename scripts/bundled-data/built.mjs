/** Parts of eidos itself that gathering needs; built where they are not. */
import { existsSync } from 'node:fs';
import { build } from '../build.mjs';

/**
 * @typedef {{
 *   'train/data/tar-index': typeof import('../../src/train/data/tar-index.ts'),
 *   'checkpoint/formats/pickle': typeof import('../../src/checkpoint/formats/pickle.ts'),
 * }} Parts
 */

/**
 * @template {keyof Parts} Name
 * @param {Name} name of a file of `src`
 * @returns {Promise<Parts[Name]>}
 */
export function loadBuilt(name) {
  const file = new URL(`../../dist/${name}.js`, import.meta.url);
  if (!existsSync(file)) build();
  return import(file.href);
}
