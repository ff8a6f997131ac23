/** Cartoons of a children's program that teaches words; their names lie in a Qt resource file of a later edition. */
import { drawingWords } from '../drawing-words.mjs';
import { drawing } from '../picture.mjs';
import { readQtResources } from '../qt-resources.mjs';

const resources = 'usr/share/gcompris-qt/rcc/lang.rcc';
const names = '/gcompris/src/activities/lang/resource/content-';

/** Parts of bodies, feelings and words that no picture shows by itself. */
const leftOut = new Set(
  `accountant ache alphabet animal ankle appliance arm back bait bank bark beard belly bit blade bolt bomb bottom brain
  branch breast brother bud bump cave cereal cheek chin chores claw clay cold color couple craft dad den dirt dish dot
  draw drip ear elbow eye eyebrow face family finger fist foot forehead friend fruit hair hand head heel hip joke jaw
  kid knee king-size language leg letter lip loss mom mouth muscle music naked navel neck nostril nose number page pain
  pair pal panties patch pet picture pip pole post price question quiz race rage rifle rip room royal scar science seat
  shadow skin sleeve slime slope slot snack son spark spear spice spike spine sport spot spread squat stack stare stem
  step stitch stomach stretch string sweat tag teeth text thigh throat thumb tick time toe tongue top trash treat tribe
  trip tube tune tusk under vein verdure vowel wart wedge wife word wrist world yum`.split(/\s+/),
);

/** Names that are misspelt, or narrower in one language than in the other. */
const better = new Map(
  Object.entries({
    alarmclock: { en: 'alarm clock', de: 'Wecker' },
    bag: { en: 'backpack', de: 'Rucksack' },
    cat: { en: 'cat', de: 'Katze' },
    cart: { en: 'shopping cart', de: 'Einkaufswagen' },
    clock: { en: 'clock', de: 'Uhr' },
    duck: { en: 'duck', de: 'Ente' },
    mill: { en: 'windmill', de: 'Windmühle' },
    mushroom: { en: 'mushroom', de: 'Pilz' },
    nut: { en: 'peanut', de: 'Erdnuss' },
    sail: { en: 'sailboat', de: 'Segelboot' },
    sole: { en: 'sole', de: 'Seezunge' },
    television: { en: 'television', de: 'Fernseher' },
    tomatoe: { en: 'tomato', de: 'Tomate' },
  }),
);

/** @type {import('../sources.mjs').Reading} */
export async function* read(tree, later) {
  const content = await contents(later);
  const words = new Map();
  for (const path of tree.paths) {
    const key = /^src\/lang-activity\/resources\/lang\/words\/(.+)\.png$/.exec(path)?.[1] ?? '';
    // Only things have an article.
    const thing = /^(?:der|die|das) (\p{Lu}.+)$/u.exec(content.de[`${key}.ogg`]?.trim() ?? '')?.[1];
    const en = content.en[`${key}.ogg`];
    if (thing === undefined || en === undefined || leftOut.has(key) || en.startsWith('to ')) continue;
    words.set(path, better.get(key) ?? { en, de: thing });
  }
  for await (const { path, bytes } of tree.read([...words.keys()])) {
    const name = path.replace(/^.*\/|\.png$/g, '');
    yield { name, picture: () => drawing(bytes, name), words: drawingWords(words.get(path), 'colour') };
  }
}

/**
 * Words by the name of their recording.
 * @param {import('../tree.mjs').Tree} tree
 * @returns {Promise<Record<'en' | 'de', Record<string, string>>>}
 */
async function contents(tree) {
  for await (const { bytes } of tree.read([resources])) {
    const files = readQtResources(bytes);
    const language = (/** @type {string} */ code) => {
      const file = files.get(`${names}${code}.json`);
      if (file === undefined) throw new Error(`${resources} has no words in ${code}.`);
      return JSON.parse(file().toString('utf8'));
    };
    return { en: language('en'), de: language('de') };
  }
  throw new Error(`There is no ${resources}.`);
}
