/** Pictures by URL: public addresses only, at every turn, within bytes; what an inner network has stays there. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAllowedHost } from '../../src/server/guards/host.ts';
import { createRateLimiter } from '../../src/server/guards/rate-limit.ts';
import { isPublicAddress } from '../../src/server/pictures/addresses.ts';
import { createPictureReader } from '../../src/server/pictures/received.ts';
import { fetchRemotePicture } from '../../src/server/pictures/remote.ts';

describe('addresses', () => {
  test.each(['1.1.1.1', '93.184.216.34', '223.255.255.254', '2606:4700::1111', '2a00:1450:4001::200e'])(
    '%s is public',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );

  test.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '127.0.0.1',
    '127.255.255.255',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.1',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '64:ff9b::7f00:1',
    'fe80::1',
    'fc00::1',
    'fd12::1',
    'ff02::1',
    '2002:7f00:1::',
    '2001::1',
    '2001:db8::1',
    'localhost',
    '',
    '127.1',
  ])('%s is not', (address) => expect(isPublicAddress(address)).toBe(false));
});

describe('fetching', () => {
  let server: Server;
  let base: string;
  const never = new AbortController().signal;
  const inside = { maxBytes: 1000, isAllowed: (address: string) => address === '127.0.0.1' };
  beforeAll(async () => {
    server = createServer((request, response) => {
      const { port } = server.address() as AddressInfo;
      const send = (status: number, location?: string) => {
        response.writeHead(status, location === undefined ? {} : { location }).end('bytes');
      };
      switch (request.url) {
        case '/picture':
          return send(200);
        case '/moved':
          return send(302, '/picture');
        case '/inwards':
          return send(302, `http://127.0.0.2:${port}/picture`);
        case '/inwards-six':
          return send(307, `http://[::1]:${port}/picture`);
        case '/inwards-by-name':
          return send(301, `http://localhost.localdomain.invalid:${port}/picture`);
        case '/file':
          return send(302, 'file:///etc/passwd');
        case '/round':
          return send(302, '/round');
        case '/endless':
          response.writeHead(200);
          for (let i = 0; i < 100; i++) response.write(Buffer.alloc(100));
          return response.end();
        case '/announced':
          response.writeHead(200, { 'content-length': '5000' });
          return response.end(Buffer.alloc(5000));
        case '/silent':
          return undefined;
        default:
          return send(404);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test('a picture, and one that has moved', async () => {
    for (const path of ['/picture', '/moved']) {
      expect(Buffer.from(await fetchRemotePicture(base + path, inside, never)).toString()).toBe('bytes');
    }
  });

  test.each([
    ['/inwards', 'forbidden'],
    ['/inwards-six', 'forbidden'],
    ['/inwards-by-name', 'download_failed'],
    ['/file', 'invalid_option'],
    ['/round', 'download_failed'],
    ['/nothing', 'download_failed'],
    ['/endless', 'image_too_large'],
    ['/announced', 'image_too_large'],
  ])('%s is %s', async (path, code) => {
    await expect(fetchRemotePicture(base + path, inside, never)).rejects.toMatchObject({ code });
  });

  test('names that lead inside are not connected to, nor numbers however written', async () => {
    const { port } = new URL(base);
    const hosts = [
      'localhost',
      '127.0.0.1',
      '0x7f.1',
      '2130706433',
      '017700000001',
      '[::1]',
      '[::ffff:7f00:1]',
      '0',
    ];
    for (const host of hosts) {
      const url = `http://${host}:${port}/picture`;
      await expect(fetchRemotePicture(url, { maxBytes: 1000 }, never)).rejects.toMatchObject({
        code: 'forbidden',
      });
    }
  });

  test('a server that says nothing is left when the request is given up', async () => {
    const leaving = new AbortController();
    const silent = fetchRemotePicture(`${base}/silent`, inside, leaving.signal);
    leaving.abort();
    await expect(silent).rejects.toMatchObject({ code: 'aborted' });
  });

  test('URLs with a password or of another kind', async () => {
    for (const url of ['http://user:pass@1.1.1.1/', 'ftp://1.1.1.1/a.png', 'http://']) {
      await expect(fetchRemotePicture(url, inside, never)).rejects.toMatchObject({ code: 'invalid_option' });
    }
  });

  test('a server that fetches nothing says so, and data URIs have a limit', async () => {
    const read = createPictureReader({ imageBytes: 10 }, { allowUrls: false });
    await expect(read(`${base}/picture`, never)).rejects.toMatchObject({ code: 'offline' });
    await expect(read(`data:image/png;base64,${'A'.repeat(100)}`, never)).rejects.toMatchObject({
      code: 'image_too_large',
    });
    expect(await read('data:image/png;base64,AAAA', never)).toEqual(Buffer.alloc(3));
  });
});

test('names under which a server answers', () => {
  const allowed = new Set(['photos.example']);
  for (const host of [
    'localhost',
    'LOCALHOST:1',
    'a.localhost',
    '10.0.0.1:80',
    '[::1]:80',
    'photos.example:443',
  ]) {
    expect(isAllowedHost(host, allowed)).toBe(true);
  }
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '',
    'photos.example.evil',
  ]) {
    expect(isAllowedHost(host, allowed)).toBe(false);
  }
});

test('a bucket of requests fills up with time, each address has its own', () => {
  let now = 0;
  const { take } = createRateLimiter(60, () => now);
  for (let i = 0; i < 60; i++) expect(take('a', 1)).toBe(0);
  expect(take('a', 1)).toBe(1);
  expect(take('b', 1)).toBe(0);
  now += 500;
  expect(take('a', 1)).toBe(1);
  now += 500;
  expect(take('a', 1)).toBe(0);
  now += 3_600_000;
  for (let i = 0; i < 595; i++) expect(take('a', 0.1)).toBe(0);
  expect(take('a', 1)).toBeGreaterThan(0);
});
