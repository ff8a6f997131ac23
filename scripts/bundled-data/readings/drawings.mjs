/** Symbols and emoji: drawings of one thing each, with its name in English and German. */
import { drawing } from '../picture.mjs';

/** How a drawing is spoken of, besides by the bare name. */
const styles = {
  colour: {
    en: ['a drawing of {}', 'a cartoon of {}', 'clip art of {}'],
    de: ['eine Zeichnung: {}', 'ein Cartoon: {}'],
  },
  lines: {
    en: ['a sketch of {}', 'a line drawing of {}'],
    de: ['eine Skizze: {}', 'eine Strichzeichnung: {}'],
  },
  render: { en: ['a 3D rendering of {}', 'a toy {}'], de: ['eine 3D-Grafik: {}', 'ein Spielzeug: {}'] },
};

/**
 * @param {{ en: string, de?: string | undefined, tags?: readonly string[] }} names
 * @param {keyof typeof styles} style
 */
export function captions({ en, de, tags = [] }, style) {
  const article = /^[aeiou]/i.test(en) ? `an ${en}` : `a ${en}`;
  const say = (/** @type {string} */ template, /** @type {string} */ name) => template.replace('{}', name);
  return {
    en: [
      en,
      ...styles[style].en.map((template) => say(template, article)),
      ...(tags.length > 0 ? [`${en}: ${tags.slice(0, 6).join(', ')}`] : []),
    ],
    ...(de === undefined ? {} : { de: [de, ...styles[style].de.map((template) => say(template, de))] }),
  };
}

/** What is no picture of a thing: signs to be read, parts of bodies, maps. */
const leftOut =
  /lower_case|upper_case|letter|^\d|_map|flag|penis|vagina|breast|testicle|buttock|nude|naked|sex/i;

/**
 * Mulberry's symbols in cboard: names stand in its tables of translations by the symbol's id.
 * @type {import('../sources.mjs').Reading}
 */
export async function* mulberry(tree) {
  const symbols = JSON.parse(await tree.text('src/api/mulberry-symbols.json'));
  const english = JSON.parse(await tree.text('src/translations/en-US.json'));
  const german = JSON.parse(await tree.text('src/translations/de-DE.json'));
  /** @type {Map<string, string>} */
  const ids = new Map(
    symbols
      .filter(
        (/** @type {{ id: string, src: string }} */ { id, src }) =>
          !leftOut.test(src) && !/alphabet|maps|flags|bodyParts|number/i.test(id),
      )
      .map((/** @type {{ id: string, src: string }} */ { id, src }) => [`public${src}`, id]),
  );
  for await (const { path, bytes } of tree.read([...ids.keys()].filter((one) => tree.paths.includes(one)))) {
    const id = ids.get(path) ?? '';
    const en = english[id];
    if (typeof en !== 'string' || en.length < 2) continue;
    const name = path.replace(/^.*\/|\.svg$/g, '');
    yield { name, picture: () => drawing(bytes, name), words: captions({ en, de: german[id] }, 'colour') };
  }
}

/** Groups of Unicode's emoji that are no things: components, flags; and hands and other parts of bodies. */
const groupsLeftOut = new Set([2, 9]);

/**
 * @param {import('../tree.mjs').Tree} emoji emojibase-data
 * @returns {Promise<Map<string, { en: string, de: string | undefined, tags: string[] }>>} by code points, `1F436`
 */
async function namesOfEmoji(emoji) {
  const read = async (/** @type {string} */ language) =>
    JSON.parse(await emoji.text(`package/${language}/data.json`));
  const german = new Map((await read('de')).map((/** @type {any} */ one) => [one.hexcode, one.label]));
  const names = new Map();
  for (const { hexcode, label, tags, group, subgroup } of await read('en')) {
    if (group === undefined || groupsLeftOut.has(group)) continue;
    // Fingers, hands and limbs are the first subgroups of people.
    if (group === 1 && subgroup <= 12) continue;
    names.set(hexcode.replaceAll('-FE0F', ''), { en: label, de: german.get(hexcode), tags: tags ?? [] });
  }
  return names;
}

/**
 * The second tree is that of emojibase-data, which names them.
 * @param {RegExp} folder the pictures' paths, with the code points as a group
 * @param {(path: string) => keyof typeof styles} styleOf
 * @returns {import('../sources.mjs').Reading}
 */
export function emojiDrawings(folder, styleOf) {
  return async function* (tree, emoji) {
    const names = await namesOfEmoji(emoji);
    const codeOf = (/** @type {string} */ path) =>
      (folder.exec(path)?.[1] ?? '').toUpperCase().replaceAll('-FE0F', '');
    for await (const { path, bytes } of tree.read(tree.paths.filter((path) => names.has(codeOf(path))))) {
      const style = styleOf(path);
      const name = `${style}-${codeOf(path)}`;
      yield { name, picture: () => drawing(bytes, name), words: captions(names.get(codeOf(path)), style) };
    }
  };
}
