/** What an exported folder holds, and that its programs give the embeddings of the model that they come from. */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/index.ts';
import type { Clip } from '../../src/clip/clip.ts';
import { cosineSimilarity } from '../../src/clip/embeddings.ts';
import { loadClip } from '../../src/clip/load.ts';
import { squareSide } from '../../src/models/sides.ts';
import { exportOnnx } from '../../src/tasks/export/export.ts';
import { exportPrograms } from '../../src/tasks/export/programs.ts';
import { writeModel } from '../../src/tasks/export/write-model.ts';
import { loadTokenizer } from '../../src/text/load-tokenizer.ts';
import { sharedFixtures } from '../fixtures.ts';
import { writeTinyModel } from '../tiny-model.ts';

let work: string;
let tiny: string;
let clip: Clip;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'eidos-export-'));
  tiny = await writeTinyModel();
  clip = await loadClip(tiny, { threads: 1 });
});
afterAll(async () => {
  await clip.close();
  for (const folder of [work, tiny]) await rm(folder, { recursive: true, force: true });
});

const sentences = ['a photo of a dog', 'the red square'];

function pixelTensor(count: number, side: number): Tensor {
  const data = Float32Array.from({ length: count * 3 * side * side }, (_, i) => Math.sin(i * 0.37) * 2);
  return new Tensor('float32', data, [count, 3, side, side]);
}

async function run(path: string, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1 });
  expect([...session.inputNames].sort()).toEqual(Object.keys(feeds).sort());
  const outputs = await session.run(feeds);
  await session.release();
  return outputs as Record<string, Tensor>;
}

/** The largest difference of two arrays of numbers. */
function distance(a: Tensor['data'] | undefined, b: ArrayLike<number>): number {
  expect(a?.length).toBe(b.length);
  return Array.from(b, (value, i) => Math.abs(value - Number(a![i]))).reduce((x, y) => Math.max(x, y), 0);
}

describe('a model of Hugging Face’s kind', () => {
  let folder: string;
  beforeAll(async () => {
    folder = join(work, 'tiny');
    const result = await exportOnnx(tiny, folder);
    expect(result.tokens).toBe('any');
    const names = result.files.map(({ name }) => name).sort();
    expect(names).toEqual([
      'config.json',
      'onnx/model.onnx',
      'onnx/text_model.onnx',
      'onnx/vision_model.onnx',
      'preprocessor_config.json',
      'special_tokens_map.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect((await readdir(work)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('its image program gives the embeddings', async () => {
    const pixels = pixelTensor(3, 32);
    const { image_embeds: embeds } = await run(join(folder, 'onnx/vision_model.onnx'), {
      pixel_values: pixels,
    });
    const shape = [...pixels.dims];
    const expected = await clip.embedPixels(
      { data: pixels.data as Float32Array, shape },
      { normalize: false },
    );
    expect(embeds!.dims).toEqual(expected.shape);
    expect(distance(embeds!.data, expected.data)).toBeLessThan(1e-5);
  });

  test('its text program takes rows of any length', async () => {
    const { data } = await clip.embedTexts(sentences, { normalize: false });
    const full = (await clip.tokenizer()).tokenize(sentences);
    for (const length of [12, 40, 50]) {
      const ids = new BigInt64Array(2 * length);
      for (const row of [0, 1])
        ids.set(full.data.subarray(row * 40, row * 40 + Math.min(length, 40)), row * length);
      const fed = { input_ids: new Tensor('int64', ids, [2, length]) };
      const { text_embeds: embeds } = await run(join(folder, 'onnx/text_model.onnx'), fed);
      expect(distance(embeds!.data, data)).toBeLessThan(1e-5);
    }
  });

  test('its whole program compares unit vectors, whatever the mask says', async () => {
    const pixels = pixelTensor(3, 32);
    const { data, shape } = (await clip.tokenizer()).tokenize(sentences);
    const ids = new Tensor('int64', data, shape);
    const mask = new Tensor('int64', new BigInt64Array(data.length), shape);
    const fed = { pixel_values: pixels, input_ids: ids, attention_mask: mask };
    const outputs = await run(join(folder, 'onnx/model.onnx'), fed);
    const images = await clip.embedPixels({ data: pixels.data as Float32Array, shape: [3, 3, 32, 32] });
    const texts = await clip.embedTexts(sentences);
    expect(distance(outputs.image_embeds!.data, images.data)).toBeLessThan(1e-5);
    expect(distance(outputs.text_embeds!.data, texts.data)).toBeLessThan(1e-5);
    const logits = cosineSimilarity(images, texts).data.map((cosine) => cosine * clip.logitScale);
    expect(outputs.logits_per_image!.dims).toEqual([3, 2]);
    expect(distance(outputs.logits_per_image!.data, logits)).toBeLessThan(1e-3);
    const turned = [0, 2, 4, 1, 3, 5].map((i) => logits[i]!);
    expect(outputs.logits_per_text!.dims).toEqual([2, 3]);
    expect(distance(outputs.logits_per_text!.data, turned)).toBeLessThan(1e-3);
  });

  test.each(['fp16', 'int8'] as const)('%s gives nearly the same', async (dtype) => {
    const target = join(work, dtype);
    const { files } = await exportOnnx(tiny, target, { dtype });
    expect(files.map(({ name }) => name)).toContain(`onnx/vision_model_${dtype}.onnx`);
    const pixels = pixelTensor(2, 32);
    const { image_embeds: embeds } = await run(join(target, `onnx/vision_model_${dtype}.onnx`), {
      pixel_values: pixels,
    });
    const expected = await clip.embedPixels({ data: pixels.data as Float32Array, shape: [2, 3, 32, 32] });
    const cosines = cosineSimilarity({ data: embeds!.data as Float32Array, shape: expected.shape }, expected);
    expect(cosines.data[0]).toBeGreaterThan(0.999);
    expect(cosines.data[3]).toBeGreaterThan(0.999);
  });

  test('weights over the limit lie in a file beside the program', async () => {
    const target = join(work, 'large');
    await mkdir(target);
    const { architecture, parameters } = await openCheckpoint(tiny);
    const program = exportPrograms(architecture).find(({ name }) => name === 'vision_model')!;
    const path = join(target, 'vision_model.onnx');
    const sizes = await writeModel(path, program, { weights: parameters, dtype: 'fp32', limit: 10_000 });
    expect((await readFile(path)).length).toBe(sizes.bytes);
    expect((await readFile(`${path}_data`)).length).toBe(sizes.dataBytes);
    const pixels = pixelTensor(1, 32);
    const { image_embeds: embeds } = await run(path, { pixel_values: pixels });
    const inside = await run(join(folder, 'onnx/vision_model.onnx'), { pixel_values: pixels });
    expect(distance(embeds!.data, inside.image_embeds!.data as Float32Array)).toBe(0);
  });
});

describe('folders', () => {
  test('what holds something is not replaced unless asked', async () => {
    const folder = join(work, 'mine');
    await mkdir(folder);
    await writeFile(join(folder, 'letter.txt'), 'dear');
    await expect(exportOnnx(tiny, folder)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(/not empty \(letter\.txt\).*--force/),
    });
    expect(await readdir(folder)).toEqual(['letter.txt']);
    await exportOnnx(tiny, folder, { force: true });
    expect(await readdir(folder)).toContain('onnx');
    expect(await readdir(folder)).not.toContain('letter.txt');
  });

  test('nothing is left behind where the model cannot be exported', async () => {
    const folder = join(work, 'never');
    await expect(exportOnnx(join(work, 'nowhere'), folder)).rejects.toThrow('nowhere');
    await expect(exportOnnx(tiny, folder, { dtype: 'int4' as 'int8' })).rejects.toThrow('dtype is "int4"');
    await expect(exportOnnx(tiny, join(tiny, 'config.json'))).rejects.toMatchObject({
      code: 'invalid_option',
    });
    expect(await readdir(work)).not.toContain('never');
  });

  test('a model without tokenizer is exported with a warning', async () => {
    const bare = join(work, 'bare');
    await mkdir(bare);
    await copyFile(join(tiny, 'model.safetensors'), join(bare, 'model.safetensors'));
    await copyFile(join(tiny, 'config.json'), join(bare, 'config.json'));
    const warnings: string[] = [];
    await exportOnnx(bare, join(work, 'from-bare'), { onWarning: (message) => warnings.push(message) });
    expect(warnings).toEqual([expect.stringContaining('has no tokenizer')]);
    expect(await readdir(join(work, 'from-bare'))).not.toContain('tokenizer.json');
    const other = join(work, 'from-bare-with-tokenizer');
    await exportOnnx(bare, other, { tokenizer: tiny });
    expect(await readdir(other)).toContain('tokenizer.json');
  });

  test('a tokenizer of merges becomes a tokenizer.json with the same ids', async () => {
    const merged = join(work, 'merged');
    await mkdir(merged);
    for (const name of ['model.safetensors', 'config.json', 'vocab.json', 'merges.txt']) {
      await copyFile(join(tiny, name), join(merged, name));
    }
    const target = join(work, 'from-merged');
    await exportOnnx(merged, target);
    const config = JSON.parse(await readFile(join(target, 'tokenizer_config.json'), 'utf8'));
    expect(config.model_max_length).toBe(40);
    const [before, after] = [await loadTokenizer(merged), await loadTokenizer(target)];
    for (const text of [...sentences, 'Blue  cats, été!'])
      expect(after.encode(text)).toEqual(before.encode(text));
  });
});

describe.skipIf(sharedFixtures === undefined)('published layouts', () => {
  const models = ['vit-tiny', 'rn-tiny', 'clip-hf', 'siglip-hf'];
  test.each(models)('%s gives the same embeddings', async (name) => {
    const folder = join(work, name);
    const source = `${sharedFixtures}${name}/model.safetensors`;
    const result = await exportOnnx(source, folder);
    const siglip = name === 'siglip-hf';
    expect(result.tokens).toBe(siglip ? 12 : 'any');
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
    expect(config.model_type).toBe(siglip ? 'siglip' : 'clip');
    const model = await loadClip(source, { threads: 1 });
    try {
      const side = squareSide(model.config.architecture.image.imageSize, 'this test');
      const pixels = pixelTensor(2, side);
      const images = await run(join(folder, 'onnx/vision_model.onnx'), { pixel_values: pixels });
      const expected = await model.embedPixels(
        { data: pixels.data as Float32Array, shape: [2, 3, side, side] },
        { normalize: false },
      );
      const key = siglip ? 'pooler_output' : 'image_embeds';
      expect(distance(images[key]!.data, expected.data)).toBeLessThan(1e-4);

      const { contextLength, vocabularySize } = model.config.architecture.text;
      const ids = BigInt64Array.from({ length: contextLength }, (_, i) =>
        BigInt((i * 7 + 1) % vocabularySize),
      );
      const tokens = new Tensor('int64', ids, [1, contextLength]);
      const texts = await run(join(folder, 'onnx/text_model.onnx'), { input_ids: tokens });
      const sentence = await model.embedTokens({ data: ids, shape: [1, contextLength] });
      const embedded = texts[siglip ? 'pooler_output' : 'text_embeds']!.data as Float32Array;
      const cosine = cosineSimilarity({ data: embedded, shape: sentence.shape }, sentence).data[0]!;
      expect(cosine).toBeGreaterThan(0.99999);

      const whole = await run(join(folder, 'onnx/model.onnx'), {
        pixel_values: pixels,
        input_ids: tokens,
        ...(siglip ? {} : { attention_mask: tokens }),
      });
      const scaled = cosineSimilarity(sentence, expected).data.map(
        (c) => c * model.logitScale + model.logitBias,
      );
      expect(distance(whole.logits_per_text!.data, scaled)).toBeLessThan(2e-3);
    } finally {
      await model.close();
    }
  });
});

test('the bundled model is of the family that transformers.js knows, whatever its towers are', async () => {
  const folder = join(work, 'bundled');
  await exportOnnx(undefined, folder);
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8'));
  expect(config.model_type).toBe('clip');
  const clip = await loadClip();
  try {
    const pixels = pixelTensor(2, squareSide(clip.config.preprocessing.size, 'this test'));
    const { image_embeds: embeddings } = await run(join(folder, 'onnx/vision_model.onnx'), {
      pixel_values: pixels,
    });
    const expected = await clip.embedPixels(
      { data: pixels.data as Float32Array, shape: [...pixels.dims] },
      { normalize: false },
    );
    const largest = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(distance(embeddings?.data, expected.data)).toBeLessThan(1e-4 * largest);
  } finally {
    await clip.close();
  }
});
