/** Requests as other programs write them: nulls, token ids, pictures where texts stand, other spellings, compressed bodies. */
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Clip } from '../../src/clip/clip.ts';
import { loadClip } from '../../src/clip/load.ts';
import { createApp, type ServerApp } from '../../src/server/app.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { createFakeIndex, type FakeIndex } from './fake-index.ts';
import { dataUri, plainPicture, request } from './requests.ts';

let clip: Clip;
let app: ServerApp;
let index: FakeIndex;
let model: string;
const picture = plainPicture([250, 20, 30]);
beforeAll(async () => {
  clip = await loadClip(await writeTinyModel());
  model = clip.config.model;
  index = createFakeIndex({ red: picture });
  app = await createApp({ clip, openIndex: async () => index });
});
afterAll(async () => {
  await app.close();
  await clip.close();
});

const post = (path: string, json: unknown) => request(app, path, { json });
const rows = (body: unknown) => (body as { data: { embedding: number[] }[] }).data;

describe('a member that is null is absent', () => {
  test('of embeddings and classification', async () => {
    const plain = await post('/v1/embeddings', { input: 'a dog' });
    const nulls = { input: 'a dog', model: null, encoding_format: null, dimensions: null, user: null };
    const answer = await post('/v1/embeddings', nulls);
    expect(answer.status).toBe(200);
    expect(rows(answer.body)[0]!.embedding).toEqual(rows(plain.body)[0]!.embedding);
    const question = { images: [dataUri(picture)], labels: ['a dog', 'a cat'] };
    const classified = await post('/v1/classify', { ...question, templates: null, topK: null });
    expect(classified.body).toEqual((await post('/v1/classify', question)).body);
  });

  test('of a search, in its filters and parts too', async () => {
    expect((await post('/v1/search', { q: 'a dog' })).status).toBe(200);
    const plain = index.asked.at(-1);
    const nulls = { image: null, picture: null, parts: null, cutOff: null, hybrid: null, collapse: null };
    for (const filters of [null, { path: null, after: null, minWidth: null }]) {
      const answer = await post('/v1/search', { q: 'a dog', ...nulls, filters, topK: null, offset: null });
      expect(answer.status).toBe(200);
      const asked = index.asked.at(-1)!;
      expect(JSON.parse(JSON.stringify({ ...asked.options, filters: {} }))).toEqual(
        JSON.parse(JSON.stringify({ ...plain!.options, filters: {} })),
      );
    }
    const part = { text: 'a dog', image: null, picture: null, weight: null };
    expect((await post('/v1/search', { parts: [part] })).status).toBe(200);
  });

  test('but what is needed is asked for', async () => {
    const { status, body } = await post('/v1/embeddings', { input: null });
    expect({ status, body }).toMatchObject({
      status: 400,
      body: { detail: expect.stringContaining('input: is needed') },
    });
    expect((await post('/v1/classify', { images: null, labels: ['a'] })).status).toBe(400);
    expect((await post('/v1/search', { q: null })).status).toBe(400);
  });
});

describe('models', () => {
  test('one is given by its name, with slashes in it too', async () => {
    const [entry] = rows((await request(app, '/v1/models')).body);
    for (const path of [encodeURIComponent(model), model.replace(/^\//, '%2F')]) {
      const { status, body } = await request(app, `/v1/models/${path}`);
      expect({ status, body }).toEqual({ status: 200, body: entry });
    }
    const named = await createApp({
      clip: { ...clip, config: { ...clip.config, model: 'openai/clip-vit' } },
    });
    for (const path of ['openai/clip-vit', 'openai%2Fclip-vit']) {
      const answer = await request(named, `/v1/models/${path}`);
      expect(answer).toMatchObject({ status: 200, body: { id: 'openai/clip-vit' } });
    }
    await named.close();
  });

  test.each(['/v1/models/gpt-4', '/v1/models/meta/llama', '/v1/no-such-route', '/v1/pictures/none/such'])(
    '%s is not found, as OpenAI’s clients look for it',
    async (path) => {
      const { status, body } = await request(app, path);
      expect(status).toBe(404);
      const error = {
        message: expect.any(String),
        type: 'invalid_request_error',
        code: 'not_found',
        param: null,
      };
      expect(body).toMatchObject({ code: 'not_found', error });
    },
  );
});

describe('what is no text', () => {
  test.each([[[[320, 1929]]], [[1, 2, 3]], [[[1]]]])('token ids %j: texts are to be sent', async (input) => {
    const { status, body } = await post('/v1/embeddings', { input });
    expect(status).toBe(400);
    expect((body as { error: { message: string } }).error.message).toMatch(/token ids.*another model.*texts/);
  });

  test('a list of objects: a picture is a data URI where a text would stand', async () => {
    const input = [{ type: 'image_url', image_url: { url: dataUri(picture) } }];
    const { status, body } = await post('/v1/embeddings', { input });
    expect(status).toBe(400);
    expect((body as { error: { message: string } }).error.message).toContain('data URI');
  });

  const base64 = Buffer.from(picture).toString('base64');
  const heic = Buffer.concat([Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1'), Buffer.alloc(60)]);
  test.each([
    ['the base64 of a picture', base64, 'data:image/png;base64,'],
    ['the same with line ends at its ends', `\n${base64}\n`, 'data:image/png;base64,'],
    ['an address', 'https://example.org/a.jpg', '--allow-urls'],
    ['an address in capitals', 'HTTP://EXAMPLE.ORG/A.JPG', '--allow-urls'],
    ['base64 in lines', base64.replace(/.{20}/g, '$&\n'), 'data:image/png;base64,'],
    ['base64 in quotes', `"${base64}"`, 'data:image/png;base64,'],
    ['with half of a beginning', `base64,${base64}`, 'data:image/png;base64,'],
    ['with most of one', `image/png;base64,${base64}`, 'data:image/png;base64,'],
    ['with a space in it', `data: image/png;base64,${base64}`, 'data:image/png;base64,'],
    ['without its comma', 'data:image/png;base64', 'data:image/png;base64,'],
    ['of a HEIC file', heic.toString('base64'), 'data:image/png;base64,'],
    ['another address', 'ftp://example.org/a.jpg', 'data URI'],
    ['an address without its scheme', '//example.org/a.jpg', 'data URI'],
    ['an address of the web', 'www.example.org/a.jpg', 'data URI'],
    ['an address in brackets', '<https://example.org/a.jpg>', 'data URI'],
    ['an address with a space', 'https://example.org/my picture.jpg', 'data URI'],
    ['a file’s address', 'file:///photos/a.jpg', 'data URI'],
  ])('%s is never embedded as a sentence', async (_, input, remedy) => {
    for (const given of [input, ['a dog', input]]) {
      const { status, body } = await post('/v1/embeddings', { input: given });
      expect(status).toBe(400);
      expect((body as { detail: string }).detail).toContain(remedy);
    }
    for (const [path, json] of [
      ['/v1/search', { q: input }],
      ['/v1/search', { parts: [{ text: input }] }],
      ['/v1/classify', { images: [dataUri(picture)], labels: [input, 'a dog'] }],
    ] as const) {
      expect((await post(path, json)).status, path).toBe(400);
    }
  });

  test('a data URI without a type is the picture, or refused', async () => {
    const typed = await post('/v1/embeddings', { input: dataUri(picture) });
    const bare = await post('/v1/embeddings', { input: `data:;base64,${base64}` });
    expect(bare.status).toBe(200);
    expect(rows(bare.body)[0]!.embedding).toEqual(rows(typed.body)[0]!.embedding);
    for (const input of ['data:;base64,', 'data:,', 'data:text/plain,a dog']) {
      expect((await post('/v1/embeddings', { input })).status, input).toBeGreaterThanOrEqual(400);
    }
  });

  test('long words and sentences about data stay texts', async () => {
    const texts = [
      'image/png is a type',
      'base64',
      'www',
      'either/or: a choice',
      'Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamter',
      'data: a chart',
      'a'.repeat(80),
    ];
    expect((await post('/v1/embeddings', { input: texts })).status).toBe(200);
  });
});

test('a compressed body is refused as such', async () => {
  const body = gzipSync(JSON.stringify({ input: 'a dog' }));
  for (const encoding of ['gzip', 'br', 'deflate']) {
    const headers = { 'content-type': 'application/json', 'content-encoding': encoding };
    const answer = await request(app, '/v1/embeddings', { method: 'POST', headers, body });
    expect(answer.status).toBe(415);
    expect((answer.body as { error: { message: string } }).error.message).toContain(encoding);
  }
});

test.each([
  ['/v1/search', { q: 'a dog', top_k: 3 }, 'topK'],
  ['/v1/search', { q: 'a dog', cut_off: 0.5 }, 'cutOff'],
  ['/v1/search', { q: 'a dog', filters: { min_width: 3 } }, 'minWidth'],
  ['/v1/classify', { images: [dataUri(picture)], labels: ['a'], TopK: 3 }, 'topK'],
])('%s with %j asks whether another name was meant', async (path, json, meant) => {
  const { status, body } = await post(path, json);
  expect(status).toBe(400);
  expect((body as { detail: string }).detail).toContain(`did you mean ${meant}?`);
});
