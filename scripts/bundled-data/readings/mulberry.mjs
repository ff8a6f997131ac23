/** Mulberry's symbols in cboard: drawings of things and doings, whose names stand in tables of translations. */
import { drawingWords } from '../drawing-words.mjs';
import { drawing } from '../picture.mjs';

/** What is to be read, parts of bodies, and maps; places and clubs that only a name tells. */
const leftOut =
  /lower_case|upper_case|letter|^\d|_map|flag|penis|vagina|breast|testicle|buttock|nude|naked|sex|toilet_training|football kit|alphabet|number|body_?part/i;

/** @type {import('../sources.mjs').Reading} */
export async function* read(tree) {
  /** @type {{ id: string, src: string }[]} */
  const symbols = JSON.parse(await tree.text('src/api/mulberry-symbols.json'));
  const english = JSON.parse(await tree.text('src/translations/en-US.json'));
  const german = JSON.parse(await tree.text('src/translations/de-DE.json'));
  const there = new Set(tree.paths);
  /** @type {Map<string, { en: string, de: string, doing: boolean }>} */
  const names = new Map();
  for (const { id, src } of symbols) {
    const said = nameOf(english[id], german[id]);
    const unfit = leftOut.test(src) || /alphabet|maps|flags|bodyParts|number/i.test(id) || leftOut.test(said?.en ?? '');
    if (said !== undefined && !unfit && there.has(`public${src}`)) names.set(`public${src}`, said);
  }
  for await (const { path, bytes } of tree.read([...names.keys()])) {
    const said = names.get(path);
    const name = path.replace(/^.*\/|\.svg$/g, '');
    if (said !== undefined) {
      yield { name, picture: () => drawing(bytes, name), words: drawingWords(said, 'colour') };
    }
  }
}

/**
 * Things have capitals in German, and doings are "to …" in English; all else is no picture by itself.
 * @param {unknown} en
 * @param {unknown} de
 */
function nameOf(en, de) {
  if (typeof en !== 'string' || typeof de !== 'string' || en.length < 2 || /\d/.test(en)) return undefined;
  const doing = /^to (\w+)(.*)$/.exec(en);
  if (doing !== null) return { en: `${doingOf(doing[1] ?? '')}${doing[2]}`, de, doing: true };
  const capital = de.split(' ').some((word) => /^\p{Lu}/u.test(word));
  return capital ? { en: en.replaceAll(' ,', ','), de, doing: false } : undefined;
}

/**
 * "ride" → "riding", "run" → "running".
 * @param {string} verb
 */
function doingOf(verb) {
  if (/ie$/.test(verb)) return `${verb.slice(0, -2)}ying`;
  if (/[^eoy]e$/.test(verb)) return `${verb.slice(0, -1)}ing`;
  if (/^[^aeiou]*[aeiou][bdgmnprt]$/.test(verb)) return `${verb}${verb.slice(-1)}ing`;
  return `${verb}ing`;
}
