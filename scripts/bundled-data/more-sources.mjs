/** Sources of drawings and of classes in folders, rows as in sources.mjs. */
import { classFolders } from './readings/class-folders.mjs';
import * as webPictures from './readings/web-pictures.mjs';
import { emojiDrawings, mulberry } from './readings/drawings.mjs';

const emoji = process.env.EMOJIBASE_DATA ?? '';
const wnid = (/** @type {string} */ folder) => (folder === '' ? undefined : { wnid: folder });
const labelled = (/** @type {Record<string, string>} */ table) => (/** @type {string} */ folder) =>
  folder in table ? { label: table[folder] ?? '' } : undefined;

const captcha = {
  airplane: 'airplane', 'airplane in the sky flying left': 'airplane', bedroom: 'bedroom', bicycle: 'bicycle', bird: 'bird',
  boat: 'boat', bridge: 'bridge', bus: 'bus', 'bus-motorbus': 'bus', motorbus: 'bus', car: 'car',
  'conference room': 'conference_room', dog: 'dog', 'smiling dog': 'dog', 'domestic cat': 'cat', elephant: 'elephant',
  giraffe: 'giraffe', horse: 'horse', lion: 'lion', 'living room': 'living_room', motorcycle: 'motorcycle',
  parrot: 'parrot', plant: 'plant', seaplane: 'seaplane', train: 'train', truck: 'truck', 'vertical river': 'river',
};
const streets = {
  Bicycle: 'bicycle', Bridge: 'bridge', Bus: 'bus', Car: 'car', Crosswalk: 'crosswalk', Hydrant: 'hydrant',
  Motorcycle: 'motorcycle', Palm: 'palm', 'Traffic Light': 'traffic_light',
};

/** @type {Record<string, import('./sources.mjs').Source>} */
export const moreSources = {
  'web-pictures': { from: 'github.com/heon01px2020/csci1470-prismer-final-project', version: 'e059e1606aef', read: webPictures.read },
  mulberry: { from: 'github.com/cboard-org/cboard', version: 'a48ef1c81ea4', read: mulberry },
  openmoji: {
    from: 'npm openmoji, names of npm emojibase-data (folder in EMOJIBASE_DATA)', version: '17.0.0',
    read: emojiDrawings(emoji, /^package\/(?:color|black)\/svg\/([0-9A-F-]+)\.svg$/, (path) => (path.includes('/black/') ? 'lines' : 'colour')),
  },
  'fluent-emoji': {
    from: 'npm @lobehub/fluent-emoji-3d, names of npm emojibase-data (folder in EMOJIBASE_DATA)', version: '1.1.0',
    read: emojiDrawings(emoji, /assets\/([0-9a-f-]+)\.webp$/, () => 'render'),
  },
  'captcha-pictures': { from: 'github.com/MaxAndolini/hCaptcha-Images', version: 'b59c81699536', read: classFolders(/^([^/]+)\/[^/]+\.(?:jpe?g|png)$/, 350, labelled(captcha)) },
  'street-pictures': { from: 'github.com/deathlyface/recaptcha-dataset', version: '7ebebbef2644', read: classFolders(/^Large\/([^/]+)\/[^/]+\.png$/, 150, labelled(streets)) },
  imagenette: { from: 'github.com/thunderInfy/imagenette', version: 'b850f030ff07', read: classFolders(/^train\/(n\d+)\//, 120, wnid) },
  imagewoof: { from: 'github.com/thunderInfy/imagewoof', version: '6338aeea0989', read: classFolders(/^train\/(n\d+)\//, 120, wnid) },
  'mini-imagenet': { from: 'github.com/Deo0330/split_minidataset', version: '557ebcae0db2', read: classFolders(/^train\/(n\d+)\//, 60, wnid) },
  instruments: { from: 'github.com/aizadaaskar/dl-homework', version: 'e1f4d1754dd7', read: classFolders(/^train\/([^/]+)\//, 70, (folder) => (folder === '' ? undefined : { label: folder })) },
};
