/** Weights without a vocabulary, as OpenAI and open_clip publish them, and where their tokenizer comes from. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { publishParameters, writeSafetensors } from '../../src/checkpoint/index.ts';
import { loadClip } from '../../src/clip/load.ts';
import { initialValues } from '../../src/graph/initialise.ts';
import type { ClipArchitecture } from '../../src/models/architecture.ts';
import { parametersOfClip } from '../../src/models/parameters.ts';
import { type HubServer, startHub } from '../checkpoint/hub-server.ts';
import { sharedFixtures } from '../fixtures.ts';

const tower = {
  width: 64,
  layers: 1,
  heads: 1,
  mlpWidth: 256,
  activation: 'quick_gelu',
  normEpsilon: 1e-5,
} as const;
const architecture: ClipArchitecture = {
  embeddingSize: 16,
  image: {
    ...tower,
    kind: 'vit',
    imageSize: 16,
    patchSize: 8,
    patchBias: false,
    classToken: true,
    normBefore: true,
    normAfter: 'pooled',
    pool: { kind: 'class' },
    projection: 'linear',
  },
  text: {
    ...tower,
    contextLength: 77,
    vocabularySize: 49408,
    causal: true,
    positions: 'learned',
    pool: { kind: 'end', endToken: 'highest' },
    projection: 'linear',
  },
  probability: 'softmax',
  logitBias: false,
};
const vocabularyName = 'bpe_simple_vocab_16e6.txt.gz';
const vocabularyModel = 'openai/clip-vit-base-patch32';

describe.skipIf(sharedFixtures === undefined)('weights without a vocabulary', () => {
  let folder: string;
  let hubCache: string;
  let hub: HubServer;
  let vocabulary: Buffer;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eidos-bare-'));
    vocabulary = await readFile(join(sharedFixtures!, 'tokenizer', vocabularyName));
    const parameters = new Map(
      parametersOfClip(architecture).map((attributes) => {
        const data = initialValues(attributes, 1);
        return [attributes.name, { shape: [...attributes.shape], data }];
      }),
    );
    const published = publishParameters('openai', architecture, parameters);
    const entries = [...published].map(([name, { shape, data }]) => ({
      name,
      type: 'float32' as const,
      shape,
      data,
    }));
    await writeSafetensors(join(folder, 'weights.safetensors'), entries);
    hub = await startHub({
      [vocabularyModel]: { commit: 'c'.repeat(40), files: { [vocabularyName]: vocabulary }, large: [] },
    });
  });
  afterAll(async () => {
    await hub.close();
    await rm(folder, { recursive: true });
  });
  beforeEach(async () => {
    hubCache = await mkdtemp(join(tmpdir(), 'eidos-cache-'));
    hub.requests.length = 0;
  });
  afterEach(() => rm(hubCache, { recursive: true }));

  const weights = () => join(folder, 'weights.safetensors');
  const open = (offline: boolean) => loadClip(weights(), { hubCache, endpoint: hub.endpoint, offline });

  test('have it fetched once, cleaned and padded as OpenAI does', async () => {
    const clip = await open(false);
    const { data } = (await clip.tokenizer()).tokenize(['a &amp; b']);
    expect([...data.subarray(0, 6)].map(Number)).toEqual([49406, 320, 261, 321, 49407, 0]);
    expect((await clip.embedTexts('a dog')).shape).toEqual([1, 16]);
    await clip.close();
    hub.requests.length = 0;
    const again = await open(true);
    await again.embedTexts('a dog');
    expect(hub.requests).toEqual([]);
    await again.close();
  });

  test('offline and without one in the cache, the error names every place', async () => {
    const clip = await open(true);
    const failure = await clip.embedTexts('a dog').catch((error: Error & { code: string }) => error);
    expect(failure).toMatchObject({ code: 'invalid_tokenizer' });
    for (const part of [folder, hubCache, vocabularyModel, vocabularyName]) {
      expect((failure as Error).message).toContain(part);
    }
    await clip.close();
  });

  test('take it from beside them without asking anybody', async () => {
    await writeFile(join(folder, vocabularyName), vocabulary);
    const clip = await open(false);
    await clip.embedTexts('a dog');
    expect(hub.requests).toEqual([]);
    await clip.close();
    await rm(join(folder, vocabularyName));
  });

  test('or from where the caller says', async () => {
    const tokenizer = join(sharedFixtures!, 'tokenizer', vocabularyName);
    const clip = await loadClip(weights(), { hubCache, offline: true, tokenizer });
    await clip.embedTexts('a dog');
    await clip.close();
  });
});
