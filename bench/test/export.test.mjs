/** The folders that eidos exports run in transformers.js: the same tokens, the same embeddings, its pipeline too. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exporting, library } from '../src/eidos.mjs';
import { writeTinyModel } from '../src/tiny-model.mjs';
import { transformersJs } from '../src/transformers-js.mjs';

const bundled = fileURLToPath(new URL('../../models/eidos-small/model.safetensors', import.meta.url));
const fixtures = fileURLToPath(new URL('../../../shared/fixtures', import.meta.url));
const sentences = ['a photo of a dog', 'the red square', 'Zwei  Wörter, 3 numbers & more!'];

/** @type {string} */
let work;
before(async () => {
  work = await mkdtemp(join(tmpdir(), 'eidos-peers-'));
});
after(() => rm(work, { recursive: true, force: true }));

/** @param {ArrayLike<number | bigint>} a @param {ArrayLike<number>} b */
function distance(a, b) {
  assert.equal(a.length, b.length);
  return Array.from(a, (value, i) => Math.abs(Number(value) - Number(b[i]))).reduce(
    (x, y) => Math.max(x, y),
    0,
  );
}

/** @param {number} count @param {number} side */
function pixelsOf(count, side) {
  const data = Float32Array.from({ length: count * 3 * side * side }, (_, i) => Math.sin(i * 0.21) * 2);
  return { data, shape: [count, 3, side, side] };
}

/**
 * Opens the model here and its export there.
 * @param {string} source
 * @param {string} name
 */
async function bothSides(source, name) {
  const folder = join(work, name);
  const { exportOnnx } = await exporting();
  await exportOnnx(source, folder);
  const { loadClip } = await library();
  return { clip: await loadClip(source), folder, ...(await transformersJs(folder)) };
}

/** @param {string} name @param {() => Promise<string>} source */
function sameAsHere(name, source) {
  test(name, { timeout: 120_000 }, async () => {
    const { clip, peer, name: folder } = await bothSides(await source(), name.replaceAll(' ', '-'));
    try {
      const side = Number(clip.config.architecture.image.imageSize);
      const { contextLength } = clip.config.architecture.text;
      const pixels = pixelsOf(3, side);
      const pixelValues = await tensor(pixels.data, pixels.shape);

      const vision = await peer.CLIPVisionModelWithProjection.from_pretrained(folder, { dtype: 'fp32' });
      const { image_embeds: images } = await vision({ pixel_values: pixelValues });
      const ourImages = await clip.embedPixels(pixels, { normalize: false });
      assert.ok(distance(images?.data ?? [], ourImages.data) < 2e-4);

      const tokenizer = await peer.AutoTokenizer.from_pretrained(folder);
      const inputs = tokenizer(sentences, { padding: true, truncation: true });
      const rows = (await clip.tokenizer()).tokenize(sentences).data;
      const length = inputs.input_ids?.dims[1] ?? 0;
      assert.ok(length < contextLength, 'rows are only as long as the longest sentence');
      for (let row = 0; row < sentences.length; row++) {
        const theirs = inputs.input_ids?.data.slice(row * length, (row + 1) * length);
        assert.deepEqual(
          [...(theirs ?? [])],
          [...rows.subarray(row * contextLength, row * contextLength + length)],
        );
      }

      const text = await peer.CLIPTextModelWithProjection.from_pretrained(folder, { dtype: 'fp32' });
      const { text_embeds: texts } = await text(inputs);
      const ourTexts = await clip.embedTexts(sentences, { normalize: false });
      assert.ok(distance(texts?.data ?? [], ourTexts.data) < 2e-4);

      const whole = await peer.CLIPModel.from_pretrained(folder, { dtype: 'fp32' });
      const compared = await whole({ ...inputs, pixel_values: pixelValues });
      const unit = { images: await clip.embedPixels(pixels), texts: await clip.embedTexts(sentences) };
      assert.ok(distance(compared.image_embeds?.data ?? [], unit.images.data) < 1e-5);
      assert.ok(distance(compared.text_embeds?.data ?? [], unit.texts.data) < 1e-5);
      const logits = clip.similarity(unit.images, unit.texts).data.map((cosine) => cosine * clip.logitScale);
      assert.deepEqual(compared.logits_per_image?.dims, [3, 3]);
      assert.ok(distance(compared.logits_per_image?.data ?? [], logits) < 2e-3);
    } finally {
      await clip.close();
    }
  });
}

/** @param {Float32Array | BigInt64Array} data @param {number[]} dims */
async function tensor(data, dims) {
  const package_ = '@huggingface/transformers';
  const { Tensor } = await import(package_);
  return new Tensor(data instanceof Float32Array ? 'float32' : 'int64', data, dims);
}

describe('an exported folder in transformers.js', () => {
  sameAsHere('a tiny model', async () => {
    const folder = join(work, 'tiny-source');
    await writeTinyModel(folder);
    return folder;
  });

  const missing = existsSync(bundled) ? false : 'models/eidos-small is not there';
  if (missing) test('the bundled model', { skip: missing }, () => {});
  else sameAsHere('the bundled model', async () => dirname(bundled));

  test('the pipeline for zero-shot classification', { timeout: 120_000 }, async () => {
    const source = join(work, 'pipeline-source');
    await writeTinyModel(source);
    const { clip, folder, peer } = await bothSides(source, 'pipeline');
    try {
      const { default: sharp } = await import('sharp');
      const picture = join(work, 'picture.png');
      await sharp({ create: { width: 64, height: 64, channels: 3, background: '#c03020' } })
        .png()
        .toFile(picture);
      const labels = ['dog', 'red square', 'cat'];
      const package_ = '@huggingface/transformers';
      const { pipeline } = await import(package_);
      assert.equal(peer.env.allowRemoteModels, false);
      const classify = await pipeline('zero-shot-image-classification', 'pipeline', { dtype: 'fp32' });
      const theirs = await classify(picture, labels, { hypothesis_template: 'a photo of {}' });
      const { createZeroShotClassifier } = await library();
      const classifier = await createZeroShotClassifier(clip, labels, {
        templates: ['a photo of {}'],
        classCache: false,
      });
      const [answer] = await classifier.classify(picture);
      assert.ok(answer && 'results' in answer);
      // A plain picture is the same however it is resized.
      for (const { label, score } of theirs) {
        const ours = answer.results.find((result) => result.label === label);
        assert.ok(Math.abs(score - (ours?.probability ?? Number.NaN)) < 1e-3, `${label} in ${folder}`);
      }
    } finally {
      await clip.close();
    }
  });

  const published = existsSync(fixtures) ? false : 'the reference fixtures are not beside this clone';
  test('SigLIP by the names of its own classes', { skip: published, timeout: 120_000 }, async () => {
    const { clip, peer, name } = await bothSides(join(fixtures, 'siglip-hf'), 'siglip');
    try {
      const { image, text } = clip.config.architecture;
      const pixels = pixelsOf(2, Number(image.imageSize));
      const ids = BigInt64Array.from({ length: 2 * text.contextLength }, (_, i) =>
        BigInt((i * 7 + 1) % text.vocabularySize),
      );
      const shape = [2, text.contextLength];
      const feeds = {
        pixel_values: await tensor(pixels.data, pixels.shape),
        input_ids: await tensor(ids, shape),
      };
      const vision = await peer.SiglipVisionModel.from_pretrained(name, { dtype: 'fp32' });
      const images = await clip.embedPixels(pixels, { normalize: false });
      assert.ok(distance((await vision(feeds)).pooler_output?.data ?? [], images.data) < 2e-4);
      const tower = await peer.SiglipTextModel.from_pretrained(name, { dtype: 'fp32' });
      const texts = await clip.embedTokens({ data: ids, shape }, { normalize: false });
      assert.ok(distance((await tower(feeds)).pooler_output?.data ?? [], texts.data) < 2e-4);
      const whole = await peer.SiglipModel.from_pretrained(name, { dtype: 'fp32' });
      const { logits_per_image: logits } = await whole(feeds);
      const ours = clip
        .similarity(images, texts)
        .data.map((cosine) => cosine * clip.logitScale + clip.logitBias);
      assert.ok(distance(logits?.data ?? [], ours) < 2e-3);
    } finally {
      await clip.close();
    }
  });
});
