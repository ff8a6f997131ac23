/** The server in memory, with a tiny model: embeddings, classification, and how it refuses. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clip, loadClip } from '../../src/index.ts';
import { createApp } from '../../src/server/app.ts';
import type { ServerOptions } from '../../src/server/options.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { dataUri, type PlainAnswer, plainPicture, request } from './requests.ts';

let folder: string;
let clip: Clip;
beforeAll(async () => {
  folder = await writeTinyModel();
  clip = await loadClip(folder);
});
afterAll(async () => {
  await clip.close();
  await rm(folder, { recursive: true });
});

const ask = async (
  path: string,
  init: Parameters<typeof request>[2] = {},
  options: Partial<ServerOptions> = {},
) => request(await createApp({ clip, ...options }), path, init);

const red = plainPicture([255, 0, 0]);
const blue = plainPicture([0, 0, 255]);

describe('embeddings', () => {
  test('texts and pictures together, as the library embeds them', async () => {
    const { status, body } = await ask('/v1/embeddings', {
      json: { input: ['a photo of a dog', dataUri(red), 'the blue square'], model: clip.config.model },
    });
    expect(status).toBe(200);
    const [texts, pictures] = await Promise.all([
      clip.embedTexts(['a photo of a dog', 'the blue square']),
      clip.embedImages(red),
    ]);
    const { data } = body as { data: { embedding: number[]; index: number }[] };
    expect(data.map(({ index }) => index)).toEqual([0, 1, 2]);
    const rows = [texts.data.subarray(0, 32), pictures.data, texts.data.subarray(32)];
    data.forEach(({ embedding }, i) => {
      embedding.forEach((value, k) => {
        expect(value).toBeCloseTo(rows[i]![k]!, 5);
      });
    });
    expect(body).toMatchObject({ object: 'list', model: clip.config.model });
  });

  test('base64 holds the same numbers', async () => {
    const floats = await ask('/v1/embeddings', { json: { input: 'a cat' } });
    const packed = await ask('/v1/embeddings', { json: { input: 'a cat', encoding_format: 'base64' } });
    const bytes = Buffer.from(embeddingOf(packed) as string, 'base64');
    expect(Array.from(new Float32Array(new Uint8Array(bytes).buffer))).toEqual(embeddingOf(floats));
  });

  test.each([
    ['no input', {}, 400, 'invalid_option'],
    ['an empty list', { input: [] }, 400, 'invalid_option'],
    ['token ids, which are of another vocabulary', { input: [1, 2, 3] }, 400, 'invalid_option'],
    ['an unknown field', { input: 'a', temperature: 1 }, 400, 'invalid_option'],
    ['another model', { input: 'a', model: 'text-embedding-3-small' }, 404, 'not_found'],
    ['another length', { input: 'a', dimensions: 7 }, 400, 'invalid_option'],
    ['a text without end', { input: 'a'.repeat(20_000) }, 400, 'invalid_option'],
    ['a picture that is none', { input: 'data:image/png;base64,AAAA' }, 422, 'invalid_image'],
  ])('%s is refused', async (_, json, status, code) => {
    const answer = await ask('/v1/embeddings', { json });
    expect(answer).toMatchObject({ status, body: { status, code } });
    expect(answer.type).toBe('application/problem+json');
    // OpenAI's clients look for it there.
    expect(answer.body).toMatchObject({ error: { message: expect.any(String) } });
  });

  test('an unknown field is named', async () => {
    const { body } = await ask('/v1/embeddings', { json: { input: 'a', temperature: 1 } });
    expect(body).toMatchObject({ detail: expect.stringContaining('temperature') });
  });
});

function embeddingOf({ body }: PlainAnswer): unknown {
  return (body as { data: { embedding: unknown }[] }).data[0]!.embedding;
}

describe('classification', () => {
  const labels = ['the red square', 'the blue square', 'a cat'];

  test('by JSON, by a form, and by the library it is the same', async () => {
    const app = await createApp({ clip });
    const byJson = await request(app, '/v1/classify', {
      json: { images: [dataUri(red), dataUri(blue)], labels },
    });
    const form = new FormData();
    form.append('image', new File([red], 'red.png'));
    form.append('image', new File([blue], 'blue.png'));
    for (const label of labels) form.append('label', label);
    const byForm = await request(app, '/v1/classify', { form });
    expect([byJson.status, byForm.status]).toEqual([200, 200]);
    const { answers } = byJson.body as { answers: { image: string; results: unknown[] }[] };
    expect(answers.map(({ results }) => results.length)).toEqual([3, 3]);
    const ofForm = (byForm.body as typeof byJson.body & { answers: typeof answers }).answers;
    expect(ofForm.map(({ image }) => image)).toEqual(['red.png', 'blue.png']);
    expect(ofForm.map(({ results }) => results)).toEqual(answers.map(({ results }) => results));
  });

  test('a picture that cannot be read takes nobody with it', async () => {
    const images = [dataUri(red), 'data:image/png;base64,AAAA', dataUri(blue)];
    const { status, body } = await ask('/v1/classify', { json: { images, labels, topK: 1 } });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      answers: [
        { results: [{ label: expect.any(String) }] },
        { image: 'picture 1', error: { code: 'invalid_image' } },
        { results: [{}] },
      ],
    });
  });

  test.each([
    ['no labels', { images: [dataUri(red)], labels: [] }],
    ['a label twice', { images: [dataUri(red)], labels: ['a', 'a'] }],
    ['a template without a place', { images: [dataUri(red)], labels: ['a'], templates: ['photo'] }],
    ['a path of this machine', { images: ['/etc/hostname'], labels: ['a'] }],
    ['a file URL', { images: ['file:///etc/hostname'], labels: ['a'] }],
    [
      'more sentences than a request may have',
      { images: [dataUri(red)], labels: many(200), templates: 'imagenet' },
    ],
  ])('%s is refused', async (_, json) => {
    expect(await ask('/v1/classify', { json })).toMatchObject({
      status: 400,
      body: { code: 'invalid_option' },
    });
  });

  test('no body is refused', async () => {
    expect(await ask('/v1/classify', { method: 'POST' })).toMatchObject({ status: 400 });
  });

  test('URLs are not fetched unless allowed, and never from inside', async () => {
    const json = { images: ['http://127.0.0.1:9/cat.png'], labels: ['a'] };
    expect(await ask('/v1/classify', { json })).toMatchObject({ status: 403, body: { code: 'offline' } });
    expect(await ask('/v1/classify', { json }, { allowUrls: true })).toMatchObject({
      status: 403,
      body: { code: 'forbidden' },
    });
  });
});

function many(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `label ${i}`);
}

describe('refusals', () => {
  test('each is a problem with a code, and has the headers of every answer', async () => {
    const cases = [
      [await ask('/nowhere'), 404, 'not_found'],
      [await ask('/v1/nowhere'), 404, 'not_found'],
      [await ask('/v1/embeddings'), 405, 'invalid_option'],
      [
        await ask('/v1/embeddings', {
          method: 'POST',
          body: '{',
          headers: { 'content-type': 'application/json' },
        }),
        400,
        'invalid_option',
      ],
      [
        await ask('/v1/embeddings', { method: 'POST', body: 'a', headers: { 'content-type': 'text/plain' } }),
        415,
        'invalid_option',
      ],
      [
        await ask(
          '/v1/embeddings',
          { json: { input: 'a'.repeat(9000) } },
          { limits: { requestBytes: 1000 } },
        ),
        413,
        'request_too_large',
      ],
    ] as const;
    for (const [answer, status, code] of cases) {
      expect(answer).toMatchObject({ status, type: 'application/problem+json', body: { status, code } });
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    }
    expect(cases[2][0].headers.get('allow')).toBe('POST');
  });

  test('a foreign name, as DNS rebinding would bring it', async () => {
    const evil = { headers: { host: 'evil.example' } };
    expect(await ask('/v1/models', evil)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(await ask('/v1/models', evil, { allowedHosts: ['evil.example'] })).toMatchObject({ status: 200 });
    for (const host of ['localhost:80', '127.0.0.1', '[::1]:8080', '192.168.1.5:8080']) {
      expect(await ask('/v1/models', { headers: { host } })).toMatchObject({ status: 200 });
    }
  });

  test('pages of other origins', async () => {
    const headers = { origin: 'https://evil.example', host: 'localhost' };
    expect(await ask('/v1/models', { headers })).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect(
      await ask('/v1/models', { headers: { host: 'localhost', 'sec-fetch-site': 'cross-site' } }),
    ).toMatchObject({ status: 403 });
    const allowed = { allowedOrigins: ['https://evil.example'] };
    const answer = await ask('/v1/models', { headers }, allowed);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://evil.example');
    expect(answer.headers.get('access-control-expose-headers')).toBe('retry-after');
    const before = await ask('/v1/embeddings', { method: 'OPTIONS', headers }, allowed);
    expect(before.status).toBe(204);
    expect(before.headers.get('access-control-allow-methods')).toContain('POST');
    expect(
      await ask('/v1/models', { headers: { origin: 'http://localhost', host: 'localhost' } }),
    ).toMatchObject({ status: 200 });
  });

  test('keys: none, a wrong one, the right one, a session', async () => {
    const options = { apiKeys: ['secret', 'other'] };
    const app = await createApp({ clip, ...options });
    expect(await request(app, '/v1/models')).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
    expect(await request(app, '/metrics')).toMatchObject({ status: 401 });
    expect(await request(app, '/healthz')).toMatchObject({ status: 200 });
    const withKey = (key: string) =>
      request(app, '/v1/models', { headers: { authorization: `Bearer ${key}` } });
    expect(await withKey('wrong')).toMatchObject({ status: 401 });
    expect(await withKey('other')).toMatchObject({ status: 200 });
    expect(await request(app, '/v1/session', { json: { apiKey: 'wrong' } })).toMatchObject({ status: 401 });
    const signedIn = await request(app, '/v1/session', { json: { apiKey: 'secret' } });
    const cookie = signedIn.headers.get('set-cookie')!;
    expect(cookie).toMatch(/HttpOnly/);
    expect(cookie).toMatch(/SameSite=Strict/);
    expect(cookie).not.toContain('secret=');
    const session = cookie.split(';')[0]!;
    expect(await request(app, '/v1/models', { headers: { cookie: session } })).toMatchObject({ status: 200 });
    expect(await request(app, '/v1/models', { headers: { cookie: `${session}x` } })).toMatchObject({
      status: 401,
    });
  });

  test('too many requests of one address', async () => {
    const app = await createApp({ clip, limits: { requestsPerMinute: 3 } });
    const statuses = [];
    for (let i = 0; i < 4; i++) statuses.push((await request(app, '/v1/models')).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    const refused = await request(app, '/v1/models');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('more inputs than there is room for, beside others', async () => {
    const app = await createApp({ clip, limits: { waitingInputs: 4 } });
    const answers = await Promise.all(
      [1, 2, 3].map(() => request(app, '/v1/embeddings', { json: { input: ['a', 'b', 'c'] } })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 503, 503]);
    const busy = answers.find(({ status }) => status === 503)!;
    expect(busy.body).toMatchObject({ code: 'overloaded' });
    expect(busy.headers.get('retry-after')).toBe('1');
    expect(await request(app, '/v1/embeddings', { json: { input: ['a', 'b', 'c'] } })).toMatchObject({
      status: 200,
    });
  });

  test('an answer that is not ready in time, and a client that leaves', async () => {
    const slow = { ...clip, embedTexts: () => new Promise<never>(() => {}) };
    const late = await request(
      await createApp({ clip: slow, limits: { requestTime: 20 } }),
      '/v1/embeddings',
      {
        json: { input: 'a' },
      },
    );
    expect(late).toMatchObject({ status: 504, body: { code: 'timed_out' } });
    const leaving = new AbortController();
    const given = request(await createApp({ clip: slow }), '/v1/embeddings', {
      json: { input: 'a' },
      signal: leaving.signal,
    });
    setTimeout(() => leaving.abort(), 10);
    expect(await given).toMatchObject({ status: 499, body: { code: 'aborted' } });
  });

  test('pictures over the limits on pixels and bytes', async () => {
    const json = { input: dataUri(red) };
    for (const limits of [{ imagePixels: 100 }, { imageBytes: 50 }]) {
      const answer = await ask('/v1/embeddings', { json }, { limits });
      expect(answer).toMatchObject({ status: 413, body: { code: 'image_too_large' } });
    }
    await expect(createApp({ clip, limits: { imagePixels: 0 } })).rejects.toThrow(/imagePixels/);
    await expect(createApp({ clip, limits: { pixels: 5 } as object })).rejects.toThrow(/pixels is no limit/);
  });

  test('what nobody foresaw is told to the log, not to the client', async () => {
    const lines: string[] = [];
    const broken = { ...clip, embedTexts: () => Promise.reject(new Error('/home/secret/path')) };
    const { status, body } = await ask(
      '/v1/embeddings',
      { json: { input: 'a' } },
      { clip: broken, log: { write: (line) => lines.push(line) } },
    );
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('secret');
    const { instance } = body as { instance: string };
    expect(lines.find((line) => line.includes('/home/secret/path'))).toContain(
      instance.replace('urn:uuid:', ''),
    );
  });
});

describe('observing', () => {
  test('health, readiness, models', async () => {
    const app = await createApp({ clip });
    expect(await request(app, '/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await request(app, '/readyz')).toMatchObject({
      status: 200,
      body: { status: 'ready', model: true },
    });
    expect((await request(app, '/v1/models')).body).toMatchObject({
      data: [{ id: clip.config.model, embedding_size: 32, image_size: 32 }],
    });
    app.drain();
    expect(await request(app, '/readyz')).toMatchObject({ status: 503, body: { shuttingDown: true } });
    expect(await request(app, '/v1/embeddings', { json: { input: 'a' } })).toMatchObject({ status: 200 });
    await app.close();
    expect(await request(app, '/v1/embeddings', { json: { input: 'a' } })).toMatchObject({
      status: 503,
      body: { code: 'closed' },
    });
  });

  test('metrics count requests by route, and runs', async () => {
    const app = await createApp({ clip });
    await request(app, '/v1/embeddings', { json: { input: ['a', 'b'] } });
    await request(app, '/v1/nowhere');
    const { text } = await request(app, '/metrics');
    expect(text).toMatch(
      /eidos_http_request_duration_seconds_count\{method="POST",route="\/v1\/embeddings",status="200"\} 1/,
    );
    expect(text).toMatch(/eidos_run_inputs_sum\{kind="text"\} 2/);
    expect(text).toMatch(/eidos_problems_total\{code="not_found"\} 1/);
    expect(text).toMatch(/eidos_waiting_inputs 0/);
  });

  test('the log has no words and no pictures', async () => {
    const lines: string[] = [];
    const app = await createApp({ clip, log: { write: (line) => lines.push(line) }, logLevel: 'debug' });
    await request(app, '/v1/embeddings', { json: { input: ['my secret', dataUri(red)] } });
    await request(app, '/v1/search?q=my%20secret');
    expect(lines.length).toBeGreaterThanOrEqual(2);
    expect(lines.join('')).not.toMatch(/secret|base64/);
    const told: string[] = [];
    const options = { clip, log: { write: (line: string) => told.push(line) }, logQueries: true };
    await request(await createApp(options), '/v1/search?q=my%20secret');
    expect(told.join('')).toContain('my secret');
  });
});
