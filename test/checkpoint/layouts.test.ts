/** The architecture of published models from names and shapes alone, and with their configurations. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { addConfiguration } from '../../src/checkpoint/configuration/find.ts';
import {
  architectureFromShapes,
  type Configurations,
  canonicalShapes,
  layouts,
  parameterCount,
} from '../../src/checkpoint/index.ts';
import { imageHeadWidth, textHeadWidth } from '../../src/checkpoint/layouts/conventions.ts';
import { shapeTable } from '../../src/checkpoint/layouts/shape-table.ts';
import type { ClipArchitecture } from '../../src/models/architecture.ts';
import { sharedFixtures } from '../fixtures.ts';

interface LayoutFile {
  shapes: Record<string, number[]>;
  parameters: number;
  model_cfg?: unknown;
  arguments?: unknown;
}

function load(name: string): { file: LayoutFile; shapes: Map<string, number[]>; config: Configurations } {
  const file = JSON.parse(readFileSync(`${sharedFixtures}layouts/${name}.json`, 'utf8')) as LayoutFile;
  const config: Configurations = {};
  if (file.model_cfg !== undefined) addConfiguration(config, { model_cfg: file.model_cfg }, name);
  if (file.arguments !== undefined) addConfiguration(config, file.arguments, name);
  return { file, shapes: new Map(Object.entries(file.shapes)), config };
}

const vit = (width: number, layers: number, heads: number, patchSize: number, imageSize: number) => ({
  kind: 'vit',
  width,
  layers,
  heads,
  patchSize,
  imageSize,
});
const text = (width: number, layers: number, heads: number, contextLength: number) => ({
  width,
  layers,
  heads,
  contextLength,
});

/** What the papers and configurations say of each model. */
const expected: Record<string, { embeddingSize: number; image: object; text: object }> = {
  'openai_ViT-B-32': { embeddingSize: 512, image: vit(768, 12, 12, 32, 224), text: text(512, 12, 8, 77) },
  'openai_ViT-B-16': { embeddingSize: 512, image: vit(768, 12, 12, 16, 224), text: text(512, 12, 8, 77) },
  'openai_ViT-L-14': { embeddingSize: 768, image: vit(1024, 24, 16, 14, 224), text: text(768, 12, 12, 77) },
  'openai_ViT-L-14_336px': {
    embeddingSize: 768,
    image: vit(1024, 24, 16, 14, 336),
    text: text(768, 12, 12, 77),
  },
  openai_RN50: {
    embeddingSize: 1024,
    image: { kind: 'resnet', width: 64, layers: [3, 4, 6, 3], heads: 32, imageSize: 224 },
    text: text(512, 12, 8, 77),
  },
  openai_RN50x4: {
    embeddingSize: 640,
    image: { kind: 'resnet', width: 80, layers: [4, 6, 10, 6], heads: 40, imageSize: 288 },
    text: text(640, 12, 10, 77),
  },
  'open_clip_ViT-B-16-plus-240': {
    embeddingSize: 640,
    image: vit(896, 12, 14, 16, 240),
    text: text(640, 12, 10, 77),
  },
  'open_clip_ViT-H-14': {
    embeddingSize: 1024,
    image: vit(1280, 32, 16, 14, 224),
    text: text(1024, 24, 16, 77),
  },
  'open_clip_ViT-L-14-CLIPA': {
    embeddingSize: 768,
    image: {
      ...vit(1024, 24, 16, 14, 224),
      normBefore: false,
      normAfter: 'pooled',
      pool: { kind: 'average' },
    },
    text: { ...text(768, 12, 12, 32), causal: false, pool: { kind: 'last' } },
  },
  'open_clip_ViT-B-16-SigLIP': {
    embeddingSize: 768,
    image: {
      ...vit(768, 12, 12, 16, 224),
      pool: { kind: 'probe', heads: 12, mlpWidth: 3072, activation: 'gelu' },
    },
    text: { ...text(768, 12, 12, 64), normEpsilon: 1e-6, causal: false, projection: 'linear_bias' },
  },
  'open_clip_ViT-SO400M-14-SigLIP-384': {
    embeddingSize: 1152,
    image: { ...vit(1152, 27, 16, 14, 384), mlpWidth: 4304 },
    text: { ...text(1152, 27, 16, 64), mlpWidth: 4304 },
  },
  'open_clip_MobileCLIP-B': {
    embeddingSize: 512,
    image: {
      ...vit(768, 12, 12, 16, 224),
      positions: 'patches',
      stem: { kind: 'convolutions', kernels: [4, 2, 2] },
    },
    text: text(512, 12, 8, 77),
  },
  'hugging_face_openai-clip-vit-base-patch32': {
    embeddingSize: 512,
    image: { ...vit(768, 12, 12, 32, 224), activation: 'quick_gelu' },
    text: text(512, 12, 8, 77),
  },
  'hugging_face_google-siglip-base-patch16-224': {
    embeddingSize: 768,
    image: { ...vit(768, 12, 12, 16, 224), activation: 'gelu_tanh' },
    text: { ...text(768, 12, 12, 64), normEpsilon: 1e-6 },
  },
  'open_clip_coca_ViT-B-32': {
    embeddingSize: 512,
    image: { ...vit(768, 12, 12, 32, 224), pool: { kind: 'queries', queries: 256, width: 512, heads: 8 } },
    text: { ...text(512, 12, 8, 76), pool: { kind: 'class', padToken: 0 } },
  },
};

describe.skipIf(sharedFixtures === undefined)('layouts of published models', () => {
  test.each(Object.entries(expected))('%s is what it is published as', (name, truth) => {
    const { file, shapes, config } = load(name);
    const bare = architectureFromShapes(shapes);
    const configured = architectureFromShapes(shapes, config);
    for (const { architecture } of [bare, configured]) {
      expect(architecture).toMatchObject(truth);
      const decoder = [...shapes]
        .filter(([tensor]) => tensor.startsWith('text_decoder.'))
        .reduce((sum, [, shape]) => sum + shape.reduce((a, b) => a * b, 1), 0);
      expect(parameterCount(architecture)).toBe(file.parameters - decoder);
    }
    // The configuration adds nothing that the conventions do not know.
    expect(bare).toEqual(configured);
  });

  test.each(Object.keys(expected))('every parameter of %s has one place of the right size', (name) => {
    const { shapes } = load(name);
    const { layout, architecture } = architectureFromShapes(shapes);
    const published = layouts[layout].published(architecture, shapeTable(shapes));
    expect([...published.keys()].sort()).toEqual([...canonicalShapes(architecture).keys()].sort());
    const used = new Set([...published.values()].map(({ from }) => from));
    const left = [...shapes.keys()].filter((tensor) => !used.has(tensor));
    expect(left.filter((tensor) => !layouts[layout].ignores(tensor, architecture))).toEqual([]);
  });

  test('a configuration of another model is refused by field, value and tensor', () => {
    const { shapes } = load('openai_ViT-B-32');
    const { config } = load('openai_ViT-L-14');
    expect(() => architectureFromShapes(shapes, config)).toThrowError(
      /vision_cfg\.width = 1024.*'visual\.conv1\.weight' has shape \[768,3,32,32\]/,
    );
    expect(() => architectureFromShapes(shapes, config)).toThrowError(
      expect.objectContaining({ code: 'config_mismatch' }),
    );
  });

  test('a tower that ends in another length than the embedding needs its projection', () => {
    const { shapes } = load('openai_RN50');
    shapes.delete('text_projection');
    expect(() => architectureFromShapes(shapes)).toThrow(
      /text tower gives 512 numbers and has no projection to the 1024/,
    );
  });

  test('the activation can be overridden', () => {
    const { shapes } = load('openai_ViT-B-32');
    const activation = (architecture: ClipArchitecture) =>
      architecture.image.kind === 'vit' ? architecture.image.activation : undefined;
    expect(activation(architectureFromShapes(shapes).architecture)).toBe('quick_gelu');
    expect(activation(architectureFromShapes(shapes, {}, { activation: 'gelu' }).architecture)).toBe('gelu');
  });

  test('a prefix before all names is found and taken off', () => {
    const { shapes } = load('openai_ViT-B-32');
    const prefixed = new Map([...shapes].map(([name, shape]) => [`state_dict.module.${name}`, shape]));
    expect(architectureFromShapes(prefixed).prefix).toBe('state_dict.module.');
    expect(architectureFromShapes(prefixed).architecture).toEqual(
      architectureFromShapes(shapes).architecture,
    );
  });
});

test('heads are only guessed where published towers have them', () => {
  expect([32, 64, 768, 1280].map(imageHeadWidth)).toEqual([32, 64, 64, 80]);
  expect(textHeadWidth(512)).toBe(64);
  expect(() => imageHeadWidth(96)).toThrow(/width 96 .* config\.json is missing/);
});
