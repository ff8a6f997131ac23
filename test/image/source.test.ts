/** Pictures from every kind of source, and the limits that hold for each. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EidosError, type ErrorCode } from '../../src/errors.ts';
import { preprocessImage } from '../../src/image/preprocess.ts';
import { type ImageSource, images, type RawPixels, readSource } from '../../src/image/source.ts';
import { clipPreprocessing } from '../../src/models/preprocessing.ts';

const preprocessing = { ...clipPreprocessing, size: 16 };
let folder: string;
let png: Buffer;
let pixels: RawPixels & { data: Uint8Array };
let expected: Float32Array;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-source-'));
  const data = Uint8Array.from({ length: 20 * 17 * 3 }, (_, i) => (i * 37) % 256);
  pixels = { data, width: 20, height: 17, channels: 3 };
  png = await sharp(data, { raw: { width: 20, height: 17, channels: 3 } })
    .png()
    .toBuffer();
  await writeFile(join(folder, 'a picture.png'), png);
  expected = await preprocessImage(pixels, preprocessing);
});

afterAll(() => rm(folder, { recursive: true }));

async function failure(promise: Promise<unknown>): Promise<EidosError> {
  const error = await promise.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof EidosError)) throw new Error(`expected an EidosError, got ${error}`);
  return error;
}

function webStream(chunks: Uint8Array[], then: 'close' | 'stall' | 'break' = 'close') {
  const rest = [...chunks];
  return new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = rest.shift();
      if (chunk) controller.enqueue(chunk);
      else if (then === 'close') controller.close();
      else if (then === 'break') controller.error(new Error('the line went dead'));
      else return new Promise<void>(() => {});
    },
  });
}

describe('kinds of sources', () => {
  const kinds: [string, () => ImageSource][] = [
    ['path', () => join(folder, 'a picture.png')],
    ['file URL', () => pathToFileURL(join(folder, 'a picture.png'))],
    ['file URL as a string', () => pathToFileURL(join(folder, 'a picture.png')).href],
    ['data URL', () => `data:image/png;base64,${png.toString('base64')}`],
    [
      'data URL, percent-encoded',
      () => `data:,${[...png].map((b) => `%${b.toString(16).padStart(2, '0')}`).join('')}`,
    ],
    ['Buffer', () => png],
    [
      'Uint8Array in the middle of a buffer',
      () => new Uint8Array([0, 0, ...png, 0]).subarray(2, 2 + png.length),
    ],
    ['ArrayBuffer', () => new Uint8Array(png).buffer],
    ['Blob', () => new Blob([new Uint8Array(png)])],
    ['ReadableStream', () => webStream([png.subarray(0, 10), png.subarray(10, 11), png.subarray(11)])],
    ['Readable', () => Readable.from([png.subarray(0, 30), png.subarray(30)], { objectMode: false })],
    ['raw pixels', () => pixels],
    ['raw clamped pixels', () => ({ ...pixels, data: new Uint8ClampedArray(pixels.data) })],
  ];
  test.each(kinds)('%s', async (_, source) => {
    expect(await preprocessImage(source(), preprocessing)).toEqual(expected);
  });

  test('raw pixels of every number of channels', async () => {
    const count = 20 * 17;
    const grey = pixels.data.slice(0, count);
    const spread = (channels: number, alpha?: number) =>
      Uint8Array.from({ length: count * channels }, (_, i) =>
        alpha !== undefined && i % channels === channels - 1 ? alpha : grey[Math.floor(i / channels)]!,
      );
    const of = (channels: 1 | 2 | 3 | 4, data: Uint8Array) =>
      preprocessImage({ data, width: 20, height: 17, channels }, preprocessing);
    const reference = await of(3, spread(3));
    expect(await of(1, grey)).toEqual(reference);
    expect(await of(2, spread(2, 255))).toEqual(reference);
    expect(await of(4, spread(4, 255))).toEqual(reference);
  });

  test('the caller’s pixels are not written to', async () => {
    const data = new Uint8Array(8 * 8 * 4).map((_, i) => i);
    const before = data.slice();
    for (const toRgb of ['first', 'last'] as const) {
      await preprocessImage({ data, width: 8, height: 8, channels: 4 }, { ...preprocessing, toRgb });
    }
    expect(data).toEqual(before);
  });

  test('the tensor lands where it is wanted', async () => {
    const target = new Float32Array(3 * expected.length).fill(7);
    expect(await preprocessImage(pixels, preprocessing, {}, target, expected.length)).toBe(target);
    expect(target.subarray(expected.length, 2 * expected.length)).toEqual(expected);
    expect(target.filter((value) => value === 7).length).toBe(2 * expected.length);
    const error = await failure(preprocessImage(pixels, preprocessing, {}, target, 2 * expected.length + 1));
    expect(error.code).toBe('invalid_option');
  });

  test('one or many', async () => {
    const collect = async (sources: Parameters<typeof images>[0]) => {
      const found: ImageSource[] = [];
      for await (const source of images(sources)) found.push(source);
      return found;
    };
    async function* later() {
      yield 'a';
      yield 'b';
    }
    const stream = webStream([png]);
    const objects = Readable.from(['a', png]);
    expect(await collect('a.png')).toEqual(['a.png']);
    expect(await collect(png)).toEqual([png]);
    expect(await collect(stream)).toEqual([stream]);
    expect(await collect(['a', pixels])).toEqual(['a', pixels]);
    expect(await collect(new Set(['a', 'b']))).toEqual(['a', 'b']);
    expect(await collect(later())).toEqual(['a', 'b']);
    expect(await collect(objects)).toEqual(['a', png]);
    expect((await failure(collect(null as never))).code).toBe('invalid_option');
    expect((await failure(collect(5 as never))).code).toBe('invalid_option');
  });
});

describe('what cannot be read', () => {
  const read = (source: ImageSource, options = {}) => failure(readSource(source, options));

  const cases: [string, () => ImageSource, object, ErrorCode, string][] = [
    ['missing file', () => join(folder, 'none.png'), {}, 'not_found', 'none.png'],
    ['file as a folder', () => join(folder, 'a picture.png', 'x.png'), {}, 'not_found', 'x.png'],
    ['folder', () => folder, {}, 'invalid_image', 'is a folder'],
    ['path with a zero byte', () => 'a\0b.png', {}, 'not_found', 'a'],
    ['network', () => 'https://example.org/a.png', {}, 'offline', 'allowNetwork'],
    ['network as URL', () => new URL('http://example.org/a.png'), {}, 'offline', 'http://example.org/a.png'],
    ['other scheme', () => new URL('ftp://example.org/a.png'), {}, 'invalid_option', 'ftp:'],
    ['file on another host', () => 'file://elsewhere/a.png', {}, 'not_found', 'file://elsewhere/a.png'],
    ['data URL without data', () => 'data:image/png;base64', {}, 'invalid_image', 'comma'],
    ['large file', () => join(folder, 'a picture.png'), { maxBytes: 50 }, 'image_too_large', 'a picture.png'],
    [
      'large data URL',
      () => `data:;base64,${'A'.repeat(100)}`,
      { maxBytes: 50 },
      'image_too_large',
      'maxBytes',
    ],
    ['large bytes', () => png, { maxBytes: 50 }, 'image_too_large', 'maxBytes'],
    ['large Blob', () => new Blob(['x'.repeat(51)]), { maxBytes: 50 }, 'image_too_large', 'maxBytes'],
    ['device without an end', () => '/dev/zero', { maxBytes: 1e6 }, 'image_too_large', '/dev/zero'],
    ['stream that breaks', () => webStream([png.subarray(0, 9)], 'break'), {}, 'invalid_image', 'went dead'],
    ['stream of words', () => webStream(['x' as never]), {}, 'invalid_option', 'bytes'],
    ['number', () => 5 as never, {}, 'invalid_option', 'number'],
  ];
  test.each(cases)('%s', async (name, source, options, code, words) => {
    if (name.startsWith('device') && process.platform === 'win32') return;
    const error = await read(source(), options);
    expect(error.code).toBe(code);
    expect(error.message).toContain(words);
  });

  test('a stream without an end is left at the limit, and closed', async () => {
    let pulled = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled += 1;
        controller.enqueue(new Uint8Array(1000));
      },
      cancel: () => {
        cancelled = true;
      },
    });
    expect((await read(endless, { maxBytes: 10_000 })).code).toBe('image_too_large');
    expect(pulled).toBeLessThan(20);
    expect(cancelled).toBe(true);
    const readable = new Readable({ read: () => readable.push(Buffer.alloc(1000)) });
    expect((await read(readable, { maxBytes: 10_000 })).code).toBe('image_too_large');
    expect(readable.destroyed).toBe(true);
  });

  test('a stream that stalls can be given up', async () => {
    for (const stream of [webStream([png.subarray(0, 9)], 'stall'), new Readable({ read() {} })]) {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 20);
      expect((await read(stream, { signal: controller.signal })).code).toBe('aborted');
    }
    expect((await read(png, { signal: AbortSignal.abort() })).code).toBe('aborted');
  });

  test('a stream that is cut off is a broken picture that is named', async () => {
    const stream = webStream([png.subarray(0, png.length - 40)]);
    const error = await failure(preprocessImage(stream, preprocessing));
    expect(error.code).toBe('invalid_image');
    expect(error.message).toMatch(/^the picture is broken or cut off: /);
  });

  test('raw pixels that do not fit', async () => {
    const wrong: object[] = [
      { width: 21 },
      { height: 0 },
      { width: 20.5 },
      { channels: 5, data: new Uint8Array(20 * 17 * 5) },
      { data: new Float32Array(20 * 17 * 3) },
      { data: [1, 2, 3] },
    ];
    for (const fields of wrong) {
      const error = await failure(preprocessImage({ ...pixels, ...fields } as never, preprocessing));
      expect(error.code).toBe('invalid_image');
    }
    const error = await failure(preprocessImage(pixels, preprocessing, { maxPixels: 339 }));
    expect(error.code).toBe('image_too_large');
  });
});

describe('over the network, where it is allowed', () => {
  const answers: Record<string, () => { status?: number; headers?: object; body: Buffer | 'endless' }> = {
    '/a.png': () => ({ body: png }),
    '/none.png': () => ({ status: 404, body: Buffer.from('no') }),
    '/announced.png': () => ({ headers: { 'content-length': 10 ** 9 }, body: 'endless' }),
    '/endless.png': () => ({ body: 'endless' }),
  };
  const server = createServer((request, response) => {
    const { status = 200, headers = {}, body } = answers[request.url!]!();
    response.writeHead(status, { ...headers });
    if (body !== 'endless') return response.end(body);
    const send = () => {
      while (!response.destroyed && response.write(Buffer.alloc(10_000)));
    };
    response.on('drain', send);
    return send();
  });
  let address: string;
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test('a picture', async () => {
    const options = { allowNetwork: true };
    expect(await preprocessImage(`${address}/a.png`, preprocessing, options)).toEqual(expected);
  });

  test.each([
    ['/none.png', 'download_failed', '404'],
    ['/announced.png', 'image_too_large', 'maxBytes'],
    ['/endless.png', 'image_too_large', 'maxBytes'],
  ])('%s', async (path, code, words) => {
    const error = await failure(readSource(address + path, { allowNetwork: true, maxBytes: 100_000 }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(path);
    expect(error.message).toContain(words);
  });

  test('nobody there', async () => {
    const error = await failure(readSource('http://127.0.0.1:1/a.png', { allowNetwork: true }));
    expect(error.code).toBe('download_failed');
  });
});
