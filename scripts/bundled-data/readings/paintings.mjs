/**
 * Paintings of WikiArt by number, without titles. Taken are those in which a classifier of ImageNet is sure to see land,
 * water, buildings or fruit: what it takes for animals is people as often as not, and many of these wear nothing.
 */
import * as ort from 'onnxruntime-node';
import sharp from 'sharp';
import { withoutBars } from '../bars.mjs';
import { photograph } from '../picture.mjs';

/** The classifier's file, in the second tree, and the side of the pictures that it is shown. */
const classifier = 'mobilenet_v2.onnx';
const side = 192;

/** Four of seven styles; in the others figures without clothes pass for shores. */
const styles = /^WikiArt\/[0134]\/\d+\.jpg$/;

/** Looked at, and left out. */
const leftOut = new Set(/** @type {string[]} */ ([]));

/** What the classes of ImageNet are together, how sure of that one has to be, and how it is said. */
const motifs = {
  sea: {
    classes: [972, 976, 977, 978],
    sure: 0.65,
    en: ['a painting of the sea', 'a painting of a coast', 'a seascape'],
    de: ['ein Gemälde vom Meer', 'ein Gemälde einer Küste'],
  },
  lake: {
    classes: [975],
    sure: 0.5,
    en: ['a painting of a landscape with water', 'a landscape painting with a lake or a river'],
    de: ['ein Gemälde einer Landschaft mit Wasser'],
  },
  mountains: {
    classes: [970, 979, 980],
    sure: 0.5,
    en: ['a landscape painting', 'a painting of hills and trees', 'a painting of a landscape'],
    de: ['ein Landschaftsgemälde', 'ein Gemälde einer Landschaft'],
  },
  boats: {
    classes: [472, 484, 536, 554, 576, 625, 724, 780, 814, 871, 914],
    sure: 0.7,
    en: ['a painting of boats', 'a painting of ships on the water'],
    de: ['ein Gemälde von Booten', 'ein Gemälde von Schiffen auf dem Wasser'],
  },
  buildings: {
    classes: [425, 449, 483, 497, 538, 660, 663, 668, 698, 832],
    sure: 0.6,
    en: ['a painting of buildings', 'a painting of houses', 'a painting of a village or a town'],
    de: ['ein Gemälde von Gebäuden', 'ein Gemälde von Häusern'],
  },
  fruit: {
    classes: [941, 942, 943, 948, 949, 950, 951, 952, 953, 954, 956, 957],
    sure: 0.6,
    en: ['a painting of fruit', 'a still life with fruit', 'a still life painting'],
    de: ['ein Gemälde von Obst', 'ein Stillleben mit Obst'],
  },
};

/** @type {import('../sources.mjs').Reading} */
export async function* read(paintings, teacher) {
  const probabilities = await classifierOf(teacher);
  const paths = paintings.paths.filter((path) => styles.test(path));
  for await (const { path, bytes } of paintings.read(paths)) {
    const cut = await withoutBars(bytes);
    if (cut === undefined) continue;
    const found = await probabilities(bytes, cut);
    const motif = Object.values(motifs).find(
      ({ classes, sure }) => classes.reduce((sum, one) => sum + (found[one] ?? 0), 0) >= sure,
    );
    const name = path.replace(/^WikiArt\/|\.jpg$/g, '').replace('/', '-');
    if (motif === undefined || leftOut.has(name)) continue;
    yield { name, picture: () => photograph(bytes, cut), words: { en: motif.en, de: motif.de } };
  }
}

/**
 * Probabilities of ImageNet's 1,000 classes for what is cut out of a picture.
 * @param {import('../tree.mjs').Tree} tree with the classifier, whose first class is "background"
 */
async function classifierOf(tree) {
  /** @type {import('onnxruntime-node').InferenceSession | undefined} */
  let session;
  for await (const { bytes } of tree.read([classifier])) {
    session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  }
  return async (/** @type {Buffer} */ picture, /** @type {import('sharp').Region} */ cut) => {
    const pixels = await sharp(picture)
      .extract(cut)
      .resize(side, side, { fit: 'fill' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer();
    const planes = new Float32Array(3 * side * side);
    for (const [place, value] of pixels.entries()) {
      planes[(place % 3) * side * side + Math.floor(place / 3)] = value / 127.5 - 1;
    }
    const outputs = await session?.run({ input: new ort.Tensor('float32', planes, [1, 3, side, side]) });
    const logits = /** @type {Float32Array} */ (outputs?.logits?.data);
    const most = Math.max(...logits);
    const powers = Array.from(logits, (logit) => Math.exp(logit - most));
    const sum = powers.reduce((all, power) => all + power, 0);
    return powers.slice(1).map((power) => power / sum);
  };
}
