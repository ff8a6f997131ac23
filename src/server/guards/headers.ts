/** What browsers are told about every answer: do not guess its type, do not frame it, do not let others have it. */
import type { MiddlewareHandler } from 'hono';

const headers = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

/** Of answers that are no page: nothing may run in them. Pages bring a policy of their own. */
export const nothingRuns = "default-src 'none'; frame-ancestors 'none'; sandbox";

export const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
  // Pages of allowed origins may have what they may ask for.
  if (c.res.headers.has('access-control-allow-origin')) {
    c.res.headers.set('cross-origin-resource-policy', 'cross-origin');
  }
  if (!c.res.headers.has('content-security-policy')) {
    c.res.headers.set('content-security-policy', nothingRuns);
  }
  if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store');
};
