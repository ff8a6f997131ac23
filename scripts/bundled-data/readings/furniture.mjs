/** A furniture shop's photographs: products with their type and colour (Python's pickles), and rooms with their use. */
import { loadBuilt } from '../built.mjs';
import { photograph } from '../picture.mjs';

/** Types in German, as they stand in the table once commas are gone. Others are learned in English alone. */
const german = {
  rug: 'Teppich',
  'flatwoven rug': 'flachgewebter Teppich',
  'low pile rug': 'Kurzflorteppich',
  'high pile rug': 'Langflorteppich',
  'braided rug': 'geflochtener Teppich',
  'cushion cover': 'Kissenbezug',
  cushion: 'Kissen',
  door: 'Tür',
  'glass door': 'Glastür',
  wardrobe: 'Kleiderschrank',
  'box with lid': 'Kiste mit Deckel',
  box: 'Kiste',
  'storage box': 'Aufbewahrungskiste',
  chair: 'Stuhl',
  'outdoor chair': 'Gartenstuhl',
  'folding chair': 'Klappstuhl',
  'junior chair': 'Kinderstuhl',
  "children's chair": 'Kinderstuhl',
  'chair with armrests': 'Stuhl mit Armlehnen',
  'swivel chair': 'Drehstuhl',
  'rocking-chair': 'Schaukelstuhl',
  armchair: 'Sessel',
  mirror: 'Spiegel',
  'standing mirror': 'Standspiegel',
  'mirror cabinet': 'Spiegelschrank',
  'pendant lamp': 'Hängelampe',
  'table lamp': 'Tischlampe',
  'floor lamp': 'Stehlampe',
  'wall lamp': 'Wandlampe',
  'work lamp': 'Arbeitslampe',
  'ceiling lamp': 'Deckenlampe',
  'lamp shade': 'Lampenschirm',
  table: 'Tisch',
  'outdoor table': 'Gartentisch',
  'extendable table': 'Ausziehtisch',
  'drop-leaf table': 'Klapptisch',
  'coffee table': 'Couchtisch',
  'side table': 'Beistelltisch',
  'bedside table': 'Nachttisch',
  "children's table": 'Kindertisch',
  'changing table': 'Wickeltisch',
  desk: 'Schreibtisch',
  worktop: 'Arbeitsplatte',
  'wall shelf': 'Wandregal',
  shelf: 'Regal',
  'shelving unit': 'Regal',
  bookcase: 'Bücherregal',
  fabric: 'Stoff',
  'bath towel': 'Badetuch',
  'hand towel': 'Handtuch',
  'tea towel': 'Geschirrtuch',
  washcloth: 'Waschlappen',
  'bath mat': 'Badematte',
  'door mat': 'Fußmatte',
  handle: 'Griff',
  knob: 'Knauf',
  hook: 'Haken',
  hanger: 'Kleiderbügel',
  'soft toy': 'Stofftier',
  throw: 'Überwurf',
  bedspread: 'Tagesdecke',
  blanket: 'Decke',
  pillowcase: 'Kissenbezug',
  sheepskin: 'Schaffell',
  'plant pot': 'Blumentopf',
  'potted plant': 'Topfpflanze',
  vase: 'Vase',
  bowl: 'Schüssel',
  'serving bowl': 'Servierschüssel',
  basket: 'Korb',
  curtains: 'Vorhänge',
  'shower curtain': 'Duschvorhang',
  'bed frame': 'Bett',
  'bunk bed frame': 'Etagenbett',
  'loft bed frame': 'Hochbett',
  cot: 'Gitterbett',
  'three-seat sofa': 'Dreisitzer-Sofa',
  'two-seat sofa': 'Zweisitzer-Sofa',
  'three-seat sofa-bed': 'Schlafsofa',
  'two-seat sofa-bed': 'Schlafsofa',
  'chest of 2 drawers': 'Kommode mit 2 Schubladen',
  'chest of 3 drawers': 'Kommode mit 3 Schubladen',
  'chest of 4 drawers': 'Kommode mit 4 Schubladen',
  'chest of 5 drawers': 'Kommode mit 5 Schubladen',
  'chest of 6 drawers': 'Kommode mit 6 Schubladen',
  'chest of 8 drawers': 'Kommode mit 8 Schubladen',
  sideboard: 'Anrichte',
  cabinet: 'Schrank',
  'high cabinet': 'Hochschrank',
  'wall cabinet': 'Wandschrank',
  'glass-door cabinet': 'Vitrine',
  'wall clock': 'Wanduhr',
  'jar with lid': 'Glas mit Deckel',
  'pot with lid': 'Topf mit Deckel',
  stool: 'Hocker',
  'step stool': 'Tritthocker',
  footstool: 'Fußhocker',
  bench: 'Bank',
  'outdoor bench': 'Gartenbank',
  oven: 'Backofen',
  'microwave oven': 'Mikrowelle',
  'kitchen mixer tap': 'Küchenarmatur',
  mug: 'Becher',
  plate: 'Teller',
  'deep plate': 'tiefer Teller',
  glass: 'Glas',
  'wine glass': 'Weinglas',
  tray: 'Tablett',
  coaster: 'Untersetzer',
  'place mat': 'Platzdeckchen',
  'chopping board': 'Schneidebrett',
  trolley: 'Servierwagen',
  'kitchen trolley': 'Küchenwagen',
  'tv bench': 'Fernsehbank',
  'soap dish': 'Seifenschale',
  'soap dispenser': 'Seifenspender',
  'toilet roll holder': 'Toilettenpapierhalter',
  'toothbrush holder': 'Zahnbürstenhalter',
  'clothes rack': 'Kleiderständer',
  'hat and coat stand': 'Garderobenständer',
  'magazine file': 'Zeitschriftensammler',
  noticeboard: 'Pinnwand',
  picture: 'Bild',
  greenhouse: 'Gewächshaus',
  parasol: 'Sonnenschirm',
  'watering can': 'Gießkanne',
  'roman blind': 'Faltrollo',
  'sleeping bag': 'Schlafsack',
  rattle: 'Rassel',
  'bed canopy': 'Betthimmel',
  'toy car': 'Spielzeugauto',
};

/** Colours, and what takes the place of one. */
const colours = {
  white: 'weiß',
  'off-white': 'cremeweiß',
  black: 'schwarz',
  grey: 'grau',
  'light grey': 'hellgrau',
  'dark grey': 'dunkelgrau',
  beige: 'beige',
  brown: 'braun',
  'light brown': 'hellbraun',
  'dark brown': 'dunkelbraun',
  'black-brown': 'schwarzbraun',
  green: 'grün',
  'light green': 'hellgrün',
  yellow: 'gelb',
  orange: 'orange',
  red: 'rot',
  pink: 'rosa',
  'light pink': 'hellrosa',
  lilac: 'lila',
  blue: 'blau',
  'light blue': 'hellblau',
  'dark blue': 'dunkelblau',
  turquoise: 'türkis',
  multicolour: 'bunt',
  bamboo: 'Bambus',
  pine: 'Kiefer',
  birch: 'Birke',
  oak: 'Eiche',
  rattan: 'Rattan',
  'clear glass': 'Klarglas',
  'stainless steel': 'Edelstahl',
};

const rooms = {
  Bedroom: ['a bedroom', 'ein Schlafzimmer'],
  'Living Room': ['a living room', 'ein Wohnzimmer'],
  'Baby Children Room': ["a children's room", 'ein Kinderzimmer'],
  Dining: ['a dining room', 'ein Esszimmer'],
  Kitchen: ['a kitchen', 'eine Küche'],
  Outdoor: ['a terrace with outdoor furniture', 'eine Terrasse mit Gartenmöbeln'],
  'Home Office': ['a home office', 'ein Arbeitszimmer'],
  Hallway: ['a hallway', 'ein Flur'],
  Laundry: ['a laundry room', 'eine Waschküche'],
};

/** Abbreviations that nobody says, and parts that are no thing of their own. */
const unsaid =
  /\b(w|wsh|stnd|ext|cab|frm|tbl|stor|combi|combo|mixer tap with|insert|set of)\b|\+|^(frame|leg|cover|rail)$/;

/** @type {import('../sources.mjs').Reading} */
export async function* read(tree) {
  /** @type {Map<string, Map<string, string>>} */
  const products = await table(tree, 'text_data/products_dict.p');
  /** @type {Map<string, string>} */
  const uses = await table(tree, 'text_data/categories_dict.p');
  /** @type {Map<string, Record<string, string[]>>} */
  const words = new Map();
  for (const product of products.values()) {
    const [path = '', type = '', colour = ''] = ['img', 'type', 'color'].map(
      (field) => product.get(field) ?? '',
    );
    const said = wordsOf(type.toLowerCase(), colour.toLowerCase());
    if (said !== undefined && tree.paths.includes(path)) words.set(path, said);
  }
  for (const path of tree.paths.filter((one) => one.startsWith('images/room_scenes/'))) {
    const [en, de] = lookUp(rooms, uses.get(path.replace(/^.*\//, '')) ?? '') ?? [];
    if (en !== undefined && de !== undefined) words.set(path, { en: [en], de: [de] });
  }
  for await (const { path, bytes } of tree.read([...words.keys()])) {
    const name = path
      .replace(/^images\/|\.jpg$/g, '')
      .slice(0, 80)
      .replaceAll(' ', '-');
    yield { name, picture: () => photograph(bytes), words: words.get(path) ?? {} };
  }
}

/**
 * @param {string} type "rug, flatwoven"
 * @param {string} colour "white,birch"
 */
function wordsOf(type, colour) {
  const [noun = '', kind = ''] = type.split(', ');
  const plain = `${/^(flatwoven|low pile|high pile|braided|outdoor)$/.test(kind) ? `${kind} ` : ''}${noun}`
    .replace(/,[^ ]+/, '')
    .trim();
  if (plain.length < 3 || unsaid.test(plain)) return undefined;
  const known = colour
    .split(',')
    .filter((one) => lookUp(colours, one) !== undefined)
    .slice(0, 2);
  const english = [...(known.length > 0 ? [known.join(' and ')] : []), plain].join(' ');
  const bare = lookUp(german, plain);
  const shade = known.map((one) => lookUp(colours, one)).join(' und ');
  return {
    en: [/curtains|fabric/.test(plain) ? english : article(english), plain],
    ...(bare === undefined ? {} : { de: [...(shade === '' ? [] : [`${bare}, ${shade}`]), bare] }),
  };
}

/** @param {string} name */
function article(name) {
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;
}

/**
 * @template T
 * @param {Record<string, T>} words
 * @param {string} key
 * @returns {T | undefined}
 */
function lookUp(words, key) {
  return Object.hasOwn(words, key) ? words[key] : undefined;
}

/**
 * A pickled dictionary.
 * @param {import('../tree.mjs').Tree} tree
 * @param {string} path
 * @returns {Promise<any>}
 */
async function table(tree, path) {
  const { readPickle } = await loadBuilt('checkpoint/formats/pickle');
  for await (const { bytes } of tree.read([path])) {
    const nothing = () => undefined;
    return readPickle(bytes, { file: path, find: nothing, persistent: () => null }).value;
  }
  throw new Error(`There is no ${path}.`);
}
