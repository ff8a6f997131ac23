/** Every reference checkpoint, opened: its architecture is the configuration's, its numbers are the same in all formats. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type Checkpoint,
  canonicalShapes,
  openCheckpoint,
  openWeights,
  readParameter,
  readTensor,
} from '../../src/checkpoint/index.ts';
import { sharedFixtures } from '../fixtures.ts';

const fixtures = sharedFixtures ?? '';
const folder = mkdtempSync(join(tmpdir(), 'eidos-checkpoint-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** All canonical parameters as floats. */
async function values({ parameters }: Checkpoint): Promise<Map<string, Float32Array>> {
  const result = new Map<string, Float32Array>();
  for (const [name, tensor] of parameters) result.set(name, await readParameter(tensor));
  return result;
}

/** The largest difference between two checkpoints' parameters, which must have the same names. */
async function difference(a: Checkpoint, b: Checkpoint): Promise<number> {
  const [left, right] = [await values(a), await values(b)];
  expect([...left.keys()].sort()).toEqual([...right.keys()].sort());
  let largest = 0;
  for (const [name, data] of left) {
    const other = right.get(name)!;
    expect(other.length).toBe(data.length);
    for (let i = 0; i < data.length; i++) largest = Math.max(largest, Math.abs(data[i]! - other[i]!));
  }
  return largest;
}

const tinyImage = {
  kind: 'vit',
  width: 128,
  layers: 2,
  heads: 2,
  mlpWidth: 512,
  activation: 'quick_gelu',
  normEpsilon: 1e-5,
  imageSize: 32,
  patchSize: 8,
  patchBias: false,
  classToken: true,
  normBefore: true,
  normAfter: 'pooled',
  pool: { kind: 'class' },
  projection: 'linear',
};
const tinyText = {
  width: 64,
  layers: 2,
  heads: 1,
  mlpWidth: 256,
  activation: 'quick_gelu',
  normEpsilon: 1e-5,
  contextLength: 16,
  vocabularySize: 600,
  causal: true,
  positions: 'learned',
  pool: { kind: 'end', endToken: 'highest' },
  projection: 'linear',
};
const tiny = {
  embeddingSize: 64,
  image: tinyImage,
  text: tinyText,
  probability: 'softmax',
  logitBias: false,
};

describe.skipIf(sharedFixtures === undefined)('reference checkpoints', () => {
  test('OpenAI layout, every parameter with its canonical shape', async () => {
    const checkpoint = await openCheckpoint(`${fixtures}vit-tiny`);
    expect(checkpoint.layout).toBe('openai');
    expect(checkpoint.architecture).toEqual(tiny);
    expect(checkpoint.unused).toEqual([]);
    const shapes = canonicalShapes(checkpoint.architecture);
    expect([...checkpoint.parameters.keys()].sort()).toEqual([...shapes.keys()].sort());
    for (const [name, tensor] of checkpoint.parameters) {
      expect(tensor.transposed === true ? tensor.shape.toReversed() : tensor.shape).toEqual(shapes.get(name));
    }
  });

  test('query, key and value are the thirds of the fused matrix, in place', async () => {
    const weights = await openWeights(`${fixtures}vit-tiny/model.safetensors`);
    const { parameters } = await openCheckpoint(`${fixtures}vit-tiny`);
    const fused = await readTensor(
      weights.tensors.get('visual.transformer.resblocks.1.attn.in_proj_weight')!,
    );
    for (const [index, part] of ['query', 'key', 'value'].entries()) {
      const tensor = parameters.get(`image.blocks.1.attention.${part}.weight`)!;
      expect(tensor.shape).toEqual([128, 128]);
      expect('file' in tensor.location).toBe(true);
      const third = fused.subarray(index * 128 * 128, (index + 1) * 128 * 128);
      expect((await readTensor(tensor)).every((value, i) => value === third[i])).toBe(true);
    }
  });

  test.each(['vit-tiny-hf', 'vit-tiny-hf-sharded', 'vit-tiny-hf/pytorch_model.bin'])(
    '%s holds the numbers of vit-tiny',
    async (source) => {
      const checkpoint = await openCheckpoint(fixtures + source);
      expect(checkpoint.layout).toBe('hugging_face_clip');
      // Its configuration names the end token; the highest token of a sentence is the same one.
      const text = { ...tinyText, pool: { kind: 'end', endToken: 599 } };
      expect(checkpoint.architecture).toEqual({ ...tiny, text });
      expect(await difference(checkpoint, await openCheckpoint(`${fixtures}vit-tiny`))).toBe(0);
    },
  );

  test('an open_clip training checkpoint: prefix and bookkeeping aside, the same model', async () => {
    const checkpoint = await openCheckpoint(`${fixtures}vit-tiny/open_clip_checkpoint.pt`);
    expect(checkpoint.architecture).toEqual(tiny);
    expect(checkpoint.metadata).toMatchObject({ epoch: '3', name: 'tiny' });
    expect(await difference(checkpoint, await openCheckpoint(`${fixtures}vit-tiny`))).toBe(0);
  });

  test('half floats with and without zip are the same, and near the single floats', async () => {
    const zip = await openCheckpoint(`${fixtures}vit-tiny/state_dict_fp16.pt`);
    const legacy = await openCheckpoint(`${fixtures}vit-tiny/state_dict_fp16_legacy.pt`);
    expect((await openWeights(`${fixtures}vit-tiny/state_dict_fp16_legacy.pt`)).format).toBe('torch_legacy');
    expect(await difference(zip, legacy)).toBe(0);
    expect(zip.parameters.get('image.blocks.0.mlp.up.weight')!.type).toBe('float16');
    expect(zip.fingerprint).toBe(legacy.fingerprint);
    const distance = await difference(zip, await openCheckpoint(`${fixtures}vit-tiny`));
    expect(distance).toBeGreaterThan(0);
    expect(distance).toBeLessThan(2e-3);
  });

  test('a TorchScript archive holds the numbers of rn-tiny', async () => {
    const script = await openCheckpoint(`${fixtures}rn-tiny/model_jit_fp16.pt`);
    const plain = await openCheckpoint(`${fixtures}rn-tiny`);
    expect((await openWeights(`${fixtures}rn-tiny/model_jit_fp16.pt`)).format).toBe('torchscript');
    expect(script.architecture).toEqual(plain.architecture);
    expect(plain.architecture.image).toEqual({
      kind: 'resnet',
      imageSize: 64,
      width: 8,
      layers: [1, 2, 1, 1],
      heads: 4,
    });
    expect(script.unused).toEqual(
      expect.arrayContaining(['input_resolution', 'context_length', 'vocab_size']),
    );
    expect(await difference(script, plain)).toBeLessThan(5e-3);
  });

  test('no tensor of a PyTorch file is copied', async () => {
    for (const name of [
      'vit-tiny/state_dict_fp16.pt',
      'vit-tiny/state_dict_fp16_legacy.pt',
      'rn-tiny/model_jit_fp16.pt',
    ]) {
      const { tensors } = await openWeights(fixtures + name);
      for (const tensor of tensors.values()) expect('file' in tensor.location, tensor.name).toBe(true);
    }
  });

  test('Hugging Face CLIP with heads that only the configuration knows, both rules of the end token', async () => {
    const checkpoint = await openCheckpoint(`${fixtures}clip-hf`);
    expect(checkpoint.architecture).toMatchObject({
      embeddingSize: 24,
      image: { heads: 3, mlpWidth: 96, activation: 'gelu', layers: 2 },
      text: { heads: 5, mlpWidth: 120, activation: 'gelu', layers: 3, pool: { kind: 'end', endToken: 219 } },
    });
    expect(checkpoint.unused).toEqual([
      'text_model.embeddings.position_ids',
      'vision_model.embeddings.position_ids',
    ]);
    const legacy = join(folder, 'legacy');
    copyInto(legacy, {
      'model.safetensors': 'clip-hf/model.safetensors',
      'config.json': 'clip-hf/config_legacy.json',
    });
    expect((await openCheckpoint(legacy)).architecture.text).toMatchObject({
      pool: { kind: 'end', endToken: 'highest' },
    });
  });

  test('SigLIP of Hugging Face and its preprocessing', async () => {
    const checkpoint = await openCheckpoint(`${fixtures}siglip-hf`);
    expect(checkpoint.architecture).toMatchObject({
      embeddingSize: 48,
      probability: 'sigmoid',
      logitBias: true,
      image: {
        classToken: false,
        normBefore: false,
        patchBias: true,
        heads: 3,
        normEpsilon: 1e-6,
        activation: 'gelu_tanh',
        pool: { kind: 'probe', heads: 3, mlpWidth: 112, activation: 'gelu_tanh' },
        projection: 'none',
        normAfter: 'tokens',
      },
      text: {
        causal: false,
        pool: { kind: 'last' },
        projection: 'linear_bias',
        activation: 'gelu_tanh',
        normEpsilon: 1e-6,
      },
    });
    expect(checkpoint.preprocessing).toMatchObject({
      size: 32,
      resize: 'squash',
      interpolation: 'bicubic',
      mean: [0.5, 0.5, 0.5],
      deviation: [0.5, 0.5, 0.5],
      toRgb: 'first',
    });
    expect(checkpoint.parameters.get('image.pool.probe')!.shape).toEqual([1, 48]);
    expect(checkpoint.parameters.get('logit_bias')!.shape).toEqual([]);
  });

  test('open_clip: heads from the configuration, exact GELU, bfloat16', async () => {
    const single = await openCheckpoint(`${fixtures}open_clip-vit/open_clip_model.safetensors`);
    expect(single.architecture).toMatchObject({
      embeddingSize: 32,
      image: { width: 64, heads: 2, layers: 3, activation: 'gelu' },
      text: { width: 48, heads: 3, activation: 'gelu' },
    });
    const brain = await openCheckpoint(`${fixtures}open_clip-vit/open_clip_model_bf16.safetensors`);
    expect(brain.architecture).toEqual(single.architecture);
    expect(brain.fingerprint).not.toBe(single.fingerprint);
    const [a, b] = [await values(single), await values(brain)];
    for (const [name, data] of a) {
      const other = b.get(name)!;
      for (let i = 0; i < data.length; i += 7)
        expect(Math.abs(other[i]! - data[i]!)).toBeLessThanOrEqual(Math.abs(data[i]!) / 256);
    }
  });

  test('open_clip: ResNet, CLIPA, CoCa', async () => {
    expect((await openCheckpoint(`${fixtures}open_clip-rn`)).architecture).toMatchObject({
      image: { kind: 'resnet', width: 4, layers: [1, 1, 2, 1], heads: 4, imageSize: 64 },
      text: { heads: 3, activation: 'quick_gelu' },
    });
    const clipa = await openCheckpoint(`${fixtures}open_clip-clipa`);
    expect(clipa.layout).toBe('open_clip_custom_text');
    expect(clipa.architecture).toMatchObject({
      image: {
        heads: 3,
        normBefore: false,
        normAfter: 'pooled',
        pool: { kind: 'average' },
        activation: 'gelu',
      },
      text: { heads: 2, causal: false, pool: { kind: 'last' } },
    });
    expect(clipa.preprocessing).toMatchObject({
      resize: 'squash',
      interpolation: 'bilinear',
      mean: [0.485, 0.456, 0.406],
      size: 28,
    });
    const coca = await openCheckpoint(`${fixtures}coca`);
    expect(coca.architecture).toMatchObject({
      embeddingSize: 32,
      image: { heads: 3, pool: { kind: 'queries', heads: 4, queries: 9, width: 32 } },
      text: { heads: 4, contextLength: 15, causal: true, pool: { kind: 'class', padToken: 0 } },
    });
    expect(coca.unused.every((name) => name.startsWith('text_decoder.'))).toBe(true);
    expect(coca.parameters.get('image.pool.attention.key.weight')!.shape).toEqual([32, 48]);
    expect(coca.parameters.get('text.position_embedding')!.shape).toEqual([16, 32]);
  });

  test('files behind symbolic links are given by their real paths, configurations are found beside the link', async () => {
    const link = join(folder, 'linked');
    copyInto(link, { 'config.json': 'vit-tiny-hf/config.json' });
    symlinkSync(`${fixtures}vit-tiny-hf/model.safetensors`, join(link, 'model.safetensors'));
    const checkpoint = await openCheckpoint(link);
    expect(checkpoint.configurationFiles).toEqual([join(link, 'config.json')]);
    expect(checkpoint.files[0]).toMatch(/vit-tiny-hf\/model\.safetensors$/);
    expect(checkpoint.files[0]).not.toContain('linked');
  });

  test('a configuration that contradicts the weights is refused by field and tensor', async () => {
    const mixed = join(folder, 'mixed');
    copyInto(mixed, {
      'model.safetensors': 'vit-tiny-hf/model.safetensors',
      'config.json': 'clip-hf/config.json',
    });
    await expect(openCheckpoint(mixed)).rejects.toMatchObject({
      code: 'config_mismatch',
      message: expect.stringMatching(/projection_dim = 24.*'visual_projection\.weight' has shape \[64,128\]/),
    });
  });

  test('a checkpoint of four gigabytes opens in little time and memory', async () => {
    const { shapes } = JSON.parse(readFileSync(`${fixtures}layouts/open_clip_ViT-H-14.json`, 'utf8')) as {
      shapes: Record<string, number[]>;
    };
    let offset = 0;
    const header: Record<string, unknown> = {};
    for (const [name, shape] of Object.entries(shapes)) {
      const end = offset + 4 * shape.reduce((product, size) => product * size, 1);
      header[name] = { dtype: 'F32', shape, data_offsets: [offset, end] };
      offset = end;
    }
    const json = Buffer.from(JSON.stringify(header));
    const path = join(folder, 'large.safetensors');
    writeFileSync(path, Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(json.length)).buffer), json]));
    truncateSync(path, 8 + json.length + offset); // Holes take no space on disk.
    const [memory, start] = [process.memoryUsage().arrayBuffers, performance.now()];
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint.architecture).toMatchObject({
      image: { heads: 16, activation: 'gelu' },
      text: { layers: 24 },
    });
    expect(process.memoryUsage().arrayBuffers - memory).toBeLessThan(20_000_000);
    expect(performance.now() - start).toBeLessThan(10_000);
    rmSync(path);
  });

  test('files given one by one: shards without an index, a configuration from elsewhere', async () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const given = await openCheckpoint([
      ...shards.map((shard) => `${fixtures}vit-tiny-hf-sharded/${shard}`),
      `${fixtures}vit-tiny-hf/config.json`,
      `${fixtures}vit-tiny-hf/preprocessor_config.json`,
    ]);
    const whole = await openCheckpoint(`${fixtures}vit-tiny-hf`);
    expect(given.fingerprint).toBe(whole.fingerprint);
    expect(given.preprocessing).toEqual(whole.preprocessing);
    const twice = `${fixtures}vit-tiny/model.safetensors`;
    await expect(openCheckpoint([twice, twice])).rejects.toMatchObject({ code: 'invalid_checkpoint' });
    await expect(openCheckpoint([])).rejects.toMatchObject({ code: 'not_found' });
  });

  test('missing things are named', async () => {
    await expect(openCheckpoint(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'not_found' });
    await expect(openCheckpoint(`${fixtures}tokenizer`)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('no weights'),
    });
    await expect(openWeights(`${fixtures}README.md`)).rejects.toMatchObject({ code: 'invalid_checkpoint' });
    await expect(openCheckpoint(`${fixtures}vit-tiny/inputs.safetensors`)).rejects.toMatchObject({
      code: 'unsupported_checkpoint',
    });
  });
});

function copyInto(target: string, files: Record<string, string>): void {
  mkdirSync(target, { recursive: true });
  for (const [name, source] of Object.entries(files)) copyFileSync(fixtures + source, join(target, name));
}
