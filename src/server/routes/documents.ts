/** `GET /openapi.json`, and `/docs`: a page to read the API and to try it, all of it from this server. */
import { readFile } from 'node:fs/promises';
import type { Context } from 'hono';
import type { Api, ServerParts } from '../environment.ts';
import { openApiDocument } from '../openapi.ts';
import { documentPolicy } from '../page.ts';

const files: Readonly<Record<string, { name: string; type: string }>> = {
  '/docs': { name: 'page.html', type: 'text/html; charset=utf-8' },
  '/docs/page.css': { name: 'page.css', type: 'text/css; charset=utf-8' },
  '/docs/page.js': { name: 'page.js', type: 'text/javascript; charset=utf-8' },
};

/** Added last: the document tells of all routes before it. */
export function addDocuments(api: Api, { access }: ServerParts): void {
  let document: string | undefined;
  api.get('/openapi.json', (c) => {
    document ??= JSON.stringify(openApiDocument(api, access));
    return c.body(document, 200, { 'content-type': 'application/json', 'cache-control': 'no-cache' });
  });
  for (const path of Object.keys(files)) api.get(path, sendFile);
}

async function sendFile(c: Context): Promise<Response> {
  const { name, type } = files[c.req.path]!;
  const text = await readFile(new URL(`../docs/${name}`, import.meta.url), 'utf8');
  c.header('cache-control', 'no-cache');
  if (name === 'page.html') c.header('content-security-policy', documentPolicy(text));
  return c.body(text, 200, { 'content-type': type });
}
