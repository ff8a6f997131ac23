/** The page of eidos, as it was built: its files and no others, and what to do where it was not built. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Context } from 'hono';

/** Beside `src` and `dist` alike. */
const builtPage = fileURLToPath(new URL('../../web/dist/', import.meta.url));

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

export interface Page {
  /** The answer to a GET, undefined where the path is none of the page's. */
  answer(c: Context): Promise<Response | undefined>;
}

interface PageFile {
  path: string;
  type: string;
  /** Its name holds a hash of its content, so that it never changes. */
  isHashed: boolean;
}

export function createPage(folder: string = builtPage): Page {
  let files: Promise<ReadonlyMap<string, PageFile>> | undefined;

  return {
    async answer(c) {
      if (c.req.method !== 'GET' && c.req.method !== 'HEAD') return undefined;
      files ??= listFiles(folder);
      const known = await files;
      // Nothing there: it may have been built the next time.
      if (known.size === 0) files = undefined;
      const path = c.req.path === '/' ? '/index.html' : c.req.path;
      const file = known.get(path);
      if (file === undefined) return path === '/index.html' ? notBuilt(c) : undefined;
      const bytes = new Uint8Array(await readFile(file.path));
      const tag = `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 24)}"`;
      c.header('etag', tag);
      c.header('cache-control', file.isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      if (c.req.header('if-none-match') === tag) return c.body(null, 304);
      const isDocument = file.type.startsWith('text/html');
      if (isDocument) c.header('content-security-policy', documentPolicy(Buffer.from(bytes).toString()));
      return c.body(bytes, 200, { 'content-type': file.type });
    },
  };
}

/**
 * What may run on a page: its own scripts, those inside of it by their hashes, and nothing from elsewhere. Styles
 * inside are allowed, since components place things by them.
 */
export function documentPolicy(html: string): string {
  const inline = [...html.matchAll(/<script(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/gi)].map(
    ([, script]) => `'sha256-${createHash('sha256').update(script!).digest('base64')}'`,
  );
  return [
    "default-src 'none'",
    ['script-src', "'self'", ...inline].join(' '),
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** Only what is listed here is ever read, so that no path leads out of the folder. */
async function listFiles(folder: string): Promise<ReadonlyMap<string, PageFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.flatMap((entry): [string, PageFile][] => {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined) return [];
    const path = join(entry.parentPath, entry.name);
    const name = `/${path.slice(join(folder, '/').length).split(sep).join('/')}`;
    return [[name, { path, type, isHashed: /^\/assets\/.*-[\w-]{8,}\.\w+$/.test(name) }]];
  });
  return new Map(files);
}

function notBuilt(c: Context): Response {
  const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width" />
<title>eidos</title>
<body style="font: 1rem/1.6 system-ui; max-width: 36rem; margin: 4rem auto; padding: 0 1rem">
<h1>The page is not built</h1>
<p>The server runs and answers. In a clone of eidos, <code>npm run build:web</code> builds this page; packages from
npm bring it along.</p>
<p><a href="/docs">Try the API</a></p>
</body>
</html>
`;
  c.header('content-security-policy', documentPolicy(html));
  return c.html(html, 404);
}
