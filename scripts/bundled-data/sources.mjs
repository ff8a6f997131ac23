/** Where the pictures come from that the bundled model learns from: a row a source. */
import { classFolders } from './readings/class-folders.mjs';
import * as clipArt from './readings/clip-art.mjs';
import * as cocoCaptions from './readings/coco-captions.mjs';
import { emoji } from './readings/emoji.mjs';
import * as furniture from './readings/furniture.mjs';
import * as garments from './readings/garments.mjs';
import * as mulberry from './readings/mulberry.mjs';
import * as paintings from './readings/paintings.mjs';
import * as webPictures from './readings/web-pictures.mjs';
import * as wordCartoons from './readings/word-cartoons.mjs';

/**
 * A picture of a source with its words.
 * @typedef {object} Sample
 * @property {string} name in the archive, without the ending
 * @property {() => Promise<{ bytes: Buffer, ending: string }>} picture
 * @property {Record<string, string | readonly string[] | undefined>} words `label` or `wnid`, and captions by language
 */

/**
 * Reads one tree for each of the source's places, in their order.
 * @typedef {(...trees: import('./tree.mjs').Tree[]) => AsyncGenerator<Sample>} Reading
 */

/**
 * @typedef {object} Source
 * @property {readonly { place: string, version: string }[]} from repositories with commits, packages with versions
 * @property {Reading} read
 */

const github = (/** @type {string} */ repository, /** @type {string} */ version) => ({
  place: `github.com/${repository}`,
  version,
});
const npm = (/** @type {string} */ name, /** @type {string} */ version) => ({
  place: `npm ${name}`,
  version,
});
const emojiNames = npm('emojibase-data', '17.0.0');

const wnid = (/** @type {string} */ folder) => (folder === '' ? undefined : { wnid: folder });

/** @param {Record<string, string | Record<string, string[]>>} table labels or captions by folder */
const named = (table) => (/** @type {string} */ folder) => {
  const words = Object.hasOwn(table, folder) ? table[folder] : undefined;
  return typeof words === 'string' ? { label: words } : words;
};

const captcha = {
  airplane: 'airplane',
  'airplane in the sky flying left': 'airplane',
  bedroom: 'bedroom',
  bicycle: 'bicycle',
  bird: 'bird',
  boat: 'boat',
  bridge: 'bridge',
  bus: 'bus',
  'bus-motorbus': 'bus',
  motorbus: 'bus',
  car: 'car',
  'conference room': 'conference_room',
  dog: 'dog',
  'smiling dog': 'dog',
  'domestic cat': 'cat',
  elephant: 'elephant',
  giraffe: 'giraffe',
  horse: 'horse',
  lion: 'lion',
  'living room': 'living_room',
  motorcycle: 'motorcycle',
  parrot: 'parrot',
  plant: 'plant',
  seaplane: 'seaplane',
  train: 'train',
  truck: 'truck',
  'vertical river': 'river',
};

const streets = {
  Bicycle: 'bicycle',
  Bridge: 'bridge',
  Bus: 'bus',
  Car: 'car',
  Crosswalk: 'crosswalk',
  Hydrant: 'hydrant',
  Motorcycle: 'motorcycle',
  Palm: 'palm',
  'Traffic Light': 'traffic_light',
};

const fromAbove = {
  aGrass: {
    en: ['an aerial photo of grassland', 'a satellite image of a meadow'],
    de: ['ein Luftbild von Grasland'],
  },
  bField: {
    en: ['an aerial photo of farm fields', 'a satellite image of farmland'],
    de: ['ein Luftbild von Feldern'],
  },
  cIndustry: {
    en: ['an aerial photo of an industrial area', 'a satellite image of factories'],
    de: ['ein Luftbild von einem Industriegebiet'],
  },
  dRiverLake: {
    en: ['an aerial photo of a river or a lake', 'a satellite image of water'],
    de: ['ein Luftbild von einem Fluss oder See'],
  },
  eForest: {
    en: ['an aerial photo of a forest', 'a satellite image of trees'],
    de: ['ein Luftbild von einem Wald'],
  },
  fResident: {
    en: ['an aerial photo of a residential area', 'a satellite image of houses'],
    de: ['ein Luftbild von einem Wohngebiet'],
  },
  gParking: {
    en: ['an aerial photo of a parking lot', 'a satellite image of parked cars'],
    de: ['ein Luftbild von einem Parkplatz'],
  },
};

const textures = {
  banded: { en: ['a banded texture', 'stripes'], de: ['eine gebänderte Textur', 'Streifen'] },
  blotchy: { en: ['a blotchy texture', 'blotches'], de: ['eine fleckige Textur', 'Flecken'] },
  braided: {
    en: ['a braided texture', 'something braided'],
    de: ['eine geflochtene Textur', 'Geflochtenes'],
  },
  bubbly: { en: ['a bubbly texture', 'bubbles'], de: ['eine blasige Textur', 'Blasen'] },
  bumpy: { en: ['a bumpy texture', 'bumps'], de: ['eine holprige Textur', 'Höcker'] },
  chequered: {
    en: ['a chequered texture', 'a checkerboard pattern'],
    de: ['eine karierte Textur', 'ein Karomuster'],
  },
  cobwebbed: { en: ['a cobweb', 'a spider web'], de: ['ein Spinnennetz', 'Spinnweben'] },
  cracked: { en: ['a cracked texture', 'cracks'], de: ['eine rissige Textur', 'Risse'] },
  crosshatched: {
    en: ['a crosshatched texture', 'crosshatching'],
    de: ['eine kreuzschraffierte Textur', 'Kreuzschraffur'],
  },
  crystalline: { en: ['a crystalline texture', 'crystals'], de: ['eine kristalline Textur', 'Kristalle'] },
};

/** @type {Record<string, Source>} */
export const sources = {
  'coco-captions': {
    from: [github('Mike0429/COMP5329DeepLearningA2_ViT', 'cb8e6b3877b8c2bc4f8b291964b34b8cda375ba7')],
    read: cocoCaptions.read,
  },
  'web-pictures': {
    from: [github('heon01px2020/csci1470-prismer-final-project', 'e059e1606aef')],
    read: webPictures.read,
  },
  mulberry: { from: [github('cboard-org/cboard', 'a48ef1c81ea4')], read: mulberry.read },
  openmoji: {
    from: [npm('openmoji', '17.0.0'), emojiNames],
    read: emoji(/^package\/(?:color|black)\/svg\/([0-9A-F-]+)\.svg$/, (path) =>
      path.includes('/black/') ? 'lines' : 'colour',
    ),
  },
  'fluent-emoji': {
    from: [npm('@lobehub/fluent-emoji-3d', '1.1.0'), emojiNames],
    read: emoji(/assets\/([0-9a-f-]+)\.webp$/, () => 'render'),
  },
  'word-cartoons': {
    from: [
      github('gcompris/GCompris-gtk', '8146552bcecb'),
      { place: 'Debian gcompris-qt-data', version: '3.1-2' },
    ],
    read: wordCartoons.read,
  },
  'clip-art': { from: [{ place: 'Debian openclipart-svg', version: '1:0.18+dfsg-19' }], read: clipArt.read },
  'captcha-pictures': {
    from: [github('MaxAndolini/hCaptcha-Images', 'b59c81699536')],
    read: classFolders(/^([^/]+)\/[^/]+\.(?:jpe?g|png)$/, 350, named(captcha)),
  },
  'street-pictures': {
    from: [github('deathlyface/recaptcha-dataset', '7ebebbef2644')],
    read: classFolders(/^Large\/([^/]+)\/[^/]+\.png$/, 150, named(streets)),
  },
  imagenette: {
    from: [github('thunderInfy/imagenette', 'b850f030ff07')],
    read: classFolders(/^train\/(n\d+)\//, 120, wnid),
  },
  imagewoof: {
    from: [github('thunderInfy/imagewoof', '6338aeea0989')],
    read: classFolders(/^train\/(n\d+)\//, 120, wnid),
  },
  'mini-imagenet': {
    from: [github('Deo0330/split_minidataset', '557ebcae0db2')],
    read: classFolders(/^train\/(n\d+)\//, 60, wnid),
  },
  // The first 250 pictures of a class stand in ../shared/data.
  'tiny-imagenet': {
    from: [github('seshuad/IMagenet', '153dbc161ab7')],
    read: classFolders(
      /^tiny-imagenet-200\/train\/(n\d+)\/images\/n\d+_(?:2[5-9]\d|[34]\d\d)\.JPEG$/,
      100,
      wnid,
    ),
  },
  instruments: {
    from: [github('aizadaaskar/dl-homework', 'e1f4d1754dd7')],
    read: classFolders(/^train\/([^/]+)\//, 70, (folder) =>
      folder === '' ? undefined : { label: folder.replaceAll(' ', '_') },
    ),
  },
  furniture: { from: [github('IvonaTau/ikea', '6f316e3fecf8')], read: furniture.read },
  'from-above': {
    from: [github('palewithout/RSSCN7', '6d77849df87d')],
    read: classFolders(/^([a-g][A-Z][A-Za-z]+)\/[^/]+\.jpg$/, 150, named(fromAbove)),
  },
  textures: {
    from: [github('pan8915/DeepTexture', '0905c892e527')],
    read: classFolders(/^images\/([a-z]+)\/[^/]+\.jpg$/, 120, named(textures)),
  },
  paintings: {
    from: [
      github('eliogrande/TheEndlessTuning_WikiArt224', '7a1ba60d3b8c'),
      { place: '../shared/data/teacher', version: 'MobileNetV2 of google-coral' },
    ],
    read: paintings.read,
  },
  garments: {
    from: [
      github('tanmay0401/multimodal-recommendation-engine', 'a86a10b3b5cc'),
      github('animmala3942/FashionProductRecommendationSystem', '91e8036739fe'),
    ],
    read: garments.read,
  },
};
