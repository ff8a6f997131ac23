/**
 * How far probabilities of hits can be trusted: fitted on the validation part of a captioned set, measured on its test
 * part. `--save` writes the fit beside the model's weights, where `eidos search` finds it.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { evaluation, library, searching } from './eidos.mjs';

const { values: options } = parseArgs({
  options: {
    dataset: {
      type: 'string',
      default: fileURLToPath(new URL('../../../shared/data/flickr8k', import.meta.url)),
    },
    model: { type: 'string' },
    save: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const { loadClip } = await library();
const { openDataset } = await evaluation();
const search = await searching();

/** @typedef {import('../../src/index.ts').Clip} Clip */
/** @typedef {import('../../src/tasks/search/index.ts').JudgedQuery} JudgedQuery */
/** @typedef {JudgedQuery & { own: number }} OwnQuery */

/** Words are queries where so many pictures of the part show them. */
const usualWords = { least: 8, most: 400 };

const clip = await loadClip(options.model);
const validation = await part('val');
const test = await part('test');

const background = search.momentsOf(validation.images.data, clip.embeddingSize);
const weights = {
  text: search.fitRelevance(validation.images, [validation.captions, validation.words], background),
  image: search.fitRelevance(validation.images, [validation.pictures], background),
};
if (options.save !== undefined) await search.saveCalibration(options.save, clip, { background, weights });

const half = Math.floor(test.captions.length / 2);
const indexed = {
  data: test.images.data.slice(0, half * clip.embeddingSize),
  shape: [half, clip.embeddingSize],
};
/** @param {boolean} isIndexed */
const captionsOf = (isIndexed) =>
  test.captions.filter(({ own }) => own < half === isIndexed).map(({ vector }) => vector);

const results = {
  model: clip.config.model,
  weights,
  hits: {
    sentences: search.measureHits(test.images, test.captions, weights.text, background),
    words: search.measureHits(test.images, test.words, weights.text, background),
    pictures: search.measureHits(test.images, test.pictures, weights.image, background),
  },
  answers: search.measureAnswers(
    indexed,
    { answerable: captionsOf(true), unanswerable: captionsOf(false) },
    weights.text,
    background,
  ),
};
await clip.close();
if (options.json) console.log(JSON.stringify(results));
else print();

/**
 * A part of the set with queries of three kinds: a sentence of each picture, usual words, the pictures themselves.
 * @param {string} split
 */
async function part(split) {
  const dataset = await openDataset(options.dataset, { split });
  const samples = [];
  for await (const sample of dataset.samples()) samples.push(sample);
  const images = await clip.embedImages(
    samples.map(({ image }) => /** @type {import('../../src/index.ts').ImageSource} */ (image)),
  );
  const captions = samples.map((sample) => sample.captions.en ?? []);
  const judged = captions.map(search.captionedPicture);
  const sentences = captions.map((own, i) => own[i % own.length] ?? '');
  const words = search.wordQueries(captions, usualWords);
  return {
    images,
    captions: await queries(sentences, judged),
    words: await queries(words, judged, false),
    pictures: captions.map((own, i) => ({
      own: i,
      vector: rowOf(images, i),
      /** @param {number} row */
      fits: (row) => (row === i ? undefined : own.some((text) => fitsLongQuery(text, judged[row]))),
    })),
  };
}

/**
 * @param {readonly string[]} texts
 * @param {readonly import('../../src/tasks/search/index.ts').CaptionedPicture[]} judged
 * @returns {Promise<OwnQuery[]>}
 */
async function queries(texts, judged, haveOwn = true) {
  const embeddings = await clip.embedTexts(texts);
  return texts.map((text, i) => {
    const words = search.contentWords(text);
    return {
      own: i,
      vector: rowOf(embeddings, i),
      fits: (row) => (haveOwn && row === i) || search.fits(words, judged[row] ?? new Map()),
    };
  });
}

/** @param {string} text @param {import('../../src/tasks/search/index.ts').CaptionedPicture | undefined} picture */
function fitsLongQuery(text, picture) {
  const words = search.contentWords(text);
  return words.size > 1 && picture !== undefined && search.fits(words, picture) === true;
}

/** @param {import('../../src/index.ts').Embeddings} embeddings @param {number} row */
function rowOf({ data, shape }, row) {
  const width = shape[1] ?? 0;
  return data.slice(row * width, (row + 1) * width);
}

function print() {
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)} %`;
  console.log(`${results.model} on ${options.dataset}\n`);
  console.log('first ten hits of        queries   of them fit   AUROC   calibration error');
  for (const [name, { queries, fitting, hitAuroc, calibrationError }] of Object.entries(results.hits)) {
    console.log(
      `${name.padEnd(22)} ${String(queries).padStart(9)} ${percent(fitting).padStart(13)} ${hitAuroc.toFixed(3).padStart(7)} ${percent(calibrationError).padStart(19)}`,
    );
  }
  const { answerable, unanswerable, auroc, rightlyEmpty, wronglyEmpty, emptyIsRight } = results.answers;
  console.log(
    `\nSentences whose picture is in the index (${answerable}) against those whose picture is not (${unanswerable}): AUROC ${auroc.toFixed(3)}.`,
  );
  console.log(
    `Advised cut-off ${percent(weights.text.cutOff)}: empty answers for ${percent(rightlyEmpty)} of the latter, ${percent(wronglyEmpty)} of the former; ${percent(emptyIsRight)} of the empty answers are right.`,
  );
}
