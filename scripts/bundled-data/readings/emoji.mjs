/** Emoji: drawings of one thing each, by code points; names in English and German from emojibase-data. */
import { drawingWords } from '../drawing-words.mjs';
import { drawing } from '../picture.mjs';

/** Groups of Unicode's emoji that are no things: components, symbols, flags. */
const groupsLeftOut = new Set([2, 8, 9]);

/** Subgroups: gestures of hands and parts of bodies (16 to 22), maps, weapons' and mourning things. */
const subgroupsLeftOut = new Set([16, 17, 18, 19, 20, 21, 22, 31, 49, 82]);

const unfit = /facing|o’clock|-thirty|dark skin|light skin|medium skin|blood|pile of poo|middle finger|kiss mark|water pistol/;

/** Without colours a name with one is wrong. */
const coloured = /\b(red|orange|yellow|green|blue|purple|brown|black|white|pink|grey|light blue)\b/;

/** Animals whose head alone is drawn have the animal's own name. */
const heads = {
  'monkey face': { en: 'monkey', de: 'Affe' },
  'dog face': { en: 'dog', de: 'Hund' },
  'cat face': { en: 'cat', de: 'Katze' },
  'tiger face': { en: 'tiger', de: 'Tiger' },
  'horse face': { en: 'horse', de: 'Pferd' },
  'cow face': { en: 'cow', de: 'Kuh' },
  'pig face': { en: 'pig', de: 'Schwein' },
  'mouse face': { en: 'mouse', de: 'Maus' },
  'rabbit face': { en: 'rabbit', de: 'Hase' },
  'dragon face': { en: 'dragon', de: 'Drache' },
};

/** @typedef {{ en: string, de: string | undefined, tags: string[] }} Names */

/**
 * The first tree has the pictures, the second is emojibase-data.
 * @param {RegExp} folder the pictures' paths, with the code points as a group
 * @param {(path: string) => import('../drawing-words.mjs').DrawingStyle} styleOf
 * @returns {import('../sources.mjs').Reading}
 */
export function emoji(folder, styleOf) {
  return async function* (tree, table) {
    const names = await namesOf(table);
    const seen = new Set();
    const codeOf = (/** @type {string} */ path) =>
      (folder.exec(path)?.[1] ?? '').toUpperCase().replaceAll('-FE0F', '');
    for await (const { path, bytes } of tree.read(tree.paths.filter((one) => names.has(codeOf(one))))) {
      const style = styleOf(path);
      const name = `${style}-${codeOf(path)}`;
      const said = names.get(codeOf(path));
      if (said === undefined || seen.has(name) || (style === 'lines' && coloured.test(said.en))) continue;
      seen.add(name);
      yield { name, picture: () => drawing(bytes, name), words: drawingWords(said, style) };
    }
  };
}

/**
 * @param {import('../tree.mjs').Tree} table
 * @returns {Promise<Map<string, Names>>} by code points, `1F436`
 */
async function namesOf(table) {
  /** @typedef {{ hexcode: string, label: string, tags?: string[], group?: number, subgroup: number }} Row */
  const rows = async (/** @type {string} */ language) =>
    /** @type {Row[]} */ (JSON.parse(await table.text(`package/${language}/data.json`)));
  const german = new Map((await rows('de')).map(({ hexcode, label }) => [hexcode, label]));
  /** @type {Map<string, Names>} */
  const names = new Map();
  for (const { hexcode, label, tags = [], group, subgroup } of await rows('en')) {
    if (group === undefined || groupsLeftOut.has(group) || subgroupsLeftOut.has(subgroup)) continue;
    if (unfit.test(label)) continue;
    const [head] = Object.entries(heads).flatMap(([name, better]) => (name === label ? [better] : []));
    const plain = { en: label, de: german.get(hexcode)?.replace(/\(in\)/g, '') };
    names.set(hexcode.replaceAll('-FE0F', ''), { ...(head ?? plain), tags });
  }
  return names;
}
