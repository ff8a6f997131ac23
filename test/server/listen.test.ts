/** The server on a socket, used by OpenAI's client as it is, and by the client of eidos. */

import { rm } from 'node:fs/promises';
import { request as requestHttp } from 'node:http';
import { connect } from 'node:net';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, type EidosClient, ServerError } from '../../src/client/index.ts';
import { type Clip, loadClip } from '../../src/index.ts';
import { isLoopback, type RunningServer, startServer } from '../../src/server/listen.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { createFakeIndex, type FakeIndex } from './fake-index.ts';
import { dataUri, plainPicture } from './requests.ts';

const red = plainPicture([255, 0, 0]);
let folder: string;
let clip: Clip;
let index: FakeIndex;
let server: RunningServer;
let client: EidosClient;
beforeAll(async () => {
  folder = await writeTinyModel();
  clip = await loadClip(folder);
  index = createFakeIndex({ red, blue: plainPicture([0, 0, 255]) });
  server = await startServer({ clip, openIndex: async () => index, apiKeys: ['secret'], port: 0 });
  client = createClient({ baseUrl: server.url, apiKey: 'secret' });
});
afterAll(async () => {
  await server.close();
  await clip.close();
  await rm(folder, { recursive: true });
});

describe('OpenAI’s client, unchanged', () => {
  const openai = (apiKey: string) => new OpenAI({ apiKey, baseURL: `${server.url}/v1`, maxRetries: 0 });

  test('embeddings of texts and of a picture, as the library makes them', async () => {
    const input = ['a photo of a dog', dataUri(red)];
    // The client asks for base64 by itself, and for floats when told to.
    const packed = await openai('secret').embeddings.create({ model: clip.config.model, input });
    const plain = await openai('secret').embeddings.create({
      model: clip.config.model,
      input,
      encoding_format: 'float',
    });
    const expected = [...(await clip.embedTexts(input[0]!)).data, ...(await clip.embedImages(red)).data];
    for (const { data, model, usage } of [packed, plain]) {
      expect(model).toBe(clip.config.model);
      expect(usage.total_tokens).toBeGreaterThan(2);
      const values = data.flatMap(({ embedding }) => embedding);
      expect(values).toHaveLength(expected.length);
      values.forEach((value, i) => {
        expect(value).toBeCloseTo(expected[i]!, 5);
      });
    }
  });

  test('models, and errors with their messages', async () => {
    const models = [];
    for await (const model of openai('secret').models.list()) models.push(model.id);
    expect(models).toEqual([clip.config.model]);
    await expect(openai('secret').embeddings.create({ model: 'other', input: 'a' })).rejects.toMatchObject({
      status: 404,
      code: 'not_found',
      message: expect.stringContaining('not other'),
    });
    await expect(openai('wrong').models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
  });
});

describe('the client of eidos', () => {
  test('embeds, classifies and searches', async () => {
    const [text, picture] = await client.embed(['a photo of a dog', dataUri(red)]);
    expect(text).toHaveLength(32);
    expect(Array.from(picture!)).toEqual(
      Array.from((await clip.embedImages(red)).data).map((v) => expect.closeTo(v, 5)),
    );
    const labels = ['the red square', 'a cat'];
    const byFile = await client.classify({ images: [new File([red], 'red.png')], labels, topK: 1 });
    expect(byFile.answers).toMatchObject([{ image: 'red.png', results: [{}] }]);
    const byText = await client.classify({ images: [dataUri(red)], labels, templates: ['a photo of {}'] });
    expect(byText.answers[0]!.results).toHaveLength(2);
    expect((await client.search({ q: 'red', topK: 1 })).hits).toMatchObject([{ id: 'red' }]);
    const filters = { minWidth: 10 };
    expect((await client.similar('red', { topK: 1, cutOff: false, filters })).total).toBe(2);
    expect((await client.pictures({ topK: 1, filters })).pictures).toHaveLength(1);
    expect(await client.picture('blue')).toMatchObject({ id: 'blue' });
    expect((await client.keywords('red', { topK: 3, language: 'de' })).keywords).toHaveLength(1);
    expect((await client.index()).folders).toEqual(['/photos']);
    expect((await client.models()).data[0]!.embedding_size).toBe(32);
    expect(await client.ready()).toMatchObject({ status: 'ready' });
  });

  test('URLs of pictures work with a cookie in place of the key', async () => {
    const url = client.thumbnailUrl('red', '160');
    expect(url).toBe(`${server.url}/v1/pictures/red/thumbnail?size=160`);
    expect((await fetch(url)).status).toBe(401);
    const cookies: string[] = [];
    const browser = createClient({
      baseUrl: server.url,
      fetch: async (...request) => {
        const response = await fetch(...request);
        cookies.push(...response.headers.getSetCookie());
        return response;
      },
    });
    await browser.signIn('secret');
    expect((await fetch(url, { headers: { cookie: cookies[0]!.split(';')[0]! } })).status).toBe(200);
    expect(
      (await fetch(client.fileUrl('red'), { headers: { cookie: cookies[0]!.split(';')[0]! } })).status,
    ).toBe(200);
    await expect(browser.signIn('wrong')).rejects.toMatchObject({ code: 'unauthorized' });
  });

  test('a synchronisation: progress, report, failure, leaving', async () => {
    const told: number[] = [];
    const report = client.sync({ onProgress: ({ done }) => told.push(done) });
    await until(() => index.syncs === 1);
    index.tell({ stage: 'embed', done: 2, total: 3 });
    index.endSync();
    expect(await report).toMatchObject({ added: 1, pictures: 3 });
    expect(told).toEqual([2]);
    const failing = client.sync();
    await until(() => index.syncs === 2);
    index.endSync(new Error('unforeseen'));
    await expect(failing).rejects.toMatchObject({ name: 'ServerError', code: 'server_failed' });
    const leaving = new AbortController();
    const left = client.sync({ signal: leaving.signal });
    await until(() => index.syncs === 3);
    leaving.abort();
    await expect(left).rejects.toThrow();
    await until(async () => !(await client.index()).syncing);
  });

  test('problems are errors with the library’s code; so is a server that is not there', async () => {
    const error = await client.picture('nobody').catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(ServerError);
    expect(error).toMatchObject({ code: 'not_found', status: 404, problem: { title: 'Not found' } });
    await expect(createClient({ baseUrl: 'http://127.0.0.1:9' }).models()).rejects.toMatchObject({
      code: 'server_failed',
    });
    await expect(client.models({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
    expect(() => createClient({ baseUrl: 'nowhere' })).toThrow(
      expect.objectContaining({ code: 'invalid_option' }),
    );
  });
});

describe('the socket', () => {
  const headers = { authorization: 'Bearer secret', 'content-type': 'application/json' };

  test('a body without a length is taken, and refused once it is too long', async () => {
    const small = await startServer({ clip, port: 0, limits: { requestBytes: 2000 } });
    const send = (text: string) =>
      new Promise<number>((resolve, reject) => {
        const request = requestHttp(`${small.url}/v1/embeddings`, { method: 'POST', headers }, (response) => {
          response.resume();
          resolve(response.statusCode!);
        });
        request.on('error', reject);
        request.write('{"input":"');
        request.end(`${text}"}`);
      });
    expect(await send('a cat')).toBe(200);
    expect(await send('a'.repeat(5000))).toBe(413);
    await small.close();
  });

  test('a host name that is none is a problem', async () => {
    const { port } = new URL(server.url);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () =>
        socket.write('GET /healthz HTTP/1.1\r\nHost: a b@c/d\r\nConnection: close\r\n\r\n'),
      );
      let text = '';
      socket.on('data', (data) => {
        text += data.toString();
      });
      socket.on('close', () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1.1 400/);
    expect(answer).toMatch(/application\/problem\+json/);
    expect(answer).toMatch(/"code":"invalid_option"/);
  });

  test('bytes that are no HTTP are refused, and the next request is answered', async () => {
    const { port } = new URL(server.url);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.write('\u0000\u0001 nonsense\r\n\r\n'));
      socket.on('data', (data) => resolve(data.toString()));
      socket.on('close', () => resolve(''));
    });
    expect(answer).toMatch(/^HTTP\/1.1 400/);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });

  test('a client that leaves is not worked for', async () => {
    let given: AbortSignal | undefined;
    const waiting = createFakeIndex({});
    waiting.search = (_, options = {}) => {
      given = options.signal;
      return new Promise(() => {});
    };
    const own = await startServer({ clip, port: 0, openIndex: async () => waiting });
    const leaving = new AbortController();
    const request = fetch(`${own.url}/v1/search?q=a`, { signal: leaving.signal });
    await until(() => given !== undefined);
    leaving.abort();
    await expect(request).rejects.toThrow();
    await until(() => given!.aborted);
    await own.close();
  });

  test('closing lets requests end, gives up those that do not, and takes no new ones', async () => {
    const waiting = createFakeIndex({ red });
    let release: (() => void) | undefined;
    const search = waiting.search;
    waiting.search = async (query, options) => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return search(query, options);
    };
    const own = await startServer({
      clip,
      port: 0,
      openIndex: async () => waiting,
      limits: { closingTime: 1000 },
    });
    const begun = fetch(`${own.url}/v1/search?q=a`);
    await until(() => release !== undefined);
    const closing = own.close();
    await expect(fetch(`${own.url}/healthz`)).rejects.toThrow();
    release!();
    expect((await begun).status).toBe(200);
    await closing;

    release = undefined;
    const late = await startServer({
      clip,
      port: 0,
      openIndex: async () => waiting,
      limits: { closingTime: 20 },
    });
    const stuck = fetch(`${late.url}/v1/search?q=a`);
    await until(() => release !== undefined);
    await late.close();
    expect((await stuck).status).toBe(503);
  });

  test('beyond this machine it demands a key, and a taken port is said', async () => {
    await expect(startServer({ clip, host: '0.0.0.0', port: 0 })).rejects.toThrow(/API keys/);
    const { port } = new URL(server.url);
    await expect(startServer({ clip, port: Number(port) })).rejects.toThrow(/something else listens/);
    expect(['127.0.0.1', '::1', 'localhost', '127.9.9.9'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '192.168.0.1', 'example.org', '127.evil.example'].some(isLoopback)).toBe(false);
  });
});

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 2000; turn++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error('It did not come to this.');
}
