/** Search, pictures and the index over HTTP: what the index is asked, and what is made of its answers. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Clip, EidosError, loadClip } from '../../src/index.ts';
import { createApp, type ServerApp } from '../../src/server/app.ts';
import { writeTinyModel } from '../tiny-model.ts';
import { createFakeIndex, type FakeIndex } from './fake-index.ts';
import { dataUri, plainPicture, request } from './requests.ts';

const red = plainPicture([255, 0, 0], 700, 350);
const files = {
  red,
  blue: plainPicture([0, 0, 255]),
  page: new TextEncoder().encode('<script>alert(1)</script>'),
};

let folder: string;
let clip: Clip;
let index: FakeIndex;
let app: ServerApp;
beforeAll(async () => {
  folder = await writeTinyModel();
  clip = await loadClip(folder);
});
beforeEach(async () => {
  index = createFakeIndex(files);
  app = await createApp({ clip, openIndex: async () => index });
});
afterAll(async () => {
  await clip.close();
  await rm(folder, { recursive: true });
});

const ask = (path: string, init: Parameters<typeof request>[2] = {}) => request(app, path, init);

describe('search', () => {
  test('words, paging and filters as parameters', async () => {
    const { status, body } = await ask(
      '/v1/search?q=%2Bbeach%20-people&topK=1&offset=1&cutOff=false&hybrid=true&collapse=true&minWidth=20&orientation=square&after=2024-02',
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({ hits: [{ id: 'blue', probability: 0.9 }], total: 3, nothingFits: false });
    const { query, options } = index.asked[0]!;
    expect(query).toBe('+beach -people');
    expect(options).toMatchObject({
      topK: 1,
      offset: 1,
      cutOff: false,
      hybrid: true,
      collapse: true,
      filters: { minWidth: 20, orientation: 'square', after: '2024-02' },
    });
    expect(options.signal).toBeInstanceOf(AbortSignal);
  });

  test('words, a picture, one of the index and weighted parts add up', async () => {
    const json = {
      q: '+beach -people',
      image: dataUri(red),
      picture: 'blue',
      parts: [{ text: 'sand', weight: 0.5 }, { image: dataUri(red) }, { picture: 'red', weight: -1 }],
      cutOff: 0.2,
    };
    expect(await ask('/v1/search', { json })).toMatchObject({ status: 200 });
    const { query, options } = index.asked[0]!;
    expect(query).toEqual({
      parts: [
        { text: 'beach', weight: 1 },
        { text: 'people', weight: -1 },
        { image: Buffer.from(red) },
        { id: 'blue' },
        { text: 'sand', weight: 0.5 },
        { image: Buffer.from(red), weight: 1 },
        { id: 'red', weight: -1 },
      ],
    });
    expect(options).toMatchObject({ cutOff: 0.2, topK: 50 });
  });

  test.each([
    ['/v1/search', undefined],
    ['/v1/search?q=', undefined],
    ['/v1/search?q=a&topK=0', undefined],
    ['/v1/search?q=a&topK=1e3', undefined],
    ['/v1/search?q=a&cutOff=2', undefined],
    ['/v1/search?q=a&after=yesterday', undefined],
    ['/v1/search?q=a&after=2024-13-01', undefined],
    ['/v1/search?q=a&sort=date', undefined],
    ['/v1/search', {}],
    ['/v1/search', { parts: [{ text: 'a', picture: 'b' }] }],
    ['/v1/search', { parts: [{ weight: 1 }] }],
    ['/v1/search', { q: '-people' }],
    ['/v1/search', { image: '/etc/passwd' }],
    ['/v1/search', { picture: '../../etc/passwd' }],
    ['/v1/search', { q: 'a', filters: { colour: 'red' } }],
  ])('%s %j is refused', async (path, json) => {
    const answer = await ask(path, json === undefined ? {} : { json });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_option' } });
    expect(index.asked).toEqual([]);
  });

  test('without an index there is nothing to search', async () => {
    const bare = await createApp({ clip });
    for (const path of ['/v1/search?q=a', '/v1/pictures', '/v1/pictures/red/thumbnail', '/v1/index']) {
      const { status, body } = await request(bare, path);
      expect([status, (body as { code: string }).code]).toEqual([404, 'not_found']);
    }
  });
});

describe('pictures', () => {
  test('one, its likes, its words, and all of them', async () => {
    expect(await ask('/v1/pictures/red')).toMatchObject({ status: 200, body: { id: 'red', width: 40 } });
    expect(await ask('/v1/pictures/red/similar?topK=2')).toMatchObject({ body: { hits: [{}, {}] } });
    // Likeness has no cut-off of its own: the nearest are shown.
    expect(index.asked[0]!.options).toMatchObject({ topK: 2, cutOff: false });
    expect(await ask('/v1/pictures/red/keywords?language=de')).toMatchObject({
      body: { keywords: [{ keyword: 'square' }] },
    });
    expect(await ask('/v1/pictures?topK=2&offset=1')).toMatchObject({
      body: { total: 3, pictures: [{ id: 'blue' }, { id: 'page' }] },
    });
    for (const path of ['', '/thumbnail', '/file', '/similar', '/keywords']) {
      expect(await ask(`/v1/pictures/nobody${path}`)).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      });
    }
  });

  test('ids that would lead elsewhere are none', async () => {
    for (const id of ['..%2f..%2fetc%2fpasswd', '%2e%2e', 'a.jpg', 'a%00', '%', '%ff']) {
      const { status } = await ask(`/v1/pictures/${id}/file`);
      expect([400, 404]).toContain(status);
    }
  });

  test('a thumbnail is small, of the same shape, and known the next time', async () => {
    const response = await app.fetch(new Request('http://localhost/v1/pictures/red/thumbnail?size=160'));
    expect(response.headers.get('content-type')).toBe('image/webp');
    const bytes = new Uint8Array(await response.arrayBuffer());
    const { default: sharp } = await import('sharp');
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 160, height: 80 });
    const tag = response.headers.get('etag')!;
    const again = await ask('/v1/pictures/red/thumbnail?size=160', { headers: { 'if-none-match': tag } });
    expect([again.status, again.text]).toEqual([304, '']);
    const larger = await ask('/v1/pictures/red/thumbnail?size=320', { headers: { 'if-none-match': tag } });
    expect(larger.status).toBe(200);
    expect(await ask('/v1/pictures/red/thumbnail?size=100000')).toMatchObject({ status: 400 });
  });

  test('a file is handed out as what it is, under its own name', async () => {
    const response = await app.fetch(new Request('http://localhost/v1/pictures/red/file'));
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(red);
    expect(response.headers.get('content-type')).toBe('image/png');
    expect(response.headers.get('content-security-policy')).toMatch(/sandbox/);
    expect(response.headers.get('content-disposition')).toBe(
      `inline; filename="picture.png"; filename*=UTF-8''sch%C3%B6ne%20%22red%22.png`,
    );
  });

  test('what is no picture any more is not handed out', async () => {
    for (const path of ['file', 'thumbnail']) {
      const answer = await ask(`/v1/pictures/page/${path}`);
      expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_image' } });
      expect(answer.text).not.toContain('alert');
    }
  });
});

describe('the index', () => {
  test('how it stands', async () => {
    const { body } = await ask('/v1/index');
    expect(body).toMatchObject({
      pictures: 3,
      folders: ['/photos'],
      unreadableCount: 1,
      unreadable: [{ image: '/photos/torn.jpg', error: { code: 'invalid_image' } }],
      syncing: false,
    });
  });

  test('folders are taken in from the start, and who asks for a synchronisation joins', async () => {
    const done: number[] = [];
    const own = createFakeIndex(files);
    const filling = await createApp({
      clip,
      openIndex: async () => own,
      takeIn: { folders: ['/photos/new'], onDone: ({ pictures }) => done.push(pictures) },
    });
    await until(() => own.syncs === 1);
    expect(own.folders).toEqual(['/photos/new']);
    expect((await request(filling, '/v1/index')).body).toMatchObject({ syncing: true });
    const joined = request(filling, '/v1/index/sync', { method: 'POST' });
    await new Promise((resolve) => setTimeout(resolve, 20));
    own.endSync();
    expect((await joined).text).toContain('event: done');
    expect(done).toEqual([3]);
    expect(own.syncs).toBe(1);
    await filling.close();
    await expect(createApp({ clip, takeIn: { folders: ['/photos'] } })).rejects.toMatchObject({
      code: 'invalid_option',
    });
  });

  test('a synchronisation tells how far it is, and ends with a report; a second one joins it', async () => {
    const first = ask('/v1/index/sync', { method: 'POST' });
    await until(() => index.syncs === 1);
    index.tell({ stage: 'embed', done: 1, total: 3 });
    const second = ask('/v1/index/sync', { method: 'POST' });
    await until(async () => ((await ask('/v1/index')).body as { syncing: boolean }).syncing);
    index.tell({ stage: 'embed', done: 2, total: 3 });
    index.endSync();
    const [one, two] = await Promise.all([first, second]);
    expect(one.type).toMatch(/^text\/event-stream/);
    expect(eventsOf(one.text).map(({ name }) => name)).toEqual(['progress', 'progress', 'done']);
    expect(eventsOf(one.text).at(-1)!.data).toMatchObject({ added: 1, pictures: 3, unreadableCount: 1 });
    // Who joins is told at once how far it is.
    expect(eventsOf(two.text)[0]!.data).toMatchObject({ done: 1 });
    expect(index.syncs).toBe(1);
  });

  test('one that fails ends with a problem', async () => {
    const answer = ask('/v1/index/sync', { method: 'POST' });
    await until(() => index.syncs === 1);
    index.endSync(new EidosError('write_failed', 'The disk is full.'));
    expect(eventsOf((await answer).text)).toEqual([
      { name: 'error', data: expect.objectContaining({ code: 'write_failed', detail: 'The disk is full.' }) },
    ]);
  });

  test('it stops when the last one has left, and when the server closes', async () => {
    const response = await app.fetch(new Request('http://localhost/v1/index/sync', { method: 'POST' }));
    await until(() => index.syncs === 1);
    await response.body!.cancel();
    await until(async () => !((await ask('/v1/index')).body as { syncing: boolean }).syncing);
    const another = ask('/v1/index/sync', { method: 'POST' });
    await until(() => index.syncs === 2);
    await app.close();
    expect(eventsOf((await another).text).at(-1)!.name).toBe('error');
  });
});

function eventsOf(text: string): { name: string; data: unknown }[] {
  return [...text.matchAll(/event: (.*)\ndata: (.*)\n\n/g)].map(([, name, data]) => ({
    name: name!,
    data: JSON.parse(data!) as unknown,
  }));
}

/** Waits for what other turns of the event loop bring. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 1000; turn++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error('It did not come to this.');
}
