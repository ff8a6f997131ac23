/**
 * Which pages may use the server from a browser: its own, and those that it was told of. A request from another page
 * is refused even where the browser would only keep the answer from it: the work would be done.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { RequestError } from '../problems.ts';

const methods = 'GET, HEAD, POST';
const headers = 'authorization, content-type';
/** Seconds for which a browser need not ask again. */
const rememberedFor = '600';

/** @param allowedOrigins as browsers write them: `https://photos.example`, without a path */
export function originGuard(allowedOrigins: readonly string[]): MiddlewareHandler {
  const allowed = new Set(allowedOrigins);
  return async function checkOrigin(c, next) {
    const origin = c.req.header('origin');
    if (origin === undefined || isOwn(origin, c)) {
      if (isForeignSubresource(c)) throw refusal('another page');
      return next();
    }
    if (!allowed.has(origin)) throw refusal(origin);
    c.header('access-control-allow-origin', origin);
    c.header('access-control-expose-headers', 'retry-after');
    c.header('vary', 'origin', { append: true });
    if (c.req.method !== 'OPTIONS') return next();
    c.header('access-control-allow-methods', methods);
    c.header('access-control-allow-headers', headers);
    c.header('access-control-max-age', rememberedFor);
    return c.body(null, 204);
  };
}

function isOwn(origin: string, c: Context): boolean {
  const host = c.req.header('host') ?? new URL(c.req.url).host;
  return origin === `http://${host}` || origin === `https://${host}`;
}

/** Pictures and scripts that another page has put in carry no origin, but browsers say where they come from. */
function isForeignSubresource(c: Context): boolean {
  const site = c.req.header('sec-fetch-site');
  const isForeign = site === 'cross-site' || site === 'same-site';
  return isForeign && c.req.header('sec-fetch-mode') !== 'navigate';
}

function refusal(origin: string): RequestError {
  return new RequestError(
    'forbidden',
    `Requests from ${origin} are not allowed: start the server with --allow-origin for pages of other origins.`,
  );
}
