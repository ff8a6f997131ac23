/** Towers alone, compiled submodules, and configurations that claim more than there is. */
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/index.ts';
import { loadClip } from '../../src/clip/load.ts';

const fixtures = join(import.meta.dirname, '../fixtures');
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-parts-'));
});
afterAll(() => rm(folder, { recursive: true }));

type Header = Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;

/** A safetensors file with some of another's tensors, under other names. */
async function write(
  target: string,
  source: string,
  rename: (name: string) => string | undefined,
): Promise<void> {
  const bytes = await readFile(source);
  const length = Number(bytes.readBigUInt64LE());
  const { __metadata__: _, ...tensors } = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Header;
  const header: Header = {};
  const parts: Buffer[] = [];
  let at = 0;
  for (const [
    name,
    {
      data_offsets: [start, end],
      ...tensor
    },
  ] of Object.entries(tensors)) {
    const own = rename(name);
    if (own === undefined) continue;
    header[own] = { ...tensor, data_offsets: [at, at + end - start] };
    parts.push(bytes.subarray(8 + length + start, 8 + length + end));
    at += end - start;
  }
  const json = Buffer.from(JSON.stringify(header));
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(json.length));
  await writeFile(target, Buffer.concat([size, json, ...parts]));
}

const huggingFace = join(fixtures, 'vit-tiny-hf');
const openClip = join(fixtures, 'open_clip-vit');

describe('an image tower without its text tower is told as what it is', () => {
  test.each([
    ['Hugging Face’s', join(huggingFace, 'model.safetensors'), /^(vision_model\.|visual_projection)/, ''],
    ['open_clip’s', join(openClip, 'open_clip_model.safetensors'), /^visual\./, ''],
    ['open_clip’s without its prefix', join(openClip, 'open_clip_model.safetensors'), /^visual\./, 'visual.'],
  ])('%s', async (name, source, keep, without) => {
    const file = join(folder, `${name.length}.safetensors`);
    await write(file, source, (tensor) => (keep.test(tensor) ? tensor.replace(without, '') : undefined));
    const opening = openCheckpoint(file);
    await expect(opening).rejects.toMatchObject({ code: 'unsupported_checkpoint' });
    await expect(opening).rejects.toThrow('an image tower of CLIP without its text tower');
  });

  test('and a text tower likewise', async () => {
    const file = join(folder, 'text.safetensors');
    await write(file, join(huggingFace, 'model.safetensors'), (tensor) =>
      /^text/.test(tensor) ? tensor : undefined,
    );
    await expect(openCheckpoint(file)).rejects.toThrow('a text tower of CLIP without its image tower');
  });
});

describe('what torch.compile puts into names is passed over wherever it stands', () => {
  test.each([
    ['before all', (name: string) => `_orig_mod.${name}`],
    ['before a tower', (name: string) => name.replace(/^text_model\./, 'text_model._orig_mod.')],
    ['before a block', (name: string) => name.replace(/layers\.0\./, 'layers.0._orig_mod.')],
  ])('%s', async (place, rename) => {
    const target = await mkdtemp(join(folder, 'compiled-'));
    await write(join(target, 'model.safetensors'), join(huggingFace, 'model.safetensors'), rename);
    await copyFile(join(huggingFace, 'config.json'), join(target, 'config.json'));
    const [plain, compiled] = await Promise.all([loadClip(huggingFace), loadClip(target)]);
    expect(compiled.config.fingerprint, place).toBe(plain.config.fingerprint);
    const { contextLength } = plain.config.architecture.text;
    const ids = [Array.from({ length: contextLength }, (_, i) => i)];
    expect(await compiled.embedTokens(ids)).toEqual(await plain.embedTokens(ids));
    for (const clip of [plain, compiled]) await clip.close();
  });

  test('but not where a tensor is there twice', async () => {
    const target = join(folder, 'twice.safetensors');
    await write(target, join(huggingFace, 'model.safetensors'), (name) =>
      name === 'visual_projection.weight' ? '_orig_mod.logit_scale' : name,
    );
    await expect(openCheckpoint(target)).rejects.toThrow("'logit_scale' twice");
  });
});
