/** Where the pictures come from that the bundled model learns from: a row a source. */
import * as cocoCaptions from './readings/coco-captions.mjs';

/**
 * A picture of a source with its words.
 * @typedef {object} Sample
 * @property {string} name in the archive, without the ending
 * @property {() => Promise<{ bytes: Buffer, ending: string }>} picture
 * @property {Record<string, string | readonly string[] | undefined>} words `label`, and captions by language
 */

/**
 * @callback Reading
 * @param {import('./tree.mjs').Tree} tree
 * @returns {AsyncGenerator<Sample>}
 */

/**
 * @typedef {object} Source
 * @property {string} from repository or package
 * @property {string} version commit, or version of the package
 * @property {Reading} read
 */

/** @type {Record<string, Source>} */
export const sources = {
  'coco-captions': {
    from: 'github.com/Mike0429/COMP5329DeepLearningA2_ViT',
    version: 'cb8e6b3877b8c2bc4f8b291964b34b8cda375ba7',
    read: cocoCaptions.read,
  },
};
