/** Photographs of COCO by number, with a table of a caption each whose records are no proper CSV. */
import { photograph } from '../picture.mjs';

/** The pictures of the test set `coco-mini`. */
export const testPictures = new Set(
  [
    65, 3127, 3836, 6491, 7157, 10342, 11050, 11655, 13342, 14918, 17603, 17813, 18807, 19835, 20047, 21521,
    21855, 21962, 22072, 23076, 23843, 26042, 32838, 33740, 33854, 36618, 37873,
  ].map(String),
);

/** @type {import('../sources.mjs').Reading} */
export async function* read(tree) {
  const captions = new Map([
    ...captionsOf(await tree.text('train.csv'), true),
    ...captionsOf(await tree.text('test.csv'), false),
  ]);
  const numbers = [...captions.keys()].filter((number) => !testPictures.has(number));
  for await (const { path, bytes } of tree.read(numbers.map((number) => `data/${number}.jpg`))) {
    const number = /(\d+)\.jpg$/.exec(path)?.[1] ?? '';
    yield { name: number, picture: () => photograph(bytes), words: { en: captions.get(number) } };
  }
}

/**
 * A record begins with `N.jpg,`; its caption goes on to the next one, with commas, quotes and line ends in it.
 * @param {string} table
 * @param {boolean} labelled whether numbers of classes stand before the caption
 */
function captionsOf(table, labelled) {
  /** @type {Map<string, string>} */
  const captions = new Map();
  for (const record of table.replaceAll('\r', '').split(/^(?=\d+\.jpg,)/m)) {
    const [, number, rest] = /^(\d+)\.jpg,(.*)$/s.exec(record) ?? [];
    if (number === undefined || rest === undefined) continue;
    const [, caption = ''] = (labelled ? /^[\d ]*,(.*)$/s : /^(.*)$/s).exec(rest) ?? [];
    // Quotes around it; those inside are not doubled.
    const words = caption
      .trim()
      .replace(/^"(.*)"$/s, '$1')
      .replace(/\s+/g, ' ')
      .trim();
    if (words !== '') captions.set(number, words);
  }
  return captions;
}
