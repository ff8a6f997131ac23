/** The page: its files and no others, what may run on it, and what is said where it is not built. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Clip } from '../../src/clip/clip.ts';
import { clipPreprocessing } from '../../src/models/preprocessing.ts';
import { createApp, type ServerApp } from '../../src/server/app.ts';
import { request } from './requests.ts';

const inline = "document.documentElement.dataset.theme = 'dark'";
const html = `<!doctype html><title>page</title><script>${inline}</script><script src="./assets/a.js"></script>`;
// The page needs no model.
const clip = { config: { preprocessing: { size: 8, ...clipPreprocessing } } } as unknown as Clip;

let folder: string;
let app: ServerApp;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eidos-page-'));
  await writeFile(join(folder, 'secret.html'), 'outside');
  await mkdir(join(folder, 'page/assets'), { recursive: true });
  await writeFile(join(folder, 'page/index.html'), html);
  await writeFile(join(folder, 'page/assets/index-C5E2Gvlv.js'), 'export {};');
  await writeFile(join(folder, 'page/mark.svg'), '<svg/>');
  await writeFile(join(folder, 'page/notes.unknown'), 'no type');
  app = await createApp({ clip, pageFolder: join(folder, 'page') });
});
afterAll(() => rm(folder, { recursive: true }));

test('the document: asked for anew each time, with a policy under which its own scripts run', async () => {
  const { status, type, text, headers } = await request(app, '/');
  expect([status, text]).toEqual([200, html]);
  expect(type).toMatch(/^text\/html/);
  expect(headers.get('cache-control')).toBe('no-cache');
  const hash = createHash('sha256').update(inline).digest('base64');
  expect(headers.get('content-security-policy')).toContain(`script-src 'self' 'sha256-${hash}';`);
  expect(headers.get('content-security-policy')).toContain("default-src 'none'");
  const again = await request(app, '/', { headers: { 'if-none-match': headers.get('etag')! } });
  expect([again.status, again.text]).toEqual([304, '']);
});

test('files with a hash in their name are kept, the others are asked for anew', async () => {
  const script = await request(app, '/assets/index-C5E2Gvlv.js');
  expect(script.type).toMatch(/^text\/javascript/);
  expect(script.headers.get('cache-control')).toMatch(/immutable/);
  const mark = await request(app, '/mark.svg');
  expect([mark.type, mark.headers.get('cache-control')]).toEqual(['image/svg+xml', 'no-cache']);
});

test('what is not the page’s is not handed out', async () => {
  for (const path of [
    '/../secret.html',
    '/%2e%2e/secret.html',
    '/assets/..%2f..%2fsecret.html',
    '/..%5csecret.html',
    '/assets',
    '/notes.unknown',
    '//etc/passwd',
  ]) {
    const { status, text } = await request(app, path);
    expect(status).toBe(404);
    expect(text).not.toContain('outside');
  }
  expect(await request(app, '/mark.svg', { method: 'POST' })).toMatchObject({ status: 404 });
});

test('where it is not built, that is what is said, until it is', async () => {
  const missing = join(folder, 'later');
  const waiting = await createApp({ clip, pageFolder: missing });
  const { status, text } = await request(waiting, '/');
  expect(status).toBe(404);
  expect(text).toMatch(/npm run build:web/);
  await mkdir(missing);
  await writeFile(join(missing, 'index.html'), html);
  expect(await request(waiting, '/')).toMatchObject({ status: 200, text: html });
});
